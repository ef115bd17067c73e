"""Asking providers for their lists of models, in the background.

Lists are kept on a `Shelf` and read at start, so that starting needs no provider. A provider that does not
answer, or answers with what is no list, keeps its last one. Of one that ``gathers`` many vendors' models
the list is long and changes seldom: the processes of a machine ask in turn and share it, and while it is new
a restart does not ask again.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from writingmate.catalog.asking import Fetch
from writingmate.catalog.listed import Listed
from writingmate.catalog.lists import read_list
from writingmate.catalog.resolve import Catalog
from writingmate.catalog.shelf import Kept, Shelf, Stamp
from writingmate.errors import UpstreamError
from writingmate.telemetry import log
from writingmate.types import Provider

EVERY_SECONDS = 600.0
EMPTY_SECONDS = 60.0
BUSY_SECONDS = 5.0
NEW_SECONDS = EVERY_SECONDS - EMPTY_SECONDS
MOST_BYTES = 16 << 20
_LONGEST_ETAG = 256


class Discovery:
    """Keeps the catalog's lists of the providers that discover."""

    def __init__(
        self,
        catalog: Catalog,
        providers: Iterable[Provider],
        folder: Path,
        fetch: Fetch,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._catalog = catalog
        self._providers = [provider for provider in providers if provider.discovers]
        self._shelf = Shelf(folder)
        self._fetch = fetch
        self._sleep = sleep
        self._taking = asyncio.Lock()  # the catalog takes one list at a time
        self._failing: set[str] = set()
        self._etags: dict[str, str | None] = {}
        self._stamps: dict[str, Stamp] = {}

    def load(self) -> None:
        """Take the lists that were kept on disk; one that cannot be read is left out."""
        for provider in self._providers:
            if there := self._on_disk(provider):
                self._note(provider, *there)
                self._catalog.discovered(provider.name, there[0].models)

    async def run(self) -> None:
        """Ask every provider, again and again, until cancelled."""
        await asyncio.gather(*(self._keep(provider) for provider in self._providers))

    async def refresh(self) -> None:
        """Ask every provider once; whoever fails keeps its last list."""
        await asyncio.gather(*(self._ask(provider) for provider in self._providers))

    async def _keep(self, provider: Provider) -> None:
        while True:
            asked = await self._ask(provider)
            seconds = EVERY_SECONDS if self._catalog.found(provider.name) else EMPTY_SECONDS
            await self._sleep(seconds if asked else BUSY_SECONDS)

    async def _ask(self, provider: Provider) -> bool:
        """False if another process is asking: what it learns is there soon."""
        if not provider.gathers:
            await self._fetched(provider)
            return True
        async with self._turn(provider) as ours:
            if ours and not await self._shared(provider):
                await self._fetched(provider)
            return ours

    @asynccontextmanager
    async def _turn(self, provider: Provider) -> AsyncIterator[bool]:
        """Whether it is this process's; where nothing can be kept, everybody asks for themselves."""
        try:
            descriptor = await asyncio.to_thread(self._shelf.take_turn, provider.name)
        except OSError:
            yield True
            return
        try:
            yield descriptor is not None
        finally:
            if descriptor is not None:
                os.close(descriptor)

    async def _shared(self, provider: Provider) -> bool:
        """Whether the list on disk is new enough; another process may have put it there."""
        seen = self._shelf.seen(provider.name)
        if seen is None or not 0 <= seen[1] < NEW_SECONDS:
            return False
        if seen[0] == self._stamps.get(provider.name):
            return True
        there = await asyncio.to_thread(self._on_disk, provider)
        if there is None or not self._note(provider, *there):
            return False
        await self._taken(provider, there[0].models)
        return True

    def _on_disk(self, provider: Provider) -> tuple[Kept, Stamp] | None:
        """The list that is there, if it can be read."""
        seen = self._shelf.seen(provider.name)
        if seen is None:
            return None
        try:
            return self._shelf.read(provider.name), seen[0]
        except (OSError, msgspec.DecodeError) as error:
            log.failure("discovery_failed", error, provider=provider.name)
            return None

    def _note(self, provider: Provider, kept: Kept, stamp: Stamp) -> bool:
        """False if the provider was elsewhere then: such a list will do until there is another."""
        if kept.source != provider.base_url:
            return False
        self._etags[provider.name] = kept.etag
        self._stamps[provider.name] = stamp
        return True

    async def _taken(self, provider: Provider, models: dict[str, Listed]) -> bool:
        """Whether the catalog has something new. Off the event loop: hundreds of models take a while."""
        async with self._taking:
            return await asyncio.to_thread(self._catalog.discovered, provider.name, models)

    async def _fetched(self, provider: Provider) -> None:
        had = self._etags.get(provider.name)
        try:
            answer = await self._fetch(provider, had)
            found = None if answer is None else await asyncio.to_thread(_read, answer.body, provider)
        except (UpstreamError, OSError, msgspec.DecodeError, RecursionError) as error:
            self._failed(provider, error)
            return
        self._failing.discard(provider.name)
        etag = had if answer is None else _mark(answer.etag)
        self._etags[provider.name] = etag
        changed = found is not None and await self._taken(provider, found)
        if changed:
            log.event("models_discovered", provider=provider.name, models=len(found or ()))
        if changed or provider.gathers:
            await self._keep_on_disk(provider, same=not changed and etag == had)

    async def _keep_on_disk(self, provider: Provider, *, same: bool) -> None:
        """Write the list that the catalog has; of the ``same`` one say that it still holds."""
        name = provider.name
        try:
            if not (same and name in self._stamps and await asyncio.to_thread(self._shelf.confirm, name)):
                kept = Kept(dict(self._catalog.found(name)), provider.base_url, self._etags[name])
                await asyncio.to_thread(self._shelf.write, name, kept)
        except OSError as error:
            self._failed(provider, error)
        if seen := self._shelf.seen(name):
            self._stamps[name] = seen[0]

    def _failed(self, provider: Provider, error: Exception) -> None:
        """One line when a provider stops answering, not one a minute."""
        if provider.name not in self._failing:
            self._failing.add(provider.name)
            log.failure("discovery_failed", error, provider=provider.name)


def _read(body: bytes, provider: Provider) -> dict[str, Listed]:
    """The list, which must be one. Raises msgspec.DecodeError."""
    if len(body) > MOST_BYTES:
        raise msgspec.ValidationError(f"the list of models is longer than {MOST_BYTES >> 20} MiB")
    found = read_list(body)
    if not found and provider.gathers:
        raise msgspec.ValidationError("the list of models is empty")
    return found


def _mark(etag: str | None) -> str | None:
    return etag if etag and len(etag) <= _LONGEST_ETAG else None
