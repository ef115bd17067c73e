"""What a chat request becomes in Anthropic's dialect: every field, every model, judged by its own types."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.fakes import anthropic_judge
from writingmate.dialects import chat, messages
from writingmate.dialects.exchange import Exchange
from writingmate.errors import InvalidRequest, UnsupportedParameter
from writingmate.wire import document

HELLO = [{"role": "user", "content": "Hello"}]
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
OTHER = {"type": "function", "function": {"name": "now", "strict": True}}
OBJECT = {"type": "object"}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": OBJECT}}

#: A value of every field that says something, and what becomes of it; None if it is refused.
FIELDS: dict[str, tuple[Any, dict[str, Any] | None]] = {
    "model": ("a/b", {"model": "claude-haiku-4-5"}),
    "messages": (HELLO, {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]}),
    "audio": ({"voice": "alloy", "format": "mp3"}, None),
    "frequency_penalty": (0.5, None),
    "function_call": ("auto", None),
    "functions": ([{"name": "f"}], None),
    "logit_bias": ({"50256": -100}, None),
    "logprobs": (True, None),
    "max_completion_tokens": (7, {"max_tokens": 7}),
    "max_tokens": (7, {"max_tokens": 7}),
    "metadata": ({"a": "b"}, {}),
    "modalities": (["text", "audio"], None),
    "moderation": ({"model": "omni"}, None),
    "n": (2, None),
    "parallel_tool_calls": (False, {}),
    "prediction": ({"type": "content", "content": "x"}, {}),
    "presence_penalty": (-1, None),
    "prompt_cache_key": ("k", {}),
    "prompt_cache_options": ({"mode": "explicit"}, {}),
    "prompt_cache_retention": ("24h", {}),
    "reasoning_effort": ("low", {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
    "response_format": (SCHEMA, {"output_config": {"format": {"type": "json_schema", "schema": OBJECT}}}),
    "safety_identifier": ("u-2", {"metadata": {"user_id": "u-2"}}),
    "seed": (1, None),
    "service_tier": ("auto", {"service_tier": "auto"}),
    "stop": (["a", "b"], {"stop_sequences": ["a", "b"]}),
    "store": (True, {}),
    "stream": (True, {"stream": True}),
    "stream_options": ({"include_usage": True}, {}),
    "temperature": (0.5, {"temperature": 0.5}),
    "tool_choice": ("none", {"tool_choice": {"type": "none"}}),
    "tools": ([TOOL], {"tools": [{"name": "look", "input_schema": {"type": "object", "properties": {}}}]}),
    "top_logprobs": (3, None),
    "top_p": (0.5, {"top_p": 0.5}),
    "user": ("u-1", {"metadata": {"user_id": "u-1"}}),
    "verbosity": ("low", None),
    "web_search_options": ({}, None),
}  # fmt: skip
TOGETHER: dict[str, dict[str, Any]] = {
    "tool_choice": {"tools": [TOOL]},
    "top_logprobs": {"logprobs": True},
    "stream_options": {"stream": True},
    "function_call": {"functions": [{"name": "f"}]},
}


def said(part: dict[str, Any]) -> dict[str, Any]:
    """The user's message of one part."""
    return {"role": "user", "content": [part]}


def sent(served: str = "claude-haiku-4-5", /, cap: int = 8192, **fields: Any) -> dict[str, Any]:
    """What Anthropic gets of a request with these fields; it must have nothing against it."""
    asked = document.parse(msgspec.json.encode({"model": "a/b", "messages": HELLO, **fields}))
    exchange = Exchange.begin("chat", asked, ["messages"], model=served, slug="a/b", request_id="r", cap=cap)
    (leg,) = exchange.legs
    body: dict[str, Any] = msgspec.json.decode(leg.body)
    assert anthropic_judge.fault(body) is None
    return body


def refused(served: str = "claude-haiku-4-5", /, **fields: Any) -> str | None:
    """The field that a request with these is refused for."""
    with pytest.raises(UnsupportedParameter) as caught:
        sent(served, **fields)
    assert caught.value.param is not None
    assert caught.value.param in caught.value.message
    return caught.value.param


PLAIN = sent()


def test_every_field_of_chat_is_known() -> None:
    assert set(FIELDS) == set(chat.GRAMMAR.rules)


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_is_carried_translated_or_refused(name: str) -> None:
    value, becomes = FIELDS[name]
    beside = TOGETHER.get(name, {})
    chat.GRAMMAR.check(
        document.parse(msgspec.json.encode({"model": "m", "messages": HELLO, **beside, name: value}))
    )
    if becomes is None:
        assert refused(**{**beside, name: value}) in {name, *beside}
    else:
        assert sent(**{**beside, name: value}) == (sent(**beside) if beside else PLAIN) | becomes


def nullable(name: str) -> bool:
    try:
        chat.GRAMMAR.check(document.parse(msgspec.json.encode({"model": "m", "messages": HELLO, name: None})))
    except InvalidRequest:
        return False
    return True


@pytest.mark.parametrize("name", sorted(filter(nullable, FIELDS)))
def test_null_says_nothing(name: str) -> None:
    nothing: dict[str, Any] = {name: None}
    assert sent(**nothing) == PLAIN


@pytest.mark.parametrize(
    ("name", "value"), [*messages.NEUTRAL.items(), ("response_format", {"type": "text"})]
)
def test_what_is_so_anyway_may_be_said(name: str, value: Any) -> None:
    assert sent(**{name: value}) == PLAIN


def test_fields_of_other_vendors() -> None:
    assert sent(top_k=5)["top_k"] == 5
    native = {"type": "enabled", "budget_tokens": 1024}
    assert sent(thinking=native)["thinking"] == native
    assert refused(min_p=0.1) == "min_p"


def test_what_a_format_is_for_is_told_with_its_schema() -> None:
    def schema(form: dict[str, Any]) -> Any:
        return sent(response_format={"type": "json_schema", "json_schema": form})["output_config"]["format"][
            "schema"
        ]

    assert schema({"name": "x", "description": "A place.", "schema": OBJECT}) == {
        **OBJECT,
        "description": "A place.",
    }
    own = {**OBJECT, "description": "Mine."}
    assert schema({"name": "x", "description": "A place.", "schema": own}) == own


def test_without_a_limit_the_model_may_write_all_it_can() -> None:
    assert sent(cap=64_000)["max_tokens"] == 64_000


@pytest.mark.parametrize(
    ("choice", "becomes", "names"),
    [
        (None, None, ["look", "now"]),
        ("auto", {"type": "auto"}, ["look", "now"]),
        ("required", {"type": "any"}, ["look", "now"]),
        ({"type": "function", "function": {"name": "now"}}, {"type": "tool", "name": "now"}, ["look", "now"]),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [OTHER]}},
            {"type": "any"},
            ["now"],
        ),
    ],
)
def test_choices_of_tools(choice: Any, becomes: object, names: list[str]) -> None:
    chosen = {} if choice is None else {"tool_choice": choice}
    body = sent(tools=[TOOL, OTHER], **chosen)
    assert body.get("tool_choice") == becomes
    assert [tool["name"] for tool in body["tools"]] == names
    assert body["tools"][-1]["strict"] is True


def test_fields_that_came_unchecked() -> None:
    with pytest.raises(InvalidRequest, match="'thinking'"):
        sent(thinking="much")
    with pytest.raises(InvalidRequest, match="ultra"):
        sent(reasoning_effort="ultra")
    odd = {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "auto", "tools": [1, {"function": {"name": []}}]},
    }
    assert sent(tools=[TOOL], tool_choice=odd)["tools"] == []


def test_one_call_at_most() -> None:
    body = sent(tools=[TOOL], tool_choice="required", parallel_tool_calls=False)
    assert body["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    body = sent(tools=[TOOL], tool_choice="none", parallel_tool_calls=False)
    assert body["tool_choice"] == {"type": "none"}


def test_tools_that_are_no_functions() -> None:
    custom = {"type": "custom", "custom": {"name": "c"}}
    assert refused(tools=[TOOL, custom]) == "tools[1].type"
    assert refused(tools=[TOOL], tool_choice={"type": "mcp"}) == "tool_choice"


@pytest.mark.parametrize(
    ("model", "effort", "thinking", "output"),
    [
        ("claude-haiku-4-5-20251001", "high", {"type": "enabled", "budget_tokens": 24_576}, None),
        ("claude-opus-4-5", "none", None, None),
        ("claude-sonnet-4-6", "xhigh", "adaptive", "high"),
        ("claude-opus-4-8", "xhigh", "adaptive", "xhigh"),
        ("claude-opus-5", "minimal", "adaptive", "low"),
        ("claude-opus-5", "none", {"type": "disabled"}, None),
        ("claude-sonnet-5", "none", {"type": "disabled"}, None),
        ("claude-sonnet-5-5", "none", {"type": "between_tools"}, None),
        ("claude-sonnet-5-5", "max", "adaptive", "max"),
        ("claude-opus-5-5", "default", None, None),
        ("some-other", "medium", "adaptive", "medium"),
    ],
)
def test_effort_by_model(model: str, effort: str, thinking: Any, output: str | None) -> None:
    body = sent(model, cap=64_000, reasoning_effort=effort)
    wanted = {"type": "adaptive", "display": "summarized"} if thinking == "adaptive" else thinking
    assert body.get("thinking") == wanted
    assert body.get("output_config", {}).get("effort") == output


def test_the_budget_leaves_room_for_an_answer() -> None:
    assert sent(reasoning_effort="high", max_tokens=1500)["thinking"]["budget_tokens"] == 1024
    assert refused(reasoning_effort="high", max_tokens=1024) == "reasoning_effort"


def test_what_some_models_do_not_take() -> None:
    assert refused("claude-opus-5-5", reasoning_effort="none") == "reasoning_effort"
    assert refused("claude-opus-4-8", temperature=0) == "temperature"
    assert refused("claude-sonnet-5", top_p=0.9) == "top_p"
    assert sent("claude-opus-5", temperature=1, top_p=1).keys() == PLAIN.keys()
    assert refused(temperature=0, reasoning_effort="low") == "temperature"
    assert refused(temperature=0.1, top_p=0.9) == "top_p"
    assert "temperature" not in sent(temperature=1.7)
    assert refused("claude-sonnet-5-5", tools=[TOOL], tool_choice="required") == "tool_choice"
    assert refused(tools=[TOOL], tool_choice="required", reasoning_effort="low") == "tool_choice"


def test_a_forced_call_turns_off_thinking_that_is_on_by_itself() -> None:
    assert sent("claude-opus-5", tools=[TOOL], tool_choice="required")["thinking"] == {"type": "disabled"}
    assert "thinking" not in sent("claude-opus-5", tools=[TOOL])


def test_a_tool_loop_that_lost_its_thinking_goes_on_without() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    asked = {"role": "assistant", "content": None, "tool_calls": [call]}
    signed = asked | {"thinking_blocks": [{"type": "thinking", "thinking": "Hm", "signature": "s"}]}
    result = {"role": "tool", "tool_call_id": "c", "content": ""}
    lost = sent(messages=[*HELLO, asked, result], tools=[TOOL], reasoning_effort="low")
    assert "thinking" not in lost
    kept = sent(messages=[*HELLO, signed, result], tools=[TOOL], reasoning_effort="low")
    assert kept["thinking"]["type"] == "enabled"
    thought = {"type": "thinking", "thinking": "Hm", "signature": "s"}
    assert kept["messages"][1]["content"][0] == thought


def test_caches_are_marked_where_the_client_marked_them() -> None:
    mark = {"type": "ephemeral"}
    part = {"type": "text", "text": "Long", "cache_control": mark}
    body = sent(
        messages=[{"role": "system", "content": [part]}, *HELLO], tools=[TOOL | {"cache_control": mark}]
    )
    assert body["system"] == [part]
    assert body["tools"][0]["cache_control"] == mark


def test_what_is_begun_for_the_model_ends_without_spaces() -> None:
    body = sent(messages=[*HELLO, {"role": "assistant", "content": "I say: \n"}])
    assert body["messages"][1]["content"] == [{"type": "text", "text": "I say:"}]


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "function", "name": "f", "content": "x"}, "messages[1].role"),
        (
            {"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]},
            "messages[1].content[0].type",
        ),
        (said({"type": "file", "file": {"file_id": "f"}}), "messages[1].content[0].file.file_id"),
        ({"role": "assistant", "audio": {"id": "a"}}, "messages[1].audio"),
        ({"role": "assistant", "function_call": {"name": "f"}}, "messages[1].function_call"),
        ({"role": "assistant", "tool_calls": [{"id": "c", "type": "custom"}]}, "messages[1].tool_calls[0]"),
    ],
)
def test_messages_that_cannot_be_expressed(message: dict[str, Any], param: str) -> None:
    assert refused(messages=[*HELLO, message]) == param


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ("x", "messages[1]"),
        ({"role": "user", "content": 1}, "messages[1].content"),
        ({"role": "user", "content": [1]}, "messages[1].content[0]"),
        (said({"type": "image_url", "image_url": {}}), "messages[1].content[0].image_url.url"),
        (said({"type": "image_url", "image_url": {"url": "x"}}), "messages[1].content[0].image_url.url"),
        (
            {"role": "user", "content": [{"type": "file", "file": {}}]},
            "messages[1].content[0].file.file_data",
        ),
        ({"role": "tool", "content": "x"}, "messages[1].tool_call_id"),
        (
            {"role": "assistant", "tool_calls": [{"id": "c", "function": {}}]},
            "messages[1].tool_calls[0].function.name",
        ),
        (
            {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "[1"}}]},
            "messages[1].tool_calls[0].function.arguments",
        ),
    ],
)
def test_messages_without_a_shape(message: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        sent(messages=[*HELLO, message])
    assert caught.value.param == param


def test_conversations_that_cannot_begin() -> None:
    assert refused(messages=[{"role": "assistant", "content": "Hi"}]) == "messages"
    with pytest.raises(InvalidRequest, match="any content"):
        sent(messages=[{"role": "user", "content": " "}])
    assert refused(response_format={"type": "json_object"}) == "response_format"
    assert refused(stop=["\n"]) == "stop"
    with pytest.raises(InvalidRequest, match=r"json_schema\.schema"):
        sent(response_format={"type": "json_schema", "json_schema": {"name": "x"}})


def test_a_participants_name_comes_before_what_they_say() -> None:
    named = {"role": "user", "name": "alice", "content": "Hello"}
    asked = [{"role": "system", "name": "rules", "content": "Be kind."}, named]
    made = sent(messages=asked)
    assert [block["text"] for block in made["system"]] == ["rules:", "Be kind."]
    assert [block["text"] for block in made["messages"][0]["content"]] == ["alice:", "Hello"]
    silent = {"role": "user", "name": "bob", "content": ""}
    assert sent(messages=[silent, *HELLO]) == PLAIN


def test_a_schemas_description_is_told_to_the_model() -> None:
    described = {"name": "x", "description": "A town.", "schema": OBJECT}
    form = sent(response_format={"type": "json_schema", "json_schema": described})["output_config"]["format"]
    assert form["schema"] == {"description": "A town.", **OBJECT}
    described["schema"] = {**OBJECT, "description": "Its own."}
    form = sent(response_format={"type": "json_schema", "json_schema": described})["output_config"]["format"]
    assert form["schema"]["description"] == "Its own."
