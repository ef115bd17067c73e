"""Counting tokens of text in-process, where no provider has counted them."""

from __future__ import annotations

import threading
from typing import Final

try:
    import toktok
except ImportError:  # no wheel for this platform
    toktok = None

ENCODING: Final = "o200k_base"
BYTES_PER_TOKEN: Final = 4

_loading = threading.Lock()
_loaded = threading.Event()


def count(text: str) -> int:
    """Tokens of ``text`` in o200k_base; special-token strings count as ordinary text.

    The first call loads the vocabulary (about half a second), and a megabyte takes milliseconds: call
    it off the event loop, which it does not hold up there. Without a tokenizer: a token per four bytes.
    """
    if not text:
        return 0
    encoded = text.encode("utf-8", "replace")  # a lone surrogate counts as a question mark
    if toktok is None:
        return -(-len(encoded) // BYTES_PER_TOKEN)
    return _counted(encoded.decode()) if _loaded.is_set() else _first(encoded.decode())


def _first(text: str) -> int:
    with _loading:
        counted = _counted(text)
        _loaded.set()
        return counted


def _counted(text: str) -> int:
    counted: int = toktok.batch_count([text], ENCODING, threads=1)[0]
    return counted
