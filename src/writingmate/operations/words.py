"""What a provider's refusal says, read without trusting its shape."""

from __future__ import annotations

from typing import Any

import msgspec

from writingmate.redaction import clean

LONGEST_WORD = 100
LONGEST_INNER = 500

_ONLY_THAT = "Provider returned error"  # OpenRouter's; `metadata.raw` has what the model's provider said
_TOO_LONG = (
    "prompt is too long",  # Anthropic, which has no codes
    "exceed context limit",
    "exceeds the maximum number of tokens allowed",  # Google
    "maximum context length is",  # OpenRouter
)


def members(body: bytes) -> dict[str, Any]:
    """Those of the provider's ``error``: an object, a bare string, or nothing we can read."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return {}
    if isinstance(document, list) and len(document) == 1:
        document = document[0]  # as Google's streams have it
    error = document.get("error", document) if isinstance(document, dict) else document
    if isinstance(error, str):
        return {"message": error}
    return error if isinstance(error, dict) else {}


def metadata(error: dict[str, Any]) -> dict[str, Any]:
    """What OpenRouter says beside the message (WIRE §10.3); never shown as it is."""
    about = error.get("metadata")
    return about if isinstance(about, dict) else {}


def message(error: dict[str, Any]) -> str | None:
    """Its sentence, not cleaned; None if it has none."""
    said = _text(error.get("message"))
    if said is None or said.rstrip(".") != _ONLY_THAT:
        return said
    inner = _inner(metadata(error).get("raw"))
    return f"{_ONLY_THAT}: {inner}" if inner else said


def code(error: dict[str, Any], status: int) -> str | None:
    """A word for programs, a string always, though some providers send numbers (WIRE §2.1).

    A number that only repeats the status counts where there is nothing better: OpenRouter's ``error_type``,
    or what its message means. Google's never does.
    """
    own = None if "status" in error else word(error.get("code"))
    if own is not None and own != str(status):
        return own
    return word(metadata(error).get("error_type")) or _meant(_text(error.get("message")) or "", status) or own


def word(value: object) -> str | None:
    """A string or a number as a short string, cleaned."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return clean(str(value))[:LONGEST_WORD]


def _meant(said: str, status: int) -> str | None:
    if status == 429:  # noqa: PLR2004  # Too Many Requests
        return "rate_limit_exceeded"
    return "context_length_exceeded" if any(words in said for words in _TOO_LONG) else None


def _inner(raw: object) -> str | None:
    """The message in what the provider behind a provider said: JSON, mostly as text, or a sentence."""
    if isinstance(raw, dict):
        raw = msgspec.json.encode(raw).decode()
    if not isinstance(raw, str) or "<" in raw[:1]:
        return None
    said = _text(members(raw.encode()).get("message")) or (None if raw[:1] in "{[" else _text(raw))
    return said[:LONGEST_INNER] if said else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None
