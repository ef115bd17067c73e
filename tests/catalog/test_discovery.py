from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.catalog.rows import catalog, provider
from writingmate.catalog.asking import Answer
from writingmate.catalog.discovery import EMPTY_SECONDS, EVERY_SECONDS, Discovery
from writingmate.catalog.resolve import Catalog
from writingmate.errors import UpstreamRefused, UpstreamTimeout, UpstreamUnreachable
from writingmate.telemetry import log
from writingmate.types import Provider

LAB = provider("lab", discovers=True)


def listing(*names: str) -> bytes:
    return json.dumps(
        {"object": "list", "data": [{"id": name, "max_model_len": 9} for name in names]}
    ).encode()


class Lab:
    """A provider's list, as a fetch: what it answers can be changed, and who asked is kept."""

    def __init__(self, answer: bytes | Exception) -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def __call__(self, asked: Provider, _etag: str | None) -> Answer:
        self.asked.append(asked.name)
        if isinstance(self.answer, Exception):
            raise self.answer
        return Answer(self.answer)


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []
    monkeypatch.setattr(log, "event", lambda name, **_: seen.append(name))
    monkeypatch.setattr(
        log, "failure", lambda name, error, **_: seen.append(f"{name} {type(error).__name__}")
    )
    return seen


def slugs(served: Catalog) -> list[str]:
    return [model.slug for model in served.models()]


async def test_a_list_is_taken_and_kept_for_the_next_start(tmp_path: Path, events: list[str]) -> None:
    served = catalog(LAB)
    await Discovery(served, [LAB], tmp_path / "catalog", Lab(listing("a", "b"))).refresh()
    assert slugs(served) == ["lab/a", "lab/b"]
    assert events == ["models_discovered"]

    again = catalog(LAB)
    later = Discovery(again, [LAB], tmp_path / "catalog", Lab(UpstreamUnreachable("down")))
    later.load()
    assert slugs(again) == ["lab/a", "lab/b"]
    model = again.get("lab/a")
    assert model is not None
    assert model.context_length == 9


async def test_only_providers_that_discover_are_asked(tmp_path: Path) -> None:
    lab, quiet = Lab(listing("a")), provider("openai")
    await Discovery(catalog(LAB, quiet), [LAB, quiet], tmp_path, lab).refresh()
    assert lab.asked == ["lab"]


@pytest.mark.parametrize(
    "failure",
    [
        UpstreamUnreachable("down"),
        UpstreamTimeout("slow"),
        UpstreamRefused(401, {}, b"no"),
        ConnectionResetError(),
        b"<html>not found</html>",
        b'{"data": 3}',
        b"[" * 100_000,
    ],
)
async def test_a_failure_keeps_the_old_list(
    tmp_path: Path, events: list[str], failure: bytes | Exception
) -> None:
    served, lab = catalog(LAB), Lab(listing("a"))
    discovery = Discovery(served, [LAB], tmp_path, lab)
    await discovery.refresh()
    lab.answer = failure
    await discovery.refresh()
    await discovery.refresh()
    assert slugs(served) == ["lab/a"]
    assert len(events) == 2, "one line when it begins to fail, not one each time"
    assert events[1].startswith("discovery_failed ")
    lab.answer = listing("b")
    await discovery.refresh()
    lab.answer = failure
    await discovery.refresh()
    assert slugs(served) == ["lab/b"]
    assert len(events) == 4


async def test_one_that_fails_does_not_stop_another(tmp_path: Path) -> None:
    other = provider("ollama", key=None, discovers=True)

    async def fetch(asked: Provider, _etag: str | None) -> Answer:
        if asked.name == "lab":
            raise UpstreamTimeout("slow")
        return Answer(listing("x"))

    served = catalog(LAB, other)
    await Discovery(served, [LAB, other], tmp_path, fetch).refresh()
    assert slugs(served) == ["ollama/x"]


async def test_models_that_went_are_gone(tmp_path: Path) -> None:
    served, lab = catalog(LAB), Lab(listing("a", "b"))
    discovery = Discovery(served, [LAB], tmp_path, lab)
    await discovery.refresh()
    lab.answer = listing()
    await discovery.refresh()
    assert slugs(served) == []


async def test_an_unchanged_list_is_not_written_again(tmp_path: Path, events: list[str]) -> None:
    discovery = Discovery(catalog(LAB), [LAB], tmp_path, Lab(listing("a")))
    await discovery.refresh()
    kept = tmp_path / "lab.json"
    written = kept.stat().st_ino
    await discovery.refresh()
    assert kept.stat().st_ino == written
    assert events == ["models_discovered"]


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 3}', b"[]", b"\xff\xfe"])
def test_a_spoilt_file_is_left_out(tmp_path: Path, events: list[str], content: bytes) -> None:
    (tmp_path / "lab.json").write_bytes(content)
    served = catalog(LAB)
    Discovery(served, [LAB], tmp_path, Lab(b"")).load()
    assert slugs(served) == []
    assert events[0].startswith("discovery_failed ")


def test_no_file_is_no_failure(tmp_path: Path, events: list[str]) -> None:
    Discovery(catalog(LAB), [LAB], tmp_path / "none", Lab(b"")).load()
    assert events == []


async def test_a_disk_that_refuses_costs_only_the_copy(tmp_path: Path, events: list[str]) -> None:
    (tmp_path / "catalog").write_text("a file where the folder should be")
    served = catalog(LAB)
    await Discovery(served, [LAB], tmp_path / "catalog", Lab(listing("a"))).refresh()
    assert slugs(served) == ["lab/a"]
    assert events == ["models_discovered", "discovery_failed FileExistsError"]


def pauses(after: int, taken: list[float]) -> Callable[[float], Awaitable[None]]:
    """A sleep that takes no time, and ends the loop after so many."""

    async def sleep(seconds: float) -> None:
        taken.append(seconds)
        if len(taken) == after:
            raise asyncio.CancelledError

    return sleep


async def test_it_asks_every_minute_while_it_has_nothing_and_then_every_ten(tmp_path: Path) -> None:
    taken: list[float] = []
    lab = Lab(UpstreamUnreachable("down"))

    async def fetch(asked: Provider, etag: str | None) -> Answer:
        if len(taken) == 2:
            lab.answer = listing("a")
        return await lab(asked, etag)

    discovery = Discovery(catalog(LAB), [LAB], tmp_path, fetch, sleep=pauses(4, taken))
    with pytest.raises(asyncio.CancelledError):
        await discovery.run()
    assert taken == [EMPTY_SECONDS, EMPTY_SECONDS, EVERY_SECONDS, EVERY_SECONDS]


async def test_with_nobody_to_ask_it_ends(tmp_path: Path) -> None:
    await Discovery(catalog(), [provider("openai")], tmp_path, Lab(b"")).run()


async def test_a_copy_that_could_not_be_finished_leaves_nothing_behind(
    tmp_path: Path, events: list[str]
) -> None:
    (tmp_path / "lab.json" / "in the way").mkdir(parents=True)
    await Discovery(catalog(LAB), [LAB], tmp_path, Lab(listing("a"))).refresh()
    assert events[1].startswith("discovery_failed ")
    left = await asyncio.to_thread(lambda: [file.name for file in tmp_path.iterdir()])
    assert left == ["lab.json"]
