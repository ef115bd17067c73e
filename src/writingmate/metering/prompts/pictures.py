"""The size of a picture from the bytes it begins with: PNG, JPEG, GIF and WebP."""

from __future__ import annotations

import struct
from struct import unpack_from

from writingmate.metering.prompts.vision import Size

#: Bytes that are enough of any picture but one with very long notes before it.
HEAD = 262_144

_PNG, _GIF = b"\x89PNG\r\n\x1a\n", (b"GIF87a", b"GIF89a")
_MARK = 0xFF
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # JPEG's markers that say a size
_ALONE = frozenset((0x01, *range(0xD0, 0xDA)))  # markers that nothing follows


def size(head: bytes) -> Size | None:
    """Pixels of the picture that begins so; None if that cannot be read."""
    try:
        found = _read(head)
    except (struct.error, IndexError):
        return None
    return found if found is not None and min(found) > 0 else None


def _read(head: bytes) -> Size | None:
    if head.startswith(_PNG):
        return Size(*unpack_from(">II", head, 16))
    if head.startswith(_GIF):
        return Size(*unpack_from("<HH", head, 6))
    if head.startswith(b"\xff\xd8"):
        return _jpeg(head)
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return _webp(head)
    return None


def _jpeg(head: bytes) -> Size | None:
    at = 2
    while at + 4 <= len(head) and head[at] == _MARK:
        marker = head[at + 1]
        if marker in _FRAMES:
            height, width = unpack_from(">HH", head, at + 5)
            return Size(width, height)
        if marker == _MARK:  # filling
            at += 1
        elif marker in _ALONE:
            at += 2
        else:
            at += 2 + unpack_from(">H", head, at + 2)[0]
    return None


def _webp(head: bytes) -> Size | None:
    form = head[12:16]
    if form == b"VP8X":
        return Size(*(1 + int.from_bytes(head[at : at + 3], "little") for at in (24, 27)))
    if form == b"VP8L":
        bits = unpack_from("<I", head, 21)[0]
        return Size(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    if form == b"VP8 ":
        return Size(*(side & 0x3FFF for side in unpack_from("<HH", head, 26)))
    return None
