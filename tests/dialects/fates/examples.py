"""What fields must say to make sense, in the dialects of clients; all else is made up by `published`."""

from __future__ import annotations

from typing import Any

from tests.dialects.fates.published import ABSENT

DATA = "data:application/pdf;base64,JVBERi0xLjQ="
PICTURE = "https://x/a.png"
USER: dict[str, Any] = {"role": "user", "content": "hi"}
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}}
#: The words that `published` makes up, and the other ones that it compares with.
NAMES = ("x7", "x7z")


def _function(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def _custom(name: str) -> dict[str, Any]:
    return {"type": "custom", "custom": {"name": name}}


def _called(name: str) -> dict[str, Any]:
    return {"id": name, "type": "function", "function": {"name": "look", "arguments": "{}"}}


def _answered(call_id: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": "42"}


def _in_chat(label: str, item: Any) -> Any:
    if label != "messages":
        return item if item is ABSENT else [item]
    if item is ABSENT:
        return [USER]
    if item["role"] == "tool":
        rest = [_answered(name) for name in NAMES if name != item["tool_call_id"]]
        return [USER, {"role": "assistant", "tool_calls": [_called(name) for name in NAMES]}, item, *rest]
    return [USER, item, *(_answered(call["id"]) for call in item.get("tool_calls", ()))]


_TOOLS = {"tools": [_function(name) for name in NAMES]}
_USAGE = {"stream": True, "stream_options": {"include_usage": True}}
CHAT: dict[str, Any] = {
    "asking": {"logprobs": True, "top_logprobs": 2},
    "streaming": _USAGE,
    "base": {"model": "a/b", "messages": [USER]},
    "around": _in_chat,
    "values": {
        "messages[assistant]": {"content": "ho"},
        "image_url.url": PICTURE,
        "input_audio.data": "UklGRg==",
        "content[file].file": {"file_data": DATA},
        "file.file_data": DATA,
        "arguments": '{"a":1}',
        "parameters": SCHEMA,
        "json_schema": {"schema": SCHEMA},
        "json_schema.schema": {"type": "array"},
        "logit_bias": {"50256": 5},
        "n": 2,
        "parallel_tool_calls": False,
        "stream_options": {"include_usage": True},
        "allowed_tools.tools[]": {"type": "function", "function": {"name": "x7"}},
    },
    "beside": {
        "stream_options": {"stream": True},
        "top_logprobs": {"logprobs": True},
        "tool_choice": _TOOLS,
        "tool_choice[custom]": {"tools": [_custom(name) for name in NAMES]},
        "parallel_tool_calls": _TOOLS,
        "function_call": {"functions": [{"name": name} for name in NAMES]},
        "audio": {"modalities": ["text", "audio"]},
    },
}

COMPLETIONS: dict[str, Any] = {
    "asking": {"logprobs": 2},
    "streaming": _USAGE,
    "base": {"model": "a/b", "prompt": "hi"},
    "around": lambda label, item: item if item is ABSENT else [item] * (1 + (label == "prompt")),
    "values": {
        "logit_bias": {"50256": 5},
        "n": 2,
        "logprobs": 5,
        "stream_options": {"include_usage": True},
    },
    "beside": {"stream_options": {"stream": True}},
}

_CALL = {"type": "function_call", "call_id": "x7", "name": "look", "arguments": "{}"}
_PATCH = {"type": "custom_tool_call", "call_id": "x7", "name": "patch", "input": "x"}


def _in_responses(label: str, item: Any) -> Any:
    if label != "input":
        return item if item is ABSENT else [item]
    if item is ABSENT:
        return [USER]
    form = str(item.get("type"))
    call = _PATCH if form.startswith("custom") else _CALL
    if form in ("function_call", "custom_tool_call"):
        return [USER, item, {"type": f"{call['type']}_output", "call_id": item["call_id"], "output": "42"}]
    if form in ("function_call_output", "custom_tool_call_output"):
        calls = [{**call, "call_id": name} for name in NAMES]
        rest = [
            {"type": form, "call_id": name, "output": "42"} for name in NAMES if name != item.get("call_id")
        ]
        return [USER, *calls, item, *rest]
    return [USER, item]


_FUNCTIONS = {
    "tools": [{"type": "function", "name": name, "parameters": SCHEMA, "strict": None} for name in NAMES]
}
_CUSTOM = {"tools": [{"type": "custom", "name": name} for name in NAMES]}
RESPONSES: dict[str, Any] = {
    "asking": {"top_logprobs": 2},
    "base": {"model": "a/b", "input": [USER]},
    "around": _in_responses,
    "values": {
        "input[function_call_output]": {"call_id": "x7"},
        "input[custom_tool_call_output]": {"call_id": "x7"},
        "[input_image]": {"image_url": PICTURE},
        "image_url": PICTURE,
        "[input_file]": {"file_data": DATA},
        "file_data": DATA,
        "arguments": '{"a":1}',
        "parameters": SCHEMA,
        "parallel_tool_calls": False,
        "[json_schema].schema": SCHEMA,
        "tool_choice[allowed_tools].tools[]": {"type": "function", "name": "x7"},
    },
    "beside": {
        "stream_options": {"stream": True},
        "tool_choice": _FUNCTIONS,
        "tool_choice[custom]": _CUSTOM,
        "parallel_tool_calls": _FUNCTIONS,
    },
}


def _used(name: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": name, "name": "look", "input": {}}


def _resulted(call_id: str) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": "42"}


def _in_messages(label: str, item: Any) -> Any:
    """A turn of the assistant's is followed by the user's, calls by their results, which come first."""
    if label == "messages" and item is ABSENT:
        return [USER]
    if label != "messages":
        return item if item is ABSENT else [item]
    blocks = item["content"] if isinstance(item["content"], list) else []
    used = [_resulted(block["id"]) for block in blocks if block["type"] == "tool_use"]
    if item["role"] == "assistant":
        return [USER, item, {"role": "user", "content": used} if used else USER]
    if item["role"] == "system":
        return [USER, item]
    results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
    if not results:
        return [item]
    rest = [_resulted(name) for name in NAMES if name not in results]
    calls = {"role": "assistant", "content": [_used(name) for name in NAMES]}
    return [USER, calls, {**item, "content": [*blocks, *rest]}]


_MINE = {"tools": [{"name": name, "input_schema": SCHEMA} for name in NAMES]}
MESSAGES: dict[str, Any] = {
    "base": {"model": "a/b", "messages": [USER], "max_tokens": 99},
    "around": _in_messages,
    "never": r"messages\[user\]\.content\[(thinking|redacted_thinking|tool_use|server_tool_use)"
    r"|messages\[assistant\]\.content\[(image|document|search_result|tool_result)\]"
    r"|messages\[system\]\.content\[(?!text)",
    "values": {
        "input_schema": SCHEMA,
        "data": "QUFB",
        "url": PICTURE,
        "budget_tokens": 2048,
    },
    "beside": {"tool_choice": _MINE, "thinking": {"max_tokens": 9000}},
}
