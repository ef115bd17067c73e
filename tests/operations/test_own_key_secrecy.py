"""A planted key, through everything that could keep or repeat it: it is found nowhere."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from tests.fakes.openai_upstream import Fault
from tests.fakes.openrouter import FakeOpenRouter, refusing
from tests.live import serving, settings_for
from writingmate.catalog.resolve import Catalog
from writingmate.errors import ApiError, UpstreamError
from writingmate.identity.directory import Directory
from writingmate.operations.failures import as_answer, forget_key
from writingmate.operations.own_keys import OwnKeys
from writingmate.operations.own_routes import OwnRoutes
from writingmate.providers import for_own_keys
from writingmate.telemetry import log
from writingmate.types import Principal
from writingmate.upstream.base import Call, Timeouts
from writingmate.upstream.client import HttpClient
from writingmate.vault.box import Box
from writingmate.vault.credentials import Credentials
from writingmate.vault.keys import Keyring

KEY = "planted.own-key.Zq7.w1th-no-known-shape"
ECHO = f"the key {KEY} is bad"
FAULTS = [
    refusing(401, ECHO),
    refusing(402, ECHO),
    refusing(403, ECHO, reasons=[KEY]),
    refusing(400, ECHO),
    refusing(429, ECHO),
    refusing(500, ECHO),
    Fault(body=KEY.encode(), content_type=KEY),
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


async def _said(
    own: OwnKeys, routes: OwnRoutes, caller: Principal, fault: Fault, fake: FakeOpenRouter
) -> str:
    """What callers and the log are told when OpenRouter repeats the key in this way."""
    fake.script(fault, times=1)
    said = []
    try:
        await own.test(caller.user_id)
    except ApiError as error:
        said.append(error.envelope().decode() + repr(error) + str(error.headers))
    model = routes.catalog.get("google/gemini-2.5-flash", own=True)
    assert model is not None
    route = await routes.route(caller, model)
    assert route is not None
    fake.script(fault, times=1)
    call = Call(
        f"{route.provider.base_url}/chat/completions",
        route.provider.authorized(),
        b"{}",
        streaming=True,
        timeouts=Timeouts(2, 2, 2),
    )
    try:
        async with own.network.open(call):
            pass
    except UpstreamError as error:
        forget_key(error, KEY)
        log.failure("upstream_failed", error, provider=route.provider.name)
        answer = as_answer(error, own_key=KEY)
        said.append(answer.envelope().decode() + repr(answer) + str(answer.headers) + repr(error))
    return "\n".join([*said, repr(route), repr(call), repr(caller), repr(own), repr(routes)])


def _on_disk(folder: Path) -> bytes:
    """Every byte of every file: the database, its log, the master keys, lists and whatever else."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


async def test_a_planted_key_is_nowhere(openrouter: FakeOpenRouter, tmp_path: Path) -> None:
    environ = {"OPENROUTER_BASE_URL": openrouter.base_url}
    settings = settings_for(tmp_path, environ=environ)
    stream, network, provider = Log(), HttpClient(), for_own_keys(settings)
    with serving(settings) as live:
        log.start(stream)
        box = Box(Keyring(tmp_path / "vault.keys"))
        own = OwnKeys(live.database, box, network, provider)
        await own.set(live.user.user_id, KEY)
        caller = await Directory(live.database).principal(live.key)
        routes = OwnRoutes(Catalog(settings, (), own=provider), Credentials(live.database, box))
        said = [await _said(own, routes, caller, fault, openrouter) for fault in FAULTS]
        async with httpx2.AsyncClient(headers={"authorization": f"Bearer {live.key}"}) as client:
            listed = await client.get(f"{live.api}/models")
            said += [listed.text, (await client.get(f"{live.url}/metrics")).text]
        log.flush()
        on_disk = _on_disk(tmp_path)
    log.stop()
    await network.close()
    assert caller.byok
    assert "google/gemini-2.5-flash" in listed.text
    assert sum(call.headers["authorization"] == f"Bearer {KEY}" for call in openrouter.calls) == 17
    logged = stream.kept.getvalue().decode()
    assert logged.count("upstream_failed") == 15  # once it answered 200, with nonsense
    assert live.user.user_id.encode() in on_disk
    for text in (*said, logged, on_disk.decode("latin-1")):
        assert KEY[:-4] not in text
