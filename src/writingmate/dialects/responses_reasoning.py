"""What only those can read that made it, on its way through a conversation (WIRE §8 "reasoning items").

A provider's signatures, its encrypted reasoning and the steps of its own tools mean nothing to any other.
They travel as the ``encrypted_content`` of a reasoning item: `PREFIX`, and the base64 of the JSON of who
made it and what it is. Of whoever else it is left out.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, Final

import msgspec

from writingmate.wire import document

PREFIX: Final = "wm1."
ENCRYPTED: Final = "reasoning.encrypted_content"
"""What ``include`` asks for it with."""

_MARK = f'"{PREFIX}'.encode()
_GROWS = {"reasoning.text": "text", "reasoning.summary": "summary"}
_NOTHING = msgspec.Raw(b"[]")
_HELD = msgspec.json.Decoder(tuple[str, msgspec.Raw])


def wrapped(origin: str, held: object) -> str:
    """``held``, any JSON value, for ``origin`` alone: the name of a dialect, or of a provider too."""
    return PREFIX + urlsafe_b64encode(msgspec.json.encode((origin, held))).decode()


def joined(proofs: list[dict[str, Any]], more: list[dict[str, Any]]) -> None:
    """Add ``more`` of chat's ``reasoning_details``; a stream says each of them in pieces."""
    for entry in more:
        last = proofs[-1] if proofs else {}
        grows = _GROWS.get(str(entry.get("type")))
        if grows is None or any(last.get(name) != entry.get(name) for name in ("type", "index", "id")):
            proofs.append(dict(entry))
            continue
        said = [each for each in (last.get(grows), entry.get(grows)) if isinstance(each, str)]
        last |= {name: value for name, value in entry.items() if value is not None}
        if said:
            last[grows] = "".join(said)


def opened(text: object, origin: str | None) -> msgspec.Raw | None:
    """What was wrapped for ``origin``, or for anyone if that is None; None for anything else."""
    if not ours(text):
        return None
    try:
        maker, held = _HELD.decode(urlsafe_b64decode(str(text)[len(PREFIX) :]))
    except (msgspec.DecodeError, binascii.Error, ValueError, RecursionError):
        return None
    return held if origin is None or maker == origin else None


def details(text: object, origin: str | None) -> list[dict[str, Any]]:
    """The ``reasoning_details`` of chat that were wrapped; none if it is anything else."""
    held = opened(text, origin)
    try:
        found = [] if held is None else msgspec.json.decode(held)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return []
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def ours(text: object) -> bool:
    """Whether it was wrapped here, by its looks."""
    return isinstance(text, str) and text.startswith(PREFIX)


def shown(body: bytes, *, included: bool) -> bytes:
    """A response as it is kept, for a client: what is wrapped only where it is ``included``.

    An item of which there is nothing else to see is left out without it.
    """
    if included or body.find(_MARK) < 0:
        return body
    response = msgspec.json.decode(body, type=document.Document)
    items = [plain(item) for item in document.elements(response["output"])]
    response["output"] = document.raw([item for item in items if item is not None])
    return document.encode(response)


def plain(item: msgspec.Raw) -> msgspec.Raw | None:
    """An item without what is wrapped; None if nothing is left to see of it."""
    if bytes(item).find(_MARK) < 0:
        return item
    members = document.members(item)
    held = members.get("encrypted_content")
    if held is None or not ours(document.value(held)):
        return item
    del members["encrypted_content"]
    return document.raw(members) if document.value(members.get("summary", _NOTHING)) else None
