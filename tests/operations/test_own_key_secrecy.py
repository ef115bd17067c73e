"""A planted key, through everything that could keep or repeat it: it is found nowhere."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from tests.fakes.openai_upstream import Fault
from tests.fakes.openrouter import FakeOpenRouter, refusing
from tests.live import serving, settings_for
from writingmate.errors import ApiError
from writingmate.operations.own_keys import OwnKeys
from writingmate.providers import for_own_keys
from writingmate.settings import TimeoutSection
from writingmate.telemetry import log
from writingmate.upstream.client import HttpClient
from writingmate.vault.box import Box
from writingmate.vault.keys import Keyring

KEY = "planted.own-key.Zq7.w1th-no-known-shape"
ECHO = f"the key {KEY} is bad"
ERROR = {"error": {"message": ECHO, "code": KEY}}
BEGUN = (
    b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m",'
    b'"choices":[{"index":0,"delta":{"content":"A"},"finish_reason":null}]}\n\n'
)
FAULTS = [
    refusing(401, ECHO),
    refusing(402, ECHO),
    refusing(403, ECHO, reasons=[KEY]),
    refusing(400, ECHO),
    refusing(429, ECHO),
    refusing(500, ECHO),
    Fault(body=KEY.encode(), content_type=KEY),
    Fault(body=json.dumps(ERROR).encode(), content_type="application/json"),
    Fault(body=b"data: %b\n\n" % json.dumps(ERROR).encode(), content_type="text/event-stream"),
    Fault(body=BEGUN + b"data: %b\n\n" % json.dumps(ERROR).encode(), content_type="text/event-stream"),
    Fault(status=400, headers={"retry-after": KEY}, body=KEY.encode()),
]


class Log(io.TextIOWrapper):
    """A stream that keeps what was logged."""

    def __init__(self) -> None:
        self.kept = io.BytesIO()
        super().__init__(self.kept, encoding="utf-8")


@pytest.fixture
async def openrouter() -> AsyncIterator[FakeOpenRouter]:
    async with FakeOpenRouter(key=KEY) as running:
        yield running


async def _said(api: httpx2.AsyncClient, fault: Fault, fake: FakeOpenRouter, *, stream: bool) -> str:
    """What a caller is told when OpenRouter repeats the key in this way."""
    fake.script(fault, times=1)
    messages = [{"role": "user", "content": "Reply with exactly: A B"}]
    answer = await api.post(
        "/chat/completions", json={"model": "google/gemini-2.5-flash", "messages": messages, "stream": stream}
    )
    return f"{answer.status_code} {answer.headers} {answer.text}"


def _on_disk(folder: Path) -> bytes:
    """Every byte of every file: the database, its log, the master keys, lists and whatever else."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


async def test_a_planted_key_is_nowhere(openrouter: FakeOpenRouter, tmp_path: Path) -> None:
    once = TimeoutSection(tries=1)
    settings = settings_for(tmp_path, environ={"OPENROUTER_BASE_URL": openrouter.base_url}, timeouts=once)
    stream, network = Log(), HttpClient()
    with serving(settings) as live:
        log.start(stream)
        box = Box(Keyring(tmp_path / "vault.keys"))
        own = OwnKeys(live.database, box, network, for_own_keys(settings))
        await own.set(live.user.user_id, KEY)
        headers = {"authorization": f"Bearer {live.key}"}
        async with httpx2.AsyncClient(base_url=live.api, headers=headers, timeout=20) as api:
            said = [
                await _said(api, fault, openrouter, stream=streaming)
                for fault in FAULTS
                for streaming in (False, True)
            ]
            said += [(await api.get("/models")).text, (await api.get(f"{live.url}/metrics")).text]
        for fault in FAULTS:
            openrouter.script(fault, times=1)
            with pytest.raises(ApiError) as caught:
                await own.test(live.user.user_id)
            said.append(f"{caught.value!r} {caught.value.envelope()!r} {caught.value.headers}")
        log.flush()
        on_disk = _on_disk(tmp_path)
    log.stop()
    await network.close()
    sent = [call.headers["authorization"] for call in openrouter.calls]
    assert sent == [f"Bearer {KEY}"] * (1 + 3 * len(FAULTS))
    assert sum("provider_key_rejected" in text for text in said) >= 3 * 2
    logged = stream.kept.getvalue().decode()
    assert logged.count("upstream_failed") >= 2 * len(FAULTS)
    assert live.user.user_id.encode() in on_disk
    for text in (*said, logged, on_disk.decode("latin-1"), f"{own!r} {live.gateway!r}"):
        assert KEY[:-4] not in text
