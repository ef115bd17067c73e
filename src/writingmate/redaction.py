"""Taking secrets and addresses out of words we did not write: a provider's message, a library's log line.

Rather too much goes than too little. Every pattern is bounded, so that the time is linear in the
length of the text whatever it holds.
"""

from __future__ import annotations

import re
from typing import Final

LONGEST = 2_000
KEY: Final = "[key]"
ADDRESS: Final = "[address]"

_READ = 4 * LONGEST
_CONTROL = dict.fromkeys((*range(32), *range(127, 160)), " ")
_ENDINGS = (
    "com|net|org|io|ai|dev|app|cloud|co|xyz|sh|run|tech|info|biz|us|eu|uk|de|fr|cn|jp|in"
    "|local|localhost|localdomain|internal|intranet|lan|home|corp|svc|cluster"
)
_URL = re.compile(r"(?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s\"'<>`]{1,4000}")
_NAMED_HOST = re.compile(
    rf"(?<![A-Za-z0-9.-])(?:[A-Za-z0-9_-]{{1,63}}\.){{1,8}}(?:{_ENDINGS})(?![A-Za-z0-9_-])(?::\d{{1,5}})?"
    r"|(?<![A-Za-z0-9.-])localhost(?![A-Za-z0-9_-])(?::\d{1,5})?",
    re.IGNORECASE,
)
_NUMBERED_HOST = re.compile(
    r"(?<![\d.])\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?![\d.]\d)(?::\d{1,5})?"
    r"|\[[0-9A-Fa-f:.]{2,45}\](?::\d{1,5})?"
)
_PREFIXED_KEY = re.compile(
    r"(?<![A-Za-z0-9])(?:wm_(?:v2|inv_)[A-Za-z0-9._*~-]*"
    r"|(?:sk|pk|rk)[-_][A-Za-z0-9_*.-]{6,}"
    r"|(?:gsk_|r8_|xai-|AIza|hf_|fw_|fpk_|tgp_|ghp_|github_pat_|ya29\.|eyJ|AKIA|ASIA|nvapi-|pplx-|csk-)[A-Za-z0-9_*./-]{6,})"
)
_BEARER = re.compile(r"\b(Bearer)[ \t]{1,3}[A-Za-z0-9._~+/=*-]{6,}", re.IGNORECASE)
_BASIC = re.compile(r"\b(Basic[ \t]{1,3})([A-Za-z0-9+/=]{8,})", re.IGNORECASE)
_SECRET_CONTEXT = re.compile(
    r"((?:passw(?:or)?d|passphrase|secret|authorization|credentials?|signature|session)s?"
    r"[\"']?[ \t]{0,3}[:=][ \t]{0,3}[\"']?)([^\s\"',;)}&]{4,})",
    re.IGNORECASE,
)
_KEY_CONTEXT = re.compile(
    r"((?:key|token)s?(?:[ \t]{1,3}(?:provided|given|used|is|was|id))?[\"']?[ \t]{0,3}[:=][ \t]{0,3}[\"'`]?)"
    r"([A-Za-z0-9+/=_.*~-]{8,})",
    re.IGNORECASE,
)
_LONG_RUN = re.compile(r"[A-Za-z0-9+/=_-]{32,}")
_UNBROKEN = re.compile(r"[A-Za-z0-9]{20,}")


def clean(text: str, *, longest: int = LONGEST) -> str:
    """``text`` without keys, passwords, URLs and hosts, on one line of at most ``longest`` characters."""
    text = _bounded(text).translate(_CONTROL)
    text = _URL.sub(ADDRESS, text)
    text = _PREFIXED_KEY.sub(KEY, text)
    text = _BEARER.sub(rf"\1 {KEY}", text)
    text = _BASIC.sub(_if_secret, text)
    text = _SECRET_CONTEXT.sub(rf"\1{KEY}", text)
    text = _KEY_CONTEXT.sub(_if_secret, text)
    text = _LONG_RUN.sub(_if_random, text)
    text = _NAMED_HOST.sub(ADDRESS, text)
    text = _NUMBERED_HOST.sub(ADDRESS, text).strip()
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _bounded(text: str) -> str:
    """The part that is read. A word cut in two could hide half a key, so it goes."""
    if len(text) <= _READ:
        return text
    head = text[:_READ]
    words = head.rsplit(maxsplit=1)
    return f"{words[0]} …" if len(words) > 1 else KEY


def _if_secret(match: re.Match[str]) -> str:
    """Numbers and plain words follow "token:" too; what mixes letters with anything else is a key."""
    value = match[2]
    plain = value.isdigit() or (value.isalpha() and (value.islower() or value.istitle()))
    return match[0] if plain else match[1] + KEY


def _if_random(match: re.Match[str]) -> str:
    """Model names and paths are as long, but made of short words; a key has a long unbroken stretch."""
    stretch = _UNBROKEN.search(match[0])
    return match[0] if stretch is None or (stretch[0].isalpha() and stretch[0].islower()) else KEY
