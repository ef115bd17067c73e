"""Reading a provider's ``GET /models``: OpenAI's four fields, and what others add to them.

``context_length`` (OpenRouter, Together), ``context_window`` (Groq), ``max_context_length``
(Mistral), ``max_model_len`` (vLLM) and ``meta.n_ctx_train`` (llama.cpp) mean the same. Prices are in
`listed_prices`. OpenRouter's entries are described at https://openrouter.ai/docs/guides/overview/models.

Google's list has names of its own: ``models`` of ``name`` (with ``models/`` before it), ``inputTokenLimit``,
``outputTokenLimit``, ``displayName`` and ``supportedGenerationMethods``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from writingmate.catalog.listed import Listed
from writingmate.catalog.listed_prices import pricing
from writingmate.catalog.models import LONGEST_SLUG, is_slug

MOST_MODELS = 5_000

_CONTEXT = ("context_length", "context_window", "max_context_length", "max_model_len")
_OTHER_KINDS = ("embedding", "image", "audio", "moderation", "rerank", "transcribe", "transcription", "video")
_MODALITIES = frozenset(("text", "image", "file", "audio", "video"))
_LARGEST = 1 << 40
_OTHERWISE = re.compile(r"-(image|tts|live)\b|\bimagen-|\bveo-|\blyria-|native-audio")
_MOST_PARAMETERS, _LONGEST_PARAMETER = 100, 64
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def read_list(body: bytes) -> dict[str, Listed]:
    """The text models of a list, by the provider's own names.

    Raises:
        msgspec.DecodeError: not JSON, not a list of models, or by its own word not all of it.
    """
    document = msgspec.json.decode(body)
    entries = document.get("data") if isinstance(document, dict) else document
    if isinstance(document, dict) and isinstance(document.get("models"), list):
        entries = [_usual(entry) for entry in document["models"] if _generates(entry)]
    if not isinstance(entries, list):
        raise msgspec.ValidationError("expected a list of models in `data`")
    if isinstance(document, dict) and not _whole_list(document, len(entries)):
        raise msgspec.ValidationError("this is a part of the list of models")
    objects = [entry for entry in entries if isinstance(entry, dict)]
    return {entry["id"]: _facts(entry) for entry in objects[:MOST_MODELS] if _writes_text(entry)}


def _whole_list(document: Mapping[str, Any], entries: int) -> bool:
    """OpenRouter says how many there are, and where the next page is, though it sends all of them."""
    return (_whole(document, "total_count") or 0) <= entries and not _object(document, "links").get("next")


def _generates(entry: object) -> bool:
    """Whether one of Google's models answers as chat wants it: not in pictures, speech or live alone."""
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        return False
    methods = entry.get("supportedGenerationMethods")
    return isinstance(methods, list) and "generateContent" in methods and not _OTHERWISE.search(entry["name"])


def _usual(entry: Mapping[str, Any]) -> dict[str, Any]:
    """One of Google's entries as others have it."""
    return {
        "id": entry["name"].removeprefix("models/"),
        "name": entry.get("displayName"),
        "context_length": entry.get("inputTokenLimit"),
        "max_completion_tokens": entry.get("outputTokenLimit"),
    }


def _writes_text(entry: Mapping[str, Any]) -> bool:
    name = entry.get("id")
    if not isinstance(name, str) or not is_slug(name) or len(name) > LONGEST_SLUG // 2:
        return False
    writes = _object(entry, "architecture").get("output_modalities")
    return entry.get("type") not in _OTHER_KINDS and (not isinstance(writes, list) or "text" in writes)


def _facts(entry: Mapping[str, Any]) -> Listed:
    top_provider = _object(entry, "top_provider")
    expires = entry.get("expiration_date")
    return Listed(
        name=_name(entry),
        created=_whole(entry, "created"),
        context_length=_whole(entry, *_CONTEXT) or _whole(_object(entry, "meta"), "n_ctx_train"),
        max_output_tokens=_whole(top_provider, "max_completion_tokens")
        or _whole(entry, "max_completion_tokens"),
        input_modalities=_modalities(entry, "input_modalities"),
        output_modalities=_modalities(entry, "output_modalities"),
        pricing=pricing(_object(entry, "pricing")),
        parameters=_parameters(entry),
        expires=expires if isinstance(expires, str) and _DAY.fullmatch(expires) else None,
    )


def _name(entry: Mapping[str, Any]) -> str | None:
    for key in ("name", "display_name"):
        name = entry.get(key)
        if isinstance(name, str) and name.strip() and name.isprintable():
            return name.strip()[:LONGEST_SLUG]
    return None


def _modalities(entry: Mapping[str, Any], which: str) -> tuple[str, ...] | None:
    named = _texts(_object(entry, "architecture").get(which)) or ()
    return tuple(dict.fromkeys(name for name in named if name in _MODALITIES)) or None


def _parameters(entry: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Nobody honours nothing: an empty list says nothing."""
    named = _texts(entry.get("supported_parameters")) or ()
    short = {name for name in named if len(name) <= _LONGEST_PARAMETER}
    return tuple(sorted(short)[:_MOST_PARAMETERS]) or None


def _texts(value: object) -> tuple[str, ...] | None:
    return tuple(item for item in value if isinstance(item, str)) or None if isinstance(value, list) else None


def _whole(entry: Mapping[str, Any], *keys: str) -> int | None:
    for key in keys:
        value = entry.get(key)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < _LARGEST:
            return int(value) or None
    return None


def _object(entry: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = entry.get(key)
    return value if isinstance(value, dict) else {}
