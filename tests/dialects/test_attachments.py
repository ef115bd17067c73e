from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from writingmate.dialects.attachments import (
    DEFINED,
    HOSTED,
    IMAGE,
    PREAMBLE,
    SPOKEN,
    WINDOW,
    cheap,
)
from writingmate.wire import document

TEXT = {"type": "text", "text": "hello"}
PICTURE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
FILE = {"type": "file", "file": {"file_id": "file-1"}}
FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def beyond_bytes(fields: dict[str, Any]) -> int:
    body = msgspec.json.encode(fields)
    return cheap(document.parse(body), len(body)) - len(body)


def message(*parts: Any, role: str = "user") -> dict[str, Any]:
    return {"messages": [{"role": role, "content": list(parts)}]}


@pytest.mark.parametrize(
    ("fields", "more"),
    [
        ({"messages": [{"role": "user", "content": "image_url"}, {"role": "assistant", "content": None}]}, 0),
        (message(TEXT, {"type": "refusal", "refusal": "no"}), 0),
        (message(TEXT, PICTURE, PICTURE), 2 * IMAGE),
        (message({"type": "input_image", "file_id": "file-1"}), IMAGE),
        (message(FILE), WINDOW),
        (message(FILE, FILE, PICTURE), WINDOW),
        (message(*[PICTURE] * 44), WINDOW),
        (message({"type": "input_audio", "input_audio": {"data": "https://a", "format": "wav"}}), WINDOW),
        (message({"type": "video_url", "video_url": {"url": "https://a"}}), WINDOW),
        (message({"type": "unheard of"}), WINDOW),
        (message({"no": "type"}), WINDOW),
        (message("a string"), WINDOW),
        ({"messages": [{"role": "user", "content": {"type": "file"}}]}, WINDOW),
        ({"messages": [1]}, WINDOW),
        ({"messages": [{"role": "assistant", "audio": {"id": "audio_1"}}]}, SPOKEN),
        ({"messages": [{"role": "assistant", "audio": None}]}, 0),
        ({"tools": [FUNCTION]}, len(msgspec.json.encode([FUNCTION])) + DEFINED),
        ({"tools": [{"type": "web_search"}]}, len(b'[{"type":"web_search"}]') + DEFINED + HOSTED),
        ({"tools": [FUNCTION, 1]}, len(msgspec.json.encode([FUNCTION, 1])) + DEFINED + HOSTED),
        ({"tools": None, "functions": None, "response_format": None, "plugins": None}, 0),
        ({"response_format": {"type": "text"}}, len(b'{"type":"text"}') + DEFINED),
        ({"web_search_options": {}}, HOSTED),
        ({"plugins": [{"id": "web"}], "enable_search": True}, 2 * HOSTED),
        ({"enable_search": False}, 0),
        ({"model": "openai/gpt-5:online"}, HOSTED),
        ({"model": "openai/gpt-5"}, 0),
        ({"prompt": "a"}, 0),
        ({"prompt": [1, 2, 3]}, 0),
        ({"prompt": ["a", "b", "c"]}, 2 * PREAMBLE),
    ],
)
def test_what_counts_beside_its_bytes(fields: dict[str, Any], more: int) -> None:
    assert beyond_bytes(fields) == (WINDOW if more == WINDOW else PREAMBLE + more)


def test_letters_written_as_numbers_hide_nothing() -> None:
    body = rb'{"messages":[{"content":[{"t\u0079pe":"image\u005furl","image_url":"https://a"}]}]}'
    assert cheap(document.parse(body), len(body)) == len(body) + PREAMBLE + IMAGE


def test_a_body_of_negative_length_is_none() -> None:
    assert cheap({}, -5) == PREAMBLE


def test_messages_made_to_be_slow_are_not_looked_at() -> None:
    body = b'{"messages":[' + b",".join([b"{}"] * 1_000_000) + b"]}"
    request = document.parse(body)
    begun = time.perf_counter()
    assert cheap(request, len(body)) == len(body) + WINDOW
    assert time.perf_counter() - begun < 0.2  # some milliseconds


def test_a_long_conversation_is_looked_at() -> None:
    body = msgspec.json.encode({"messages": [{"role": "user", "content": "x" * 1_000}] * 1_000})
    assert cheap(document.parse(body), len(body)) == len(body) + PREAMBLE
