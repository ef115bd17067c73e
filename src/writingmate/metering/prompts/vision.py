"""What vendors charge for a picture, by its size and the ``detail`` asked for.

Each rule is the vendor's published one; for a picture whose size is not known it gives the most that
any size costs. Sources, read in November 2026: OpenAI "Images and vision" (tiles, patches, budgets,
multipliers), Anthropic "Vision" (28-pixel patches, two native resolutions), Google "Media resolution"
and "Understand and count tokens".
"""

from __future__ import annotations

from collections.abc import Callable
from math import floor, sqrt
from typing import NamedTuple, TypeAlias


class Size(NamedTuple):
    """Pixels."""

    width: int
    height: int


#: Tokens of a picture of that size, None if it is not known, at a ``detail`` ("" if none is given).
Rule: TypeAlias = Callable[[Size | None, str], int]

_TILE, _LONG, _SHORT, _MOST_TILES = 512, 2048, 768, 8
_PATCH, _LOW = 32, 256  # ``low`` is a picture of 512 by 512
_CLAUDE_PATCH = 28
_GEMINI_TILE, _GEMINI_SMALL, _GEMINI_TILES = 258, 384, 9  # the whole, and eight crops of it
_LEAST, _MOST = 2_880, 16_384  # LLaVA-NeXT's grid; Qwen-VL's largest default


def tiles(base: int, tile: int) -> Rule:
    """OpenAI's squares of 512 pixels, after fitting into 2048 and the short side into 768."""

    def rule(size: Size | None, detail: str) -> int:
        if detail == "low":
            return base
        if size is None:
            return base + _MOST_TILES * tile
        scale = min(1, _LONG / max(size), _SHORT / min(size))
        across, down = (-(-round(side * scale) // _TILE) for side in size)
        return base + tile * min(_MOST_TILES, max(1, across) * max(1, down))

    return rule


def patches(high: int, *, auto: int = 0, original: int = 0, percent: int = 100) -> Rule:
    """OpenAI's patches of 32 pixels: at most so many at each ``detail``, times a multiplier."""
    budgets = {"low": _LOW, "high": high, "original": original or high}

    def rule(size: Size | None, detail: str) -> int:
        budget = budgets.get(detail, auto or high)
        count = budget if size is None or detail == "low" else _fitted(size, budget)
        return -(-count * percent // 100)

    return rule


def _fitted(size: Size, budget: int) -> int:
    """The patches of a picture that is scaled down, as published, until it needs no more than its budget."""
    count = _cells(size, _PATCH)
    if count <= budget:
        return count
    scale = sqrt(budget * _PATCH**2 / (size.width * size.height))
    across, down = (side * scale / _PATCH for side in size)
    scale = min(floor(across) / across, floor(down) / down)
    return min(budget, max(1, round(across * scale)) * max(1, round(down * scale)))


def claude(most: int) -> Rule:
    """Anthropic's patches of 28 pixels; what is larger is scaled down to ``most`` of them."""

    def rule(size: Size | None, _detail: str) -> int:
        return most if size is None else min(most, _cells(size, _CLAUDE_PATCH))

    return rule


def gemini_tiles(size: Size | None, _detail: str) -> int:
    """Gemini to 2.5: 258 for a small picture, else for each crop of two thirds of the short side."""
    if size is None:
        return _GEMINI_TILE * _GEMINI_TILES
    if max(size) <= _GEMINI_SMALL:
        return _GEMINI_TILE
    crop = max(1, floor(min(size) / 1.5))
    return _GEMINI_TILE * min(_GEMINI_TILES, _cells(size, crop))


def gemini(_size: Size | None, detail: str) -> int:
    """Gemini from 3: by resolution only; a request for the highest is ``original`` here."""
    return {"low": 280, "medium": 560, "original": 2_240, "ultra_high": 2_240}.get(detail, 1_120)


def anything(size: Size | None, _detail: str) -> int:
    """Between the most that any open model takes for a small picture and for a large one."""
    return _MOST if size is None else max(_LEAST, min(_MOST, _cells(size, _CLAUDE_PATCH)))


def _cells(size: Size, side: int) -> int:
    return -(-size.width // side) * -(-size.height // side)
