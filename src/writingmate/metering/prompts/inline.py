"""What an attachment that came with its request costs: from the bytes of its data."""

from __future__ import annotations

import binascii
from typing import Final, NamedTuple

from writingmate.dialects.attachments import WINDOW
from writingmate.metering.prompts import pictures, sound
from writingmate.metering.prompts.families import Family
from writingmate.metering.prompts.papers import paper
from writingmate.metering.prompts.vision import Size

_LONGEST_TYPE = 256  # bytes of a data URL before its data
_WHOLE = 30  # seconds
_PDF: Final = b"%PDF-"


class Data(NamedTuple):
    """Data as it came: ``kind`` is a media type in lower case, "" if none was given."""

    kind: str
    encoded: bytes

    @property
    def length(self) -> int:
        """Bytes when decoded, a few too many at worst."""
        return len(self.encoded) * 3 // 4 + 3

    def head(self, most: int) -> bytes:
        """The first bytes, decoded; nothing if they cannot be."""
        return _decoded(self.encoded[: -(-most // 3) * 4])

    def whole(self) -> bytes:
        """All of it."""
        return _decoded(self.encoded)


def data(written: bytes) -> Data | None:
    """What a string holds: a data URL or bare base64. None if it only says where the data is."""
    head = written[:_LONGEST_TYPE]
    if head[:5].lower() == b"data:":
        kind, comma, _ = head[5:].partition(b",")
        if not comma or b";base64" not in kind.lower():
            return None
        start = 5 + len(kind) + 1
        media = kind.partition(b";")[0].lower()
        return Data(media.decode("ascii", "replace"), written[start:])
    return None if b":" in head or not written else Data("", written)


def picture(written: bytes, detail: str, family: Family) -> int:
    """Tokens of a picture: by its size where that can be read."""
    found = data(written)
    size: Size | None = None if found is None else pictures.size(found.head(pictures.HEAD))
    return family.picture(size, detail)


def file(found: Data, family: Family) -> tuple[int, str]:
    """Tokens of a file, and text of it that is still to be counted.

    A PDF by its pages and what they draw; a text by itself; anything else may hold anything.
    """
    whole = found.whole()
    if whole.lstrip()[:5] == _PDF:
        read = paper(whole)
        if read is None:
            return WINDOW, ""
        return read.pages * family.pages() + read.text * family.page_text, ""
    try:
        text = whole.decode()
    except UnicodeDecodeError:
        return WINDOW, ""
    return (WINDOW, "") if "\0" in text or not whole else (0, text)


def recording(found: Data, form: str, family: Family) -> int:
    """Tokens of sound, by how long it lasts at most; models that hear it in half minutes take whole ones."""
    lasts = sound.seconds(found.head(sound.HEAD), found.length, form)
    return family.second * -(-max(1, lasts) // _WHOLE) * _WHOLE


def _decoded(encoded: bytes) -> bytes:
    """Base64 in either alphabet, with or without its padding; nothing if it is none."""
    plain = encoded.translate(_STANDARD, b"\r\n =")
    try:
        return binascii.a2b_base64(plain + b"=" * (-len(plain) % 4))
    except binascii.Error:
        return b""


_STANDARD = bytes.maketrans(b"-_", b"+/")
