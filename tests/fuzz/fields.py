"""Values of every top-level field of every client's dialect: most that may be, and a few that may not."""

from __future__ import annotations

import random
from typing import Any

from tests.fuzz.marks import Marks
from writingmate.dialects.responses import INCLUDES

Json = dict[str, Any]

_FORMATS = ("text", "json_object", "json_schema")

#: Fields that are made with others (`requests.py`).
MADE = frozenset(
    ("model", "messages", "prompt", "input", "instructions", "tools", "tool_choice", "functions",
     "function_call", "parallel_tool_calls", "response_format", "text", "stream_options", "top_logprobs",
     "system")
)  # fmt: skip

_SHARED: dict[str, tuple[Any, ...]] = {
    "metadata": ({}, {"a": "b"}, None),
    "moderation": ({"model": "m"}, None),
    "prompt_cache_key": ("k", "", None),
    "prompt_cache_options": ({"mode": "implicit"},),
    "prompt_cache_retention": ("24h", "in_memory", None),
    "safety_identifier": ("s", None),
    "service_tier": ("auto", "default", "flex", "priority", "standard_only", None),
    "store": (True, False, None),
    "stream": (True, True, False, None),
    "temperature": (0, 0.5, 1, 1.0, 2, 1.7, None, -1, "1"),
    "top_p": (0, 0.1, 1, 1.0, None, 2),
    "user": ("u", ""),
}
_PENALTIES: dict[str, tuple[Any, ...]] = {
    "frequency_penalty": (0, 0.0, 1.5, -2, None),
    "presence_penalty": (0, 0.0, 1.5, -2, None),
    "logit_bias": ({}, {"50256": -100}, None),
    "seed": (0, 7, -(2**63), None),
    "stop": ("END", ["END", "é"], [], [" ", "x"], "\n", None),
    "n": (1, 1, 2, None, 0),
    "max_tokens": (1, 17, 5000, None, 0),
}
VALUES: dict[str, dict[str, tuple[Any, ...]]] = {
    "chat": _SHARED | _PENALTIES | {
        "audio": ({"voice": "alloy", "format": "mp3"}, None),
        "logprobs": (True, False, None),
        "max_completion_tokens": (1, 17, 2048, 50_000, None),
        "modalities": (["text"], ["text", "audio"], None),
        "prediction": ({"type": "content", "content": "x"}, None),
        "reasoning_effort": ("none", "minimal", "low", "medium", "high", "xhigh", "max", "default", None),
        "verbosity": ("low", "medium", "high", None),
        "web_search_options": ({}, {"search_context_size": "low"}),
    },
    "completions": _SHARED | _PENALTIES | {
        "best_of": (1, 2, None),
        "echo": (True, False, None),
        "logprobs": (0, 3, 5, None),
        "suffix": ("", "!", None),
    },
    "responses": _SHARED | {
        "access_programs": ({"cyber": "standard"}, None),
        "background": (True, False, None),
        "background_options": ({"completion_window": "soonest"}, None),
        "context_management": ([], [{"type": "compaction"}], None),
        "conversation": ("conv_1", {"id": "conv_1"}, None),
        "image": ({"context_compression": "auto"}, None),
        "include": ([], [INCLUDES[-1]], list(INCLUDES[:2]), [INCLUDES[-2]], None),
        "max_output_tokens": (1, 17, 2048, None, 0),
        "max_tool_calls": (1, 3, None),
        "previous_response_id": ("resp_1", None),
        "prompt": ({"id": "pmpt_1"}, None),
        "reasoning": (
            {}, {"effort": "low"}, {"effort": "high", "summary": "auto"}, {"context": "auto"}, {"x": 1}, None
        ),
        "truncation": ("auto", "disabled", None),
    },
    "messages": {
        "cache_control": ({"type": "ephemeral"}, None),
        "metadata": ({"user_id": "u"}, {}, None),
        "service_tier": ("auto", "standard_only", None),
        "stop_sequences": (["END"], ["END", "é"], [], None),
        "stream": (True, True, False, None),
        "temperature": (0, 0.5, 1, None),
        "thinking": (
            {"type": "disabled"}, {"type": "adaptive"}, {"type": "enabled", "budget_tokens": 1024}, None
        ),
        "top_k": (0, 5, None),
        "top_p": (0.1, 1, None),
    },
}  # fmt: skip


def some(dialect: str, chance: random.Random) -> Json:
    """A few of the fields."""
    values = VALUES[dialect]
    names = chance.sample(sorted(values), chance.choice((0, 1, 2, 2, 3, 5)))
    return {name: chance.choice(values[name]) for name in names}


def schema(marks: Marks) -> Json:
    """A JSON schema that the model reads."""
    return {
        "type": "object",
        "properties": {"a": {"type": "string", "description": marks.text()}},
        "required": ["a"],
        "additionalProperties": False,
    }


def response_format(marks: Marks, chance: random.Random) -> Json:
    """Chat's ``response_format``."""
    form = chance.choice(_FORMATS)
    if form != "json_schema":
        return {"type": form}
    described = {"name": "place", "strict": True, "schema": schema(marks)}
    if chance.random() < 0.5:
        described["description"] = marks.text()
    return {"type": form, "json_schema": described}
