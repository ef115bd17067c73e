"""Asking one provider for its list of models."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from writingmate.errors import UpstreamRefused
from writingmate.types import Provider
from writingmate.upstream.base import Call, Timeouts, Upstream

_TIMEOUTS = Timeouts(connect=5.0, first=20.0, idle=20.0)
_NOT_MODIFIED = 304


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's answer to a ``GET`` of its list."""

    body: bytes
    etag: str | None = None


# Asks a provider, as it is called; None if its list is still the one of that ETag. Raises UpstreamError.
Fetch = Callable[[Provider, str | None], Awaitable[Answer | None]]


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks over the network; `fetch` is a `Fetch`."""

    network: Upstream

    async def fetch(self, provider: Provider, etag: str | None) -> Answer | None:
        """The list, None if it is still the one of that ETag. Raises UpstreamError."""
        headers = provider.authorized() | ({} if etag is None else {"if-none-match": etag})
        url = f"{provider.base_url}{provider.list_path}"
        call = Call(url, headers, b"", streaming=False, timeouts=_TIMEOUTS, method="GET")
        try:
            async with self.network.open(call) as reply:
                return Answer(await reply.body(), reply.headers.get("etag"))
        except UpstreamRefused as refused:
            if etag is not None and refused.status == _NOT_MODIFIED:
                return None
            raise
