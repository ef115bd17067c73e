"""Reading a provider's ``GET /models``: OpenAI's four fields, and what others add to them.

``context_length`` (OpenRouter, Together), ``context_window`` (Groq), ``max_context_length``
(Mistral), ``max_model_len`` (vLLM) and ``meta.n_ctx_train`` (llama.cpp) mean the same. Prices are
dollars a token as text (OpenRouter) or dollars a million tokens as numbers (Together).

Google's list has names of its own: ``models`` of ``name`` (with ``models/`` before it), ``inputTokenLimit``,
``outputTokenLimit``, ``displayName`` and ``supportedGenerationMethods``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from writingmate.catalog.models import LONGEST_SLUG, is_price, is_slug
from writingmate.settings import ModelSection
from writingmate.types import Pricing

MOST_MODELS = 5_000

_CONTEXT = ("context_length", "context_window", "max_context_length", "max_model_len")
_OTHER_KINDS = ("embedding", "image", "audio", "moderation", "rerank", "transcribe", "transcription", "video")
_LARGEST = 1 << 40
_OTHERWISE = re.compile(r"-(image|tts|live)\b|\bimagen-|\bveo-|\blyria-|native-audio")


def read_list(body: bytes) -> dict[str, ModelSection]:
    """The text models of a list, by the provider's own names.

    Raises:
        msgspec.DecodeError: not JSON, or not a list of models.
    """
    document = msgspec.json.decode(body)
    entries = document.get("data") if isinstance(document, dict) else document
    if isinstance(document, dict) and isinstance(document.get("models"), list):
        entries = [_usual(entry) for entry in document["models"] if _generates(entry)]
    if not isinstance(entries, list):
        raise msgspec.ValidationError("expected a list of models in `data`")
    objects = [entry for entry in entries if isinstance(entry, dict)]
    return {entry["id"]: _facts(entry) for entry in objects[:MOST_MODELS] if _writes_text(entry)}


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


def _facts(entry: Mapping[str, Any]) -> ModelSection:
    top_provider = _object(entry, "top_provider")
    return ModelSection(
        name=_name(entry),
        created=_whole(entry, "created"),
        context_length=_whole(entry, *_CONTEXT) or _whole(_object(entry, "meta"), "n_ctx_train"),
        max_output_tokens=_whole(top_provider, "max_completion_tokens")
        or _whole(entry, "max_completion_tokens"),
        input_modalities=_modalities(entry),
        pricing=_pricing(_object(entry, "pricing")),
    )


def _name(entry: Mapping[str, Any]) -> str | None:
    for key in ("name", "display_name"):
        name = entry.get(key)
        if isinstance(name, str) and name.strip() and name.isprintable():
            return name.strip()[:LONGEST_SLUG]
    return None


def _modalities(entry: Mapping[str, Any]) -> tuple[str, ...] | None:
    reads = _object(entry, "architecture").get("input_modalities")
    named = [item for item in reads if isinstance(item, str)] if isinstance(reads, list) else []
    return tuple(named) or None


def _pricing(prices: Mapping[str, Any]) -> Pricing | None:
    a_token = _amount(prices.get("prompt"), 1_000_000), _amount(prices.get("completion"), 1_000_000)
    a_million = _amount(prices.get("input"), 1), _amount(prices.get("output"), 1)
    for dollars_in, dollars_out in (a_token, a_million):
        if dollars_in is not None and dollars_out is not None:
            return Pricing(dollars_in, dollars_out)
    return None


def _amount(value: object, times: int) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)) or not is_price(str(value)):
        return None
    text = f"{Decimal(str(value)) * times:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text if is_price(text) else None


def _whole(entry: Mapping[str, Any], *keys: str) -> int | None:
    for key in keys:
        value = entry.get(key)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < _LARGEST:
            return int(value) or None
    return None


def _object(entry: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = entry.get(key)
    return value if isinstance(value, dict) else {}
