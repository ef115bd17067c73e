"""What OpenAI answers ``POST /responses`` with, whole and as events in its order (WIRE §7.2, §7.3).

A model reasons if the request has ``reasoning`` or the wish says so, and shows it encrypted if
``include`` asks for it. A ``web_search`` tool is used once before the answer. What is stored is
refused, as by an account that may not: the gateway is to store for itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.fakes.openai_answers import CREATED, Answer, Chunk
from tests.fakes.openai_choices import Choice, Json, Wish, arguments, chat_choice, words

ENCRYPTED = "gAAAAABfakeencryptedreasoning"


def responses(request: Json, request_id: str, wish: Wish) -> Answer:
    """The answer to ``POST /responses``."""
    choice = chat_choice(_as_chat(request), wish)
    items = list(_items(request, choice, request_id, wish))
    usage = _usage(request, choice, wish)
    base = _base(request, request_id)
    cut = choice.finish_reason == "length"
    if wish.failed:
        error = {"code": "server_error", "message": "The model failed."}
        over = base | {"status": "failed", "error": error, "output": items, "usage": usage}
    elif cut:
        why = {"reason": "max_output_tokens"}
        over = base | {"status": "incomplete", "incomplete_details": why, "output": items, "usage": usage}
    else:
        over = base | {"status": "completed", "completed_at": CREATED + 1, "output": items, "usage": usage}
    chunks = [
        Chunk({"type": name, "sequence_number": number, **members}, text, tokens)
        for number, (name, members, text, tokens) in enumerate(_events(base, items, over))
    ]
    return Answer(over, tuple(chunks), usage, choice.text or wish.refusal)


def _as_chat(request: Json) -> Json:
    """As much of it as decides what a fake model says."""
    asked = request["input"]
    items = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
    messages = [item for item in items if item.get("role")]
    if items[-1].get("type") == "function_call_output":
        messages.append({"role": "tool", "content": ""})
    tools = [
        {"type": tool["type"], tool["type"]: {key: tool[key] for key in tool if key != "type"}}
        for tool in request.get("tools") or []
        if tool["type"] in {"function", "custom"}
    ]
    choice = request.get("tool_choice", "auto")
    if isinstance(choice, dict) and choice["type"] in {"function", "custom"}:
        choice = {"type": choice["type"], choice["type"]: {"name": choice["name"]}}
    form = (request.get("text") or {}).get("format") or {}
    if form.get("type") == "json_schema":
        form = {"type": "json_schema", "json_schema": form}
    return {
        "messages": messages,
        "tools": tools,
        "tool_choice": choice,
        "parallel_tool_calls": request.get("parallel_tool_calls"),
        "response_format": form,
        "max_tokens": request.get("max_output_tokens"),
    }


def _base(request: Json, request_id: str) -> Json:
    """The response under way, every key as OpenAI sends it."""
    effort = (request.get("reasoning") or {}).get("effort")
    return {
        "id": f"resp_{request_id}f",
        "object": "response",
        "created_at": CREATED,
        "status": "in_progress",
        "background": False,
        "completed_at": None,
        "error": None,
        "frequency_penalty": 0.0,
        "incomplete_details": None,
        "instructions": request.get("instructions"),
        "max_output_tokens": request.get("max_output_tokens"),
        "max_tool_calls": request.get("max_tool_calls"),
        "model": request["model"],
        "output": [],
        "parallel_tool_calls": request.get("parallel_tool_calls", True),
        "presence_penalty": 0.0,
        "previous_response_id": request.get("previous_response_id"),
        "prompt_cache_key": request.get("prompt_cache_key"),
        "reasoning": {"effort": effort, "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": request.get("store", True),
        "temperature": request.get("temperature", 1.0),
        "text": {"format": {"type": "text"}, "verbosity": "medium"} | (request.get("text") or {}),
        "tool_choice": request.get("tool_choice", "auto"),
        "tools": request.get("tools") or [],
        "top_logprobs": 0,
        "top_p": request.get("top_p", 1.0),
        "truncation": request.get("truncation", "disabled"),
        "usage": None,
        "user": None,
        "metadata": request.get("metadata") or {},
    }


def _items(request: Json, choice: Choice, request_id: str, wish: Wish) -> Iterator[Json]:
    status = "incomplete" if choice.finish_reason == "length" else "completed"
    if choice.reasoning or request.get("reasoning"):
        summary = [{"type": "summary_text", "text": "".join(choice.reasoning)}] if choice.reasoning else []
        item: Json = {"id": f"rs_{request_id}", "type": "reasoning", "summary": summary}
        asked = "reasoning.encrypted_content" in (request.get("include") or [])
        yield item | ({"encrypted_content": ENCRYPTED} if asked else {})
    if any(tool["type"] == "web_search" for tool in request.get("tools") or []):
        action = {"type": "search", "query": "news", "queries": ["news"]}
        yield {"id": f"ws_{request_id}", "type": "web_search_call", "status": "completed", "action": action}
    for at, call in enumerate(choice.calls):
        custom = call["type"] == "custom"
        yield {
            "id": f"{'ctc' if custom else 'fc'}_{request_id}_{at}",
            "type": "custom_tool_call" if custom else "function_call",
            "status": "completed",
            "call_id": call["id"],
            "name": call[call["type"]]["name"],
            "input" if custom else "arguments": arguments(call),
        }
    if choice.calls:
        return
    part: Json = {"type": "output_text", "text": choice.text, "annotations": [], "logprobs": []}
    if wish.refusal:
        part = {"type": "refusal", "refusal": wish.refusal}
    yield {
        "id": f"msg_{request_id}",
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": [part],
    }


def _usage(request: Json, choice: Choice, wish: Wish) -> Json:
    prompt = len(words(str(request["input"])))
    produced = choice.tokens
    usage: Json = {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": produced,
        "output_tokens_details": {"reasoning_tokens": len(choice.reasoning)},
        "total_tokens": prompt + produced,
    }
    return usage | wish.usage


def _events(base: Json, items: list[Json], over: Json) -> Iterator[tuple[str, Json, str, int]]:
    yield "response.created", {"response": base}, "", 0
    yield "response.in_progress", {"response": base}, "", 0
    for at, item in enumerate(items):
        yield "response.output_item.added", {"output_index": at, "item": _begun(item)}, "", 0
        where = {"item_id": item["id"], "output_index": at}
        yield from _GROWTH[item["type"]](item, where)
        yield "response.output_item.done", {"output_index": at, "item": item}, "", 0
    yield f"response.{over['status']}", {"response": over}, "", 0


def _begun(item: Json) -> Json:
    empty: dict[str, Json] = {
        "message": {"content": []},
        "reasoning": {"summary": []},
        "function_call": {"arguments": ""},
        "custom_tool_call": {"input": ""},
    }
    begun = item | empty.get(item["type"], {})
    return begun | ({"status": "in_progress"} if "status" in item else {})


def _message(item: Json, where: Json) -> Iterator[tuple[str, Json, str, int]]:
    for place, part in enumerate(item["content"]):
        here = where | {"content_index": place}
        form, key = ("refusal", "refusal") if part["type"] == "refusal" else ("output_text", "text")
        more: Json = {} if form == "refusal" else {"logprobs": []}
        yield "response.content_part.added", here | {"part": part | {key: ""}}, "", 0
        for piece in words(part[key]):
            yield f"response.{form}.delta", here | {"delta": piece, "obfuscation": "Xq"} | more, piece, 1
        yield f"response.{form}.done", here | {key: part[key]} | more, "", 0
        yield "response.content_part.done", here | {"part": part}, "", 0


def _reasoning(item: Json, where: Json) -> Iterator[tuple[str, Json, str, int]]:
    for place, part in enumerate(item["summary"]):
        here = where | {"summary_index": place}
        yield "response.reasoning_summary_part.added", here | {"part": part | {"text": ""}}, "", 0
        for piece in words(part["text"]):
            yield "response.reasoning_summary_text.delta", here | {"delta": piece}, piece, 1
        yield "response.reasoning_summary_text.done", here | {"text": part["text"]}, "", 0
        yield "response.reasoning_summary_part.done", here | {"part": part}, "", 0


def _function(item: Json, where: Json) -> Iterator[tuple[str, Json, str, int]]:
    for piece in words(item["arguments"]):
        yield "response.function_call_arguments.delta", where | {"delta": piece}, piece, 1
    last = where | {"name": item["name"], "arguments": item["arguments"]}
    yield "response.function_call_arguments.done", last, "", 0


def _custom(item: Json, where: Json) -> Iterator[tuple[str, Json, str, int]]:
    for piece in words(item["input"]):
        yield "response.custom_tool_call_input.delta", where | {"delta": piece}, piece, 1
    yield "response.custom_tool_call_input.done", where | {"input": item["input"]}, "", 0


def _searched(_: Json, where: Json) -> Iterator[tuple[str, Json, str, int]]:
    for step in ("in_progress", "searching", "completed"):
        yield f"response.web_search_call.{step}", where, "", 0


_GROWTH: dict[str, Any] = {
    "message": _message,
    "reasoning": _reasoning,
    "function_call": _function,
    "custom_tool_call": _custom,
    "web_search_call": _searched,
}
