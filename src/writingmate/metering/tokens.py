"""Counting tokens of text in-process, where no provider has counted them.

Nothing is loaded before the first count. A megabyte takes milliseconds, but a text made for it (a
megabyte of ``=``) takes a third of a second; so a count has a time, and a rule for what is left.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Final

try:
    import toktok
except ImportError:  # no wheel for this platform
    toktok = None

ENCODING: Final = "o200k_base"
BYTES_PER_TOKEN: Final = 4
#: Seconds that one count may take, of which a piece takes some hundredths at worst.
SECONDS: Final = 0.5
_PIECE = 65_536  # characters

_loading = threading.Lock()
_loaded = threading.Event()


def count(text: str, seconds: float = SECONDS) -> int:
    """Tokens of ``text`` in o200k_base; special-token strings count as ordinary text.

    The first call loads the vocabulary (about half a second): call it off the event loop, which it
    does not hold up there. What ``seconds`` do not suffice for counts like what came before it.
    Without a tokenizer: a token per four bytes.
    """
    if toktok is None:
        return -(-_size(text) // BYTES_PER_TOKEN)
    counted, left = _counted([text], seconds)
    if not left[0]:
        return counted[0]
    size = _size(text)
    if not counted[0]:
        return -(-size // BYTES_PER_TOKEN)
    return -(-counted[0] * size // (size - left[0]))


def bounds(texts: Sequence[str], seconds: float = SECONDS) -> list[int]:
    """Tokens of each text, never fewer than `count` says; what time does not suffice for, by its bytes.

    Without a tokenizer: a token per byte. As `count`, off the event loop.
    """
    if toktok is None:
        return [_size(text) for text in texts]
    return [sum(each) for each in zip(*_counted(texts, seconds), strict=True)]


def _counted(texts: Sequence[str], seconds: float) -> tuple[list[int], list[int]]:
    """For each text its tokens, as far as time sufficed, and the bytes that it did not suffice for."""
    _load()
    counted, left = [0] * len(texts), [0] * len(texts)
    until = monotonic() + seconds
    for batch in _batches(texts):
        if monotonic() > until:
            for at, piece in batch:
                left[at] += _size(piece)
        else:
            found = toktok.batch_count([_text(piece) for _, piece in batch], ENCODING, threads=1)
            for (at, _), tokens in zip(batch, found, strict=True):
                counted[at] += tokens
    return counted, left


def _load() -> None:
    """The first count makes the others wait, instead of loading the vocabulary beside them."""
    if not _loaded.is_set():
        with _loading:
            toktok.batch_count(["a"], ENCODING, threads=1)
            _loaded.set()


def _batches(texts: Sequence[str]) -> Iterator[list[tuple[int, str]]]:
    """Pieces of texts with their text's place, about as much at a time: a call costs more than a word."""
    batch: list[tuple[int, str]] = []
    size = 0
    for at, text in enumerate(texts):
        for piece in _pieces(text):
            batch.append((at, piece))
            size += len(piece)
            if size >= _PIECE:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


def _pieces(text: str) -> Iterator[str]:
    """Cut before a space, where o200k cuts too; in the middle of what has none."""
    at = 0
    while len(text) - at > _PIECE:
        space = text.rfind(" ", at + _PIECE // 2, at + _PIECE)
        end = space if space > at else at + _PIECE
        yield text[at:end]
        at = end
    yield text[at:]


def _text(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode()  # a lone surrogate is "?"


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
