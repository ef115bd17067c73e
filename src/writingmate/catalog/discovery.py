"""Asking providers for their lists of models, in the background.

Lists are kept in ``data_dir/catalog/NAME.json`` and read at start, so that starting needs no
provider. A provider that does not answer keeps its last list.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import msgspec

from writingmate.catalog.lists import read_list
from writingmate.catalog.resolve import Catalog
from writingmate.errors import UpstreamError
from writingmate.settings import ModelSection
from writingmate.telemetry import log
from writingmate.types import Provider

EVERY_SECONDS = 600.0
EMPTY_SECONDS = 60.0

# GET ``base_url/models`` as that provider is called, at most a few MB; raises UpstreamError.
Fetch = Callable[[Provider], Awaitable[bytes]]

_Found = dict[str, ModelSection]
_decoder = msgspec.json.Decoder(_Found)


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
        self._folder = folder
        self._fetch = fetch
        self._sleep = sleep
        self._failing: set[str] = set()

    def load(self) -> None:
        """Take the lists that were kept on disk; one that cannot be read is left out."""
        for provider in self._providers:
            try:
                kept = _decoder.decode(self._file(provider).read_bytes())
            except FileNotFoundError:
                continue
            except (OSError, msgspec.DecodeError) as error:
                log.failure("discovery_failed", error, provider=provider.name)
            else:
                self._catalog.discovered(provider.name, kept)

    async def run(self) -> None:
        """Ask every provider, again and again, until cancelled."""
        await asyncio.gather(*(self._keep(provider) for provider in self._providers))

    async def refresh(self) -> None:
        """Ask every provider once; whoever fails keeps its last list."""
        await asyncio.gather(*(self._ask(provider) for provider in self._providers))

    async def _keep(self, provider: Provider) -> None:
        while True:
            await self._ask(provider)
            await self._sleep(EVERY_SECONDS if self._catalog.found(provider.name) else EMPTY_SECONDS)

    async def _ask(self, provider: Provider) -> None:
        try:
            found = read_list(await self._fetch(provider))
        except (UpstreamError, OSError, msgspec.DecodeError, RecursionError) as error:
            self._failed(provider, error)
            return
        self._failing.discard(provider.name)
        if self._catalog.discovered(provider.name, found):
            log.event("models_discovered", provider=provider.name, models=len(found))
            await self._keep_on_disk(provider, found)

    async def _keep_on_disk(self, provider: Provider, found: _Found) -> None:
        try:
            await asyncio.to_thread(_replace, self._file(provider), msgspec.json.encode(found))
        except OSError as error:
            self._failed(provider, error)

    def _failed(self, provider: Provider, error: Exception) -> None:
        """One line when a provider stops answering, not one a minute."""
        if provider.name not in self._failing:
            self._failing.add(provider.name)
            log.failure("discovery_failed", error, provider=provider.name)

    def _file(self, provider: Provider) -> Path:
        return self._folder / f"{provider.name}.json"


def _replace(file: Path, content: bytes) -> None:
    """Write a file whole or not at all: several processes keep the same list."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as output:
            output.write(content)
        Path(temporary).replace(file)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
