"""A provider's recorded stream, cut, through the whole gateway: what the client gets and what is charged."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from sqlalchemy import select

from tests.dialects import hearing
from tests.dialects.recordings import Recording, frames, recordings
from tests.fakes.openai_upstream import FakeOpenAI, Fault
from tests.live import Live, check_books, serving, settings_for
from writingmate.metering import tokens
from writingmate.operations.orders import ENDPOINTS
from writingmate.settings import ProviderSection
from writingmate.storage import tables
from writingmate.types import DialectName, Usage
from writingmate.wire import sse

EVENTS = "text/event-stream; charset=utf-8"
PATHS = {
    "chat": "/api/openai/v1/chat/completions",
    "completions": "/api/openai/v1/completions",
    "responses": "/api/openai/v1/responses",
    "messages": "/api/anthropic/v1/messages",
}


def longest_of_each_codec() -> list[Recording]:
    """One stream of every pair of dialects: the one with the most to be cut."""
    found: dict[str, Recording] = {}
    for case in recordings():
        if case.streaming and len(case.replies) == 1 and "broken" not in case.facts:
            best = found.get(case.codec)
            if best is None or len(case.replies[0]) > len(best.replies[0]):
                found[case.codec] = case
    return list(found.values())


CASES = longest_of_each_codec()


def provider(case: Recording) -> str:
    """Called like what it speaks."""
    return "-".join(case.facts["spoken"])


def serving_all(folder: Path, base_url: str) -> Any:
    """A gateway with a provider for each of the cases."""
    sections = {}
    for name, cases in itertools.groupby(sorted(CASES, key=provider), key=provider):
        listed = list(cases)
        spoken: tuple[DialectName, ...] = tuple(listed[0].facts["spoken"])
        served = {case.facts["model"] for case in listed}
        sections[name] = ProviderSection(
            base_url=base_url, api_key="k" * 20, dialects=spoken, models=tuple(sorted(served))
        )
    return serving(settings_for(folder, providers=sections))


def places(reply: bytes) -> Iterator[int]:
    """Bytes after the first event: within the second and a middle one, after that, and within the last."""
    events = frames(reply)
    ends = list(itertools.accumulate(len(event) for event in events))
    first = next(at for at, event in enumerate(events) if not sse.is_comment(event))
    middle = max(first + 1, len(ends) // 2)
    yield (ends[first] + ends[first + 1]) // 2
    yield (ends[middle - 1] + ends[middle]) // 2
    yield ends[middle]
    yield ends[-1] - len(events[-1]) // 2
    yield ends[-1]


def fault(reply: bytes, length: int, stop: str) -> Fault:
    """The first bytes of a reply, which end as if they were all, or by a connection that closes too soon."""
    if stop == "framed":
        return Fault(body=reply[:length], content_type=EVENTS, framing="chunked")
    promised = {"content-length": str(len(reply) + 1)}
    return Fault(body=reply[:length], content_type=EVENTS, framing="close", headers=promised)


@pytest.mark.parametrize("stop", ["framed", "lost"])
async def test_a_stream_that_is_cut_is_charged_for_what_came(tmp_path: Path, stop: str) -> None:
    async with FakeOpenAI() as fake:
        with serving_all(tmp_path, fake.base_url) as live:
            headers = {"authorization": f"Bearer {live.key}"}
            async with httpx2.AsyncClient(base_url=live.url, headers=headers, timeout=20) as api:
                for case in CASES:
                    for length in places(case.replies[0]):
                        fake.recover()
                        fake.script(fault(case.replies[0], length, stop))
                        heard = await asked(api, case)
                        judged(live, case, heard, f"{case.codec} cut at {length}")
            check_books(live)


async def asked(api: httpx2.AsyncClient, case: Recording) -> hearing.Heard:
    body = msgspec.json.decode((case.folder / "client.json").read_bytes())
    body["model"] = f"{provider(case)}/{case.facts['model']}"
    answer = await api.post(PATHS[case.facts["dialect"]], json=body)
    assert answer.status_code == 200, answer.text
    return hearing.streamed(case.facts["dialect"], answer.content)


def judged(live: Live, case: Recording, heard: hearing.Heard, at: str) -> None:
    """The last entry of the ledger says what the client was told, and what the provider said if it did."""
    with live.database.reading() as connection:
        newest = select(tables.entries).order_by(tables.entries.c.started_at.desc()).limit(1)
        entry = connection.execute(newest).one()
    flags, reported = set(entry.flags.split()), Usage(*case.facts["usage"])
    assert heard.ended, at
    assert entry.endpoint == ENDPOINTS[case.facts["dialect"]]
    assert ("broken" in flags) == (heard.error is not None), at
    if "estimated" in flags:
        # Of a completion the prompt may be echoed, which the model did not write.
        written = heard.words().removeprefix(case.begin().prompt_text())
        assert entry.completion_tokens >= tokens.count(written), at
        assert entry.prompt_tokens > 0
    else:
        charged = Usage(entry.prompt_tokens, entry.completion_tokens, entry.cached_tokens)
        assert charged == Usage(*case.facts["usage"][:3]), at
    assert entry.messages >= 1
    if heard.complete and reported.completion_tokens:
        assert flags <= {"estimated"}, at
