"""The documents in which Anthropic answers: messages, the events of a stream, errors. No sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.fakes.anthropic_judge import blocks
from tests.fakes.openai_answers import Answer, Chunk
from tests.fakes.openai_choices import Json, Wish, sample, words

SIGNATURE = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds"


def message(request: Json, request_id: str, wish: Wish) -> Answer:
    """The answer to ``POST /v1/messages``."""
    blocks, stop = _blocks(request, wish)
    produced = sum(len(_pieces(block)) for block in blocks)
    usage = {
        "input_tokens": len(words(_last_text(request))) + 3,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": produced,
        "service_tier": "standard",
    } | wish.usage
    whole = {
        "id": f"msg_{request_id}",
        "type": "message",
        "role": "assistant",
        "model": request["model"],
        "content": blocks,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": usage,
    }
    chunks = tuple(_events(whole, blocks, stop, usage))
    text = "".join(piece for block in blocks for piece in _pieces(block))
    return Answer(whole, chunks, {"completion_tokens": produced}, text)


def counted(request: Json) -> Json:
    """The answer to ``POST /v1/messages/count_tokens``."""
    return {"input_tokens": len(words(_last_text(request))) + 3}


def refusal(kind: str, text: str) -> Json:
    """Anthropic's error envelope."""
    return {
        "type": "error",
        "error": {"type": kind, "message": text},
        "request_id": "req_011CSHoEeqs5C35K2UUqR7Fy",
    }


def _blocks(request: Json, wish: Wish) -> tuple[list[Json], str]:
    thinks = request.get("thinking", {}).get("type") in {"enabled", "adaptive"}
    thought = {"type": "thinking", "thinking": "Let me see.", "signature": SIGNATURE}
    before = [thought] if thinks else []
    calls = _calls(request) if wish.calls is None else _scripted(wish.calls)
    if calls:
        return [*before, {"type": "text", "text": "Looking."}, *calls], "tool_use"
    limit = request["max_tokens"]
    said = words(wish.text if wish.text is not None else _said(request))
    stop = "end_turn" if len(said) <= limit else "max_tokens"
    return [*before, {"type": "text", "text": "".join(said[:limit])}], stop


def _calls(request: Json) -> list[Json]:
    tools: list[Json] = request.get("tools") or []
    choice = request.get("tool_choice", {"type": "auto"})
    results = any(block["type"] == "tool_result" for block in blocks(request["messages"][-1]["content"]))
    if choice["type"] == "none" or results:
        return []
    text = _last_text(request)
    wanted = [tool for tool in tools if tool["name"] in (choice.get("name") or text)] or tools[:1]
    if choice.get("disable_parallel_tool_use"):
        wanted = wanted[:1]
    return [
        {"type": "tool_use", "id": f"toolu_{at}", "name": tool["name"], "input": sample(tool["input_schema"])}
        for at, tool in enumerate(wanted)
    ]


def _scripted(calls: Mapping[str, Json]) -> list[Json]:
    return [
        {"type": "tool_use", "id": f"toolu_{at}", "name": name, "input": given}
        for at, (name, given) in enumerate(calls.items())
    ]


def _said(request: Json) -> str:
    form = request.get("output_config", {}).get("format")
    if form is not None:
        return json.dumps(sample(form["schema"]))
    head, exactly, tail = _last_text(request).partition("Reply with exactly: ")
    return tail if exactly else f"You said: {head}"


def _last_text(request: Json) -> str:
    found = [_text_of(block) for block in blocks(request["messages"][-1]["content"])]
    return "".join(found)


def _text_of(block: Json) -> str:
    if block["type"] == "tool_result":
        return "".join(_text_of(inner) for inner in blocks(block.get("content", "")))
    return str(block.get("text", ""))


def _pieces(block: Json) -> tuple[str, ...]:
    if block["type"] == "tool_use":
        return words(json.dumps(block["input"])) if block["input"] else ()
    return words(block.get("text") or block.get("thinking") or "")


def _events(whole: Json, blocks: list[Json], stop: str, usage: Json) -> Iterator[Chunk]:
    opened = {**whole, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    yield Chunk({"type": "message_start", "message": opened})
    yield Chunk({"type": "ping"})
    for index, block in enumerate(blocks):
        yield Chunk({"type": "content_block_start", "index": index, "content_block": _empty(block)})
        for delta, piece in _deltas(block):
            event = {"type": "content_block_delta", "index": index, "delta": delta}
            yield Chunk(event, piece, 1 if piece else 0)
        yield Chunk({"type": "content_block_stop", "index": index})
    delta = {"stop_reason": stop, "stop_sequence": None}
    yield Chunk({"type": "message_delta", "delta": delta, "usage": usage})
    yield Chunk({"type": "message_stop"})


def _empty(block: Json) -> Json:
    empty: dict[str, Json] = {
        "text": {"text": ""},
        "thinking": {"thinking": "", "signature": ""},
        "tool_use": {"input": {}},
    }
    return {**block, **empty[block["type"]]}


def _deltas(block: Json) -> Iterator[tuple[Any, str]]:
    names = {"text": ("text_delta", "text"), "thinking": ("thinking_delta", "thinking")}
    kind, member = names.get(block["type"], ("input_json_delta", "partial_json"))
    if block["type"] == "tool_use":
        yield {"type": kind, member: ""}, ""
    for piece in _pieces(block):
        yield {"type": kind, member: piece}, piece
    if block["type"] == "thinking":
        yield {"type": "signature_delta", "signature": block["signature"]}, ""
