"""The list of a provider that gathers many vendors' models: kept, shared, never replaced by worse."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.catalog.rows import catalog, provider
from tests.catalog.test_discovery import events, pauses, slugs
from tests.fakes.openrouter import listing
from writingmate.catalog import discovery as discoveries
from writingmate.catalog.asking import Answer
from writingmate.catalog.discovery import (
    BUSY_SECONDS,
    EVERY_SECONDS,
    NEW_SECONDS,
    Discovery,
)
from writingmate.catalog.resolve import Catalog
from writingmate.catalog.shelf import Shelf
from writingmate.errors import UpstreamUnreachable
from writingmate.types import Provider

__all__ = ["events"]

ROUTER = replace(provider("openrouter"), gathers=True, discovers=True)


def listed(*names: str, **more: Any) -> bytes:
    return json.dumps({"data": [listing(name) for name in names], **more}).encode()


class Router:
    """A provider's list, with its ETag; what was asked with which is kept."""

    def __init__(self, body: bytes, etag: str | None = None) -> None:
        self.body = body
        self.etag = etag
        self.asked: list[str | None] = []

    async def __call__(self, _: Provider, etag: str | None) -> Answer | None:
        self.asked.append(etag)
        if not self.body:
            raise UpstreamUnreachable("down")
        return None if etag is not None and etag == self.etag else Answer(self.body, self.etag)


def process(folder: Path, router: Router) -> tuple[Catalog, Discovery]:
    served = catalog(ROUTER)
    known = set(slugs(served))
    assert "x/a" not in known
    found = Discovery(served, [ROUTER], folder, router)
    found.load()
    return served, found


def found(served: Catalog) -> list[str]:
    return [slug for slug in slugs(served) if slug.startswith("x/")]


def aged(folder: Path, seconds: float) -> None:
    kept = folder / "openrouter.json"
    then = kept.stat().st_mtime - seconds
    os.utime(kept, (then, then))


async def test_a_list_that_is_new_is_not_asked_for_again_at_a_restart(tmp_path: Path) -> None:
    router = Router(listed("x/a"))
    await process(tmp_path, router)[1].refresh()
    served, again = process(tmp_path, router)
    assert found(served) == ["x/a"], "at once, before anybody is asked"
    await again.refresh()
    assert len(router.asked) == 1
    aged(tmp_path, NEW_SECONDS + 1)
    router.body = listed("x/b")
    assert found(served) == ["x/a"], "the old one serves until there is another"
    await again.refresh()
    assert found(served) == ["x/b"]


async def test_processes_share_what_one_of_them_asked_for(tmp_path: Path) -> None:
    router = Router(listed("x/a"), '"1"')
    (one, asks), (two, listens) = process(tmp_path, router), process(tmp_path, router)
    await asks.refresh()
    await listens.refresh()
    assert (found(one), found(two)) == (["x/a"], ["x/a"])
    aged(tmp_path, NEW_SECONDS + 1)
    router.body, router.etag = listed("x/a", "x/b"), '"2"'
    await listens.refresh()
    await asks.refresh()
    assert (found(one), found(two)) == (["x/a", "x/b"], ["x/a", "x/b"])
    assert router.asked == [None, '"1"']


async def test_a_list_that_has_not_changed_is_confirmed(tmp_path: Path, events: list[str]) -> None:
    router = Router(listed("x/a"), 'W/"1"')
    served, asks = process(tmp_path, router)
    await asks.refresh()
    aged(tmp_path, NEW_SECONDS + 1)
    inode = (tmp_path / "openrouter.json").stat().st_ino
    await asks.refresh()
    await asks.refresh()
    assert router.asked == [None, 'W/"1"'], "confirmed, it is new again"
    assert (tmp_path / "openrouter.json").stat().st_ino == inode
    assert found(served) == ["x/a"]
    assert events == ["models_discovered"]
    _, later = process(tmp_path, router)
    aged(tmp_path, NEW_SECONDS + 1)
    await later.refresh()
    assert router.asked[-1] == 'W/"1"', "a restart knows the mark"


async def test_the_same_list_without_a_mark_is_confirmed_too(tmp_path: Path) -> None:
    router = Router(listed("x/a"))
    _, asks = process(tmp_path, router)
    await asks.refresh()
    aged(tmp_path, NEW_SECONDS + 1)
    await asks.refresh()
    await asks.refresh()
    assert router.asked == [None, None]


@pytest.mark.parametrize("etag", ["", '"' + "x" * 300 + '"'])
async def test_a_mark_that_is_none_is_not_sent(tmp_path: Path, etag: str) -> None:
    router = Router(listed("x/a"), etag)
    _, asks = process(tmp_path, router)
    await asks.refresh()
    aged(tmp_path, NEW_SECONDS + 1)
    await asks.refresh()
    assert router.asked == [None, None]


@pytest.mark.parametrize(
    "worse",
    [
        b"",
        b"<html>",
        b'{"data": []}',
        b'{"data": [3, {"id": "no slug"}]}',
        listed("x/b", total_count=464),
        listed("x/b", links={"next": "/api/v1/models?offset=500"}),
        listed("x/b")[:-20],
        b'{"error": {"code": 500, "message": "no"}}',
    ],
    ids=["down", "html", "empty", "nonsense", "short", "page", "cut", "error"],
)
async def test_a_bad_list_never_replaces_a_good_one(tmp_path: Path, events: list[str], worse: bytes) -> None:
    router = Router(listed("x/a"), '"1"')
    served, asks = process(tmp_path, router)
    await asks.refresh()
    aged(tmp_path, NEW_SECONDS + 1)
    router.body, router.etag = worse, '"2"'
    await asks.refresh()
    assert found(served) == ["x/a"]
    assert found(process(tmp_path, router)[0]) == ["x/a"]
    assert len([name for name in events if name.startswith("discovery_failed")]) == 1
    router.body = listed("x/b")
    await asks.refresh()
    assert router.asked[-1] == '"1"', "the mark of the list that is kept"
    assert found(served) == ["x/b"]


async def test_a_list_has_a_largest_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = listed("x/a")
    monkeypatch.setattr(discoveries, "MOST_BYTES", len(body) - 1)
    served, asks = process(tmp_path, Router(body))
    await asks.refresh()
    assert found(served) == []


async def test_while_one_process_asks_the_others_wait(tmp_path: Path) -> None:
    taken: list[float] = []
    router = Router(listed("x/a"))
    elsewhere = Shelf(tmp_path)
    turn = elsewhere.take_turn("openrouter")
    assert turn is not None
    assert elsewhere.take_turn("openrouter") is None
    served = catalog(ROUTER)
    pause = pauses(2, taken)

    async def sleep(seconds: float) -> None:
        if not taken:
            assert not router.asked
            os.close(turn)
        await pause(seconds)

    with pytest.raises(asyncio.CancelledError):
        await Discovery(served, [ROUTER], tmp_path, router, sleep=sleep).run()
    assert taken == [BUSY_SECONDS, EVERY_SECONDS]
    assert found(served) == ["x/a"]


async def test_where_nothing_can_be_kept_each_process_asks(tmp_path: Path, events: list[str]) -> None:
    (tmp_path / "catalog").write_text("a file where the folder should be")
    router = Router(listed("x/a"))
    for _ in range(2):
        served, asks = process(tmp_path / "catalog", router)
        await asks.refresh()
        assert found(served) == ["x/a"]
    assert router.asked == [None, None]
    assert "discovery_failed FileExistsError" in events


async def test_a_clock_that_went_back_makes_nothing_new_for_ever(tmp_path: Path) -> None:
    router = Router(listed("x/a"))
    _, asks = process(tmp_path, router)
    await asks.refresh()
    aged(tmp_path, -10_000)
    await asks.refresh()
    assert len(router.asked) == 2


async def test_a_spoilt_copy_is_asked_for_anew(tmp_path: Path, events: list[str]) -> None:
    (tmp_path / "openrouter.json").write_bytes(b"{")
    router = Router(listed("x/a"))
    served, asks = process(tmp_path, router)
    await asks.refresh()
    assert found(served) == ["x/a"]
    assert router.asked == [None]
    assert events[0].startswith("discovery_failed ")


async def test_a_copy_that_was_taken_away_is_written_again(tmp_path: Path) -> None:
    for etag in (None, '"1"'):
        router = Router(listed("x/a"), etag)
        _, asks = process(tmp_path, router)
        for _ in range(2):
            (tmp_path / "openrouter.json").unlink(missing_ok=True)
            await asks.refresh()
        assert router.asked == [None, etag]
        assert found(process(tmp_path, router)[0]) == ["x/a"]


async def test_a_list_from_another_address_will_do_until_there_is_one_from_here(tmp_path: Path) -> None:
    await process(tmp_path, Router(listed("x/a"), '"1"'))[1].refresh()
    moved = replace(ROUTER, base_url="http://elsewhere/v1")
    served, router = catalog(moved), Router(b"")
    asks = Discovery(served, [moved], tmp_path, router)
    asks.load()
    assert found(served) == ["x/a"]
    await asks.refresh()
    assert found(served) == ["x/a"]
    router.body, router.etag = listed("x/b"), '"1"'
    await asks.refresh()
    assert router.asked == [None, None], "its age and its mark are another's"
    assert found(served) == ["x/b"]
    await asks.refresh()
    assert len(router.asked) == 2
