"""Providers: rows of data that say where each one is, how its key is presented and what it speaks."""

from __future__ import annotations

from writingmate.providers.configured import configured, for_own_keys, known_names, notes
from writingmate.providers.rows import ROWS, Row

__all__ = ["ROWS", "Row", "configured", "for_own_keys", "known_names", "notes"]
