"""What a PDF can cost: its pages, and the characters that its pages draw.

A PDF is compressed, so its length bounds nothing; but its pages and its strings can be counted
without laying anything out. One that hides them (encrypted, or packed in ways not read here) has no
count, and its reader must take it for the largest.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

#: Bytes that are unpacked at most, of all that a file has packed.
UNPACKED: Final = 16_777_216

_SLICE = 262_144  # bytes looked at in one go: a regular expression lets no other thread run
_STREAM = re.compile(rb"(?<!end)stream\r?\n")
_FILTER = re.compile(rb"/(\w+Decode)\b")
_PAGE = re.compile(rb"/Type\s*/Page(?![A-Za-z])")
_HEX = re.compile(rb"<[0-9A-Fa-f\s]+>")
_DICTIONARY = 2_048  # bytes before a stream in which it is described
#: Streams that draw no text: pictures, fonts, tables of contents, colours, notes.
_SILENT = re.compile(
    rb"/Subtype\s*/(?:Image|Type1C|CIDFontType0C|OpenType|XML)"
    rb"|/Type\s*/(?:XRef|Metadata|EmbeddedFile)|/Length1\b|/Alternate\b"
)


class Paper(NamedTuple):
    """``text`` is in bytes: a token is at least one of them."""

    pages: int
    text: int


def paper(data: bytes) -> Paper | None:
    """What a PDF holds, None if that cannot be read."""
    if b"/Encrypt" in data:
        return None
    pages, text = len(_PAGE.findall(data)), 0
    try:
        for described, content in _streams(data):
            if b"/ObjStm" in described:
                pages += len(_PAGE.findall(content))
            elif b"begincmap" not in content:
                text += _drawn(content)
    except (zlib.error, ValueError):
        return None
    return Paper(pages, text) if pages else None


def _streams(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """What may hold pages or text, with how it is described. Raises ValueError if it is packed otherwise."""
    room, end = UNPACKED, 0
    while (start := _STREAM.search(data, end)) is not None:
        end = data.find(b"endstream", start.end())
        if end < 0:
            raise ValueError(start)
        described = data[max(0, start.start() - _DICTIONARY) : start.start()].rpartition(b" obj")[2]
        if _SILENT.search(described):
            continue
        content = data[start.end() : end]
        if filters := _FILTER.findall(described):
            content = _unpacked(filters, content, room)
        room -= len(content)
        yield described, content


def _unpacked(filters: list[bytes], content: bytes, room: int) -> bytes:
    if filters != [b"FlateDecode"] or room <= 0:
        raise ValueError(filters)
    unpacking = zlib.decompressobj()
    out = unpacking.decompress(content, room)
    if unpacking.unconsumed_tail:
        raise ValueError(room)
    return out


def _drawn(content: bytes) -> int:
    slices = (content[at : at + _SLICE] for at in range(0, len(content), _SLICE))
    return sum(_literal(each) + sum(map(len, _HEX.findall(each))) // 2 for each in slices)


def _literal(content: bytes) -> int:
    """Bytes in round brackets, which strings may hold too: from one to the last closing before the next."""
    opened = (each.rpartition(b")") for each in content.split(b"(")[1:])
    return sum(len(string) if closed else len(rest) for string, closed, rest in opened)
