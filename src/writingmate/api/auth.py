"""Who calls: from the ``Authorization`` header to a principal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from writingmate.api.connection import Connection
from writingmate.types import Principal

API_KEY: Final = b"x-api-key"
OURS: Final = "wm_"
WORKSPACE: Final = b"x-writingmate-workspace"


class Directory(Protocol):
    """What is asked of `identity.directory.Directory`; a small fake stands in where no database is."""

    async def principal(
        self, key_text: str | None, workspace: str | None = None, *, fresh: bool = False
    ) -> Principal:
        """Who calls; raises Unauthenticated, PermissionDenied or Unavailable."""

    def forget(self, principal: Principal) -> None:
        """What is remembered of the time of ``principal`` is void."""


async def identify(connection: Connection, directory: Directory, *, fresh: bool = False) -> Principal:
    """The principal behind the request's developer key, acting in the workspace it names.

    Args:
        connection: the request.
        directory: knows keys.
        fresh: read the facts again; for answers that no hold will check.

    Raises:
        Unauthenticated: no key, or not one of ours.
        PermissionDenied: not in that workspace.
        Unavailable: nobody can tell now.
    """
    workspace = connection.headers.get(WORKSPACE)
    return await directory.principal(
        shown(connection.headers),
        workspace.decode("latin-1").strip() if workspace else None,
        fresh=fresh,
    )


def shown(headers: Mapping[bytes, bytes]) -> str | None:
    """The key of ``Authorization`` or, as Anthropic's clients send it, of ``x-api-key``.

    A client may have both, one of them for somebody else; then the one that looks like ours counts.

    >>> shown({b"authorization": b"Bearer sk-ant-1", b"x-api-key": b"wm_v2.a.b.c"})
    'wm_v2.a.b.c'
    """
    key = bearer(headers.get(b"authorization"))
    other = headers.get(API_KEY)
    if other is None or (key is not None and key.startswith(OURS)):
        return key
    return other.strip().decode("latin-1") or key


def bearer(header: bytes | None) -> str | None:
    """The key of ``Bearer KEY``, the scheme in any case (RFC 9110 §11.1); None if there is none.

    >>> bearer(b"bearer  wm_v2.a.b.c ")
    'wm_v2.a.b.c'
    """
    if header is None:
        return None
    scheme, _, key = header.partition(b" ")
    if scheme.lower() != b"bearer":
        return None
    return key.strip().decode("latin-1") or None
