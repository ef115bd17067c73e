"""How long a recording is at most, from the bytes it begins with and its length."""

from __future__ import annotations

import struct
from struct import unpack_from
from typing import Final

#: Bytes that are enough to find what a WAV file says of itself.
HEAD: Final = 65_536
#: Bytes a second of the thriftiest sensible speech: 16 kbit/s of MP3, 6 kbit/s of anything else.
MP3: Final = 2_000
ANY: Final = 750


def seconds(head: bytes, length: int, form: str = "") -> int:
    """Whole seconds, rounded up, of ``length`` bytes of sound that begin with ``head``."""
    wav = _wav(head, length)
    if wav is not None:
        return wav
    is_mp3 = form in {"mp3", "mpga", "mpeg"} or head.startswith(b"ID3") or head[:1] == b"\xff"
    return -(-length // (MP3 if is_mp3 else ANY))


def _wav(head: bytes, length: int) -> int | None:
    """By its rate; only what is not compressed, whose rate is known from its samples."""
    if not (head.startswith(b"RIFF") and head[8:12] == b"WAVE"):
        return None
    at = 12
    try:
        while head[at : at + 4] != b"fmt ":
            at += 8 + unpack_from("<I", head, at + 4)[0]
            at += at & 1
        form, channels, rate, _, _, bits = unpack_from("<HHIIHH", head, at + 8)
    except struct.error:
        return None
    a_second = channels * rate * (bits // 8)
    return -(-length // a_second) if form in _SAMPLES and a_second > 0 else None


_SAMPLES = frozenset((1, 3, 0xFFFE))  # integers, floats, either
