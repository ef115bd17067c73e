"""What becomes of everything in Anthropic's published request, where a provider only chats."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from anthropic.types import (
    DocumentBlockParam,
    ImageBlockParam,
    SearchResultBlockParam,
    TextBlockParam,
    ToolParam,
    ToolResultBlockParam,
    ToolUseBlockParam,
    content_block_param,
    message_count_tokens_params,
    message_create_params,
    output_config_param,
    tool_choice_param,
    tool_union_param,
)
from anthropic.types.beta import message_create_params as beta_params

from tests.dialects.test_responses_fields import types_of
from writingmate.dialects import anthropic, anthropic_request, chat
from writingmate.dialects.exchange import Exchange
from writingmate.errors import InvalidRequest, UnsupportedParameter
from writingmate.wire import document

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
TOOL: dict[str, Any] = {"name": "look", "input_schema": {"type": "object", "properties": {"a": {}}}}
SENT_TOOL = {"type": "function", "function": {"name": "look", "parameters": TOOL["input_schema"]}}
OBJECT = {"type": "object", "properties": {}}
FORMAT = {
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": OBJECT},
    }
}

#: A value of every field that says something, and what becomes of it; None if it is refused.
FIELDS: dict[str, tuple[Any, dict[str, Any] | None]] = {
    "model": ("a/b", {}),
    "messages": (HELLO, {"messages": [{"role": "user", "content": "Hello"}]}),
    "max_tokens": (7, {"max_completion_tokens": 7}),
    "billing_policy": ({"type": "x"}, None),
    "cache_control": ({"type": "ephemeral"}, {}),
    "compaction": ({"type": "auto"}, None),
    "container": ("container_1", None),
    "context_management": ({"edits": [{"type": "clear_tool_uses_20250919"}]}, None),
    "diagnostics": ({"previous_message_id": None}, {}),
    "fallback_credit_token": ("t", None),
    "fallbacks": ([{"model": "x"}], None),
    "inference_geo": ("us", None),
    "mcp_servers": ([{"type": "url", "url": "https://x", "name": "x"}], None),
    "metadata": ({"user_id": "u-1"}, {}),
    "output_config": ({"effort": "low"}, {"reasoning_effort": "low"}),
    "output_format": ({"type": "json_schema", "schema": OBJECT}, FORMAT),
    "service_tier": ("standard_only", {"service_tier": "default"}),
    "speed": ("fast", None),
    "stop_sequences": (["a", "b"], {"stop": ["a", "b"]}),
    "stream": (True, {"stream": True, "stream_options": {"include_usage": True}}),
    "system": ("Be kind.", {"messages": [{"role": "system", "content": "Be kind."}, *HELLO]}),
    "temperature": (0.5, {"temperature": 0.5}),
    "thinking": ({"type": "enabled", "budget_tokens": 5000}, {"reasoning_effort": "medium"}),
    "thread": ({"id": "t"}, None),
    "tool_choice": ({"type": "none"}, {}),
    "tools": ([TOOL], {"tools": [SENT_TOOL]}),
    "top_k": (5, {"top_k": 5}),
    "top_p": (0.5, {"top_p": 0.5}),
    "user_profile_id": ("p", None),
    "workspace_id": ("wrkspc_1", None),
}
#: Values that say what is so anyway.
NEUTRAL: list[dict[str, Any]] = [
    {"speed": "standard"},
    {"fallbacks": []},
    {"mcp_servers": []},
    {"container": None},
    {"service_tier": "auto"},
    {"thinking": {"type": "disabled"}},
    {"thinking": {"type": "adaptive"}},
    {"thinking": {"type": "between_tools"}},
    {"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}},
    {"output_config": {"effort": "high"}},
    {"context_management": {"edits": []}},
    {"context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}},
    {"context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": {"type": "all"}}]}},
    {"tools": [], "tool_choice": {"type": "auto"}},
    {"stop_sequences": []},
]
#: Of version 2023-06-01, or of a beta that has become `output_config`.
EARLIER = {"output_format", "temperature", "top_k", "top_p"}
GIVEN = {"model": "a/b", "max_tokens": 99, "messages": HELLO}


def published(of: Any) -> set[str]:
    return {name for each in of.__mro__ for name in getattr(each, "__annotations__", {})}


def begun(fields: dict[str, Any], model: str = "m") -> Exchange:
    request = document.parse(msgspec.json.encode({**GIVEN, **fields}))
    anthropic.GRAMMAR.check(request)
    return Exchange.begin("messages", request, ["chat"], model=model, slug="a/b", request_id="req_1")


def sent(fields: dict[str, Any], model: str = "m") -> dict[str, Any]:
    made: dict[str, Any] = msgspec.json.decode(begun(fields, model).legs[0].body)
    chat.GRAMMAR.check(document.parse(msgspec.json.encode(made)))
    return made


def refused(fields: dict[str, Any]) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        begun(fields)
    return caught.value


def said(content: Any, role: str = "user", model: str = "m") -> list[dict[str, Any]]:
    """What a turn comes to; one of the assistant's is followed by the user's."""
    turns = [{"role": role, "content": content}]
    if role == "assistant":
        return sent({"messages": [*HELLO, *turns, *HELLO]}, model)["messages"][1:-1]  # type: ignore[no-any-return]
    return sent({"messages": turns}, model)["messages"]  # type: ignore[no-any-return]


def test_every_published_field_is_known_here_and_to_the_codec() -> None:
    known = (
        set(anthropic_request.CARRIED)
        | anthropic_request.TRANSLATED
        | anthropic_request.IGNORED
        | anthropic_request.REFUSED.keys()
    )
    assert set(FIELDS) == known
    general = message_create_params.MessageCreateParamsBase.__annotations__.keys() | {"stream"}
    betas = beta_params.MessageCreateParamsBase.__annotations__.keys() - {"betas"}
    assert (general | betas | EARLIER) == known
    assert message_count_tokens_params.MessageCountTokensParams.__annotations__.keys() <= known


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_a_field_is_carried_translated_or_refused_by_name(name: str) -> None:
    value, expected = FIELDS[name]
    if expected is None:
        error = refused({name: value})
        assert isinstance(error, UnsupportedParameter)
        assert (error.param or "").startswith(name)
        assert "does not speak Anthropic's Messages" in error.message
        return
    plain = {"model": "m", "messages": HELLO, "max_completion_tokens": 99}
    assert sent({name: value}) == {**plain, **expected}


@pytest.mark.parametrize("fields", NEUTRAL, ids=str)
def test_what_is_so_anyway_changes_nothing(fields: dict[str, Any]) -> None:
    assert sent(fields) == sent({})


def test_fields_of_chat_are_refused_and_unknown_ones_carried() -> None:
    foreign = set(chat.GRAMMAR.rules) - set(FIELDS)
    assert {"n", "response_format", "reasoning_effort", "stop", "max_completion_tokens"} <= foreign
    for name in foreign:
        assert refused({name: None}).param == name
    assert sent({"provider": {"order": ["x"]}})["provider"] == {"order": ["x"]}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "7"}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": 1, "content": "x"}]}, "messages[0].role"),
        ({"messages": ["x"]}, "messages[0]"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{}]}]}, "messages[0].content[0].type"),
        ({"messages": [*HELLO, {"role": "assistant", "content": "The answer is"}]}, "messages"),
        ({"system": 5}, "system"),
        ({"temperature": 1.5}, "temperature"),
        ({"stop_sequences": ["a"] * 5}, "stop_sequences"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"thinking": {"type": "x"}}, "thinking.type"),
        ({"thinking": {"type": 1}}, "thinking.type"),
        ({"thinking": {"budget_tokens": 1}}, "thinking.type"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"output_config": {"effort": "huge"}}, "output_config.effort"),
        ({"output_config": {"task_budget": {"total": 1}}}, "output_config.task_budget"),
        ({"output_config": {"format": {"type": "grammar"}}}, "output_config.format.type"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
        ({"output_config": {"format": 5}}, "output_config.format"),
        ({"context_management": {"clear": True}}, "context_management.clear"),
        (
            {"context_management": {"edits": [{"type": "clear_thinking_20251015"}]}},
            "context_management.edits[0]",
        ),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        ({"tool_choice": {}}, "tool_choice.type"),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "x"}}, "tool_choice.name"),
        ({"tools": [{"input_schema": {}}]}, "tools[0].name"),
        ({"tools": [TOOL | {"input_schema": 5}]}, "tools[0].input_schema"),
        ({"tools": [TOOL | {"description": 5}]}, "tools[0].description"),
    ],
    ids=str,
)
def test_bad_input_is_named(fields: dict[str, Any], param: str) -> None:
    assert refused(fields).param == param


def test_what_is_missing_is_named() -> None:
    for name in ("model", "max_tokens", "messages"):
        request = document.parse(msgspec.json.encode({k: v for k, v in GIVEN.items() if k != name}))
        with pytest.raises(InvalidRequest) as caught:
            anthropic.GRAMMAR.check(request)
        assert caught.value.param == name


PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}}
SHOWN = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}}
PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}}
FILE = {"type": "file", "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,JVBE"}}
PAPER = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Words."}}
WORDS = {"type": "text", "text": "Words."}
HIT = {"type": "search_result", "title": "T", "source": "https://x", "content": [WORDS]}
FOUND = [{"type": "text", "text": "T (https://x):"}, WORDS]
MARK = {"type": "ephemeral"}
ON = {"enabled": True}

#: Of each kind of block the fields: what a block with it comes to, None if it is refused by name.
BLOCKS: dict[Any, dict[str, tuple[dict[str, Any], Any]]] = {
    TextBlockParam: {
        "type": (WORDS, [WORDS]),
        "text": (WORDS, [WORDS]),
        "cache_control": (WORDS | {"cache_control": MARK}, [WORDS]),
        "citations": (WORDS | {"citations": [{"type": "char_location"}]}, [WORDS]),
    },
    ImageBlockParam: {
        "type": (PICTURE, [SHOWN]),
        "source": (
            {"type": "image", "source": {"type": "url", "url": "https://x/a.png"}},
            [{"type": "image_url", "image_url": {"url": "https://x/a.png"}}],
        ),
        "cache_control": (PICTURE | {"cache_control": MARK}, [SHOWN]),
        "transformations": (PICTURE | {"transformations": {"resize": 1}}, None),
    },
    DocumentBlockParam: {
        "type": (PDF, [FILE]),
        "source": (
            {"type": "document", "source": {"type": "url", "url": "https://x/a.pdf"}},
            [{"type": "file", "file": {"filename": "document.pdf", "file_data": "https://x/a.pdf"}}],
        ),
        "cache_control": (PDF | {"cache_control": MARK}, [FILE]),
        "citations": (PDF | {"citations": ON}, None),
        "context": (PAPER | {"context": "About."}, [{"type": "text", "text": "About."}, WORDS]),
        "title": (PAPER | {"title": "A"}, [{"type": "text", "text": "A:"}, WORDS]),
    },
    SearchResultBlockParam: {
        "type": (HIT, FOUND),
        "content": (HIT, FOUND),
        "source": (HIT, FOUND),
        "title": (HIT, FOUND),
        "cache_control": (HIT | {"cache_control": MARK}, FOUND),
        "citations": (HIT | {"citations": ON}, None),
    },
}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in BLOCKS for name in BLOCKS[kind]])
def test_a_field_of_a_block_is_translated_or_refused_by_name(kind: Any, name: str) -> None:
    assert set(kind.__annotations__) == set(BLOCKS[kind])
    block, expected = BLOCKS[kind][name]
    after = {"type": "text", "text": "And?"}
    if expected is None:
        error = refused({"messages": [{"role": "user", "content": [block, after]}]})
        assert (error.param, error.code) == (f"messages[0].content[0].{name}", "unsupported_parameter")
        return
    assert said([block, after]) == [{"role": "user", "content": [*expected, after]}]


def test_more_documents() -> None:
    inner = {"type": "document", "source": {"type": "content", "content": [WORDS, PICTURE]}}
    assert said([inner]) == [{"role": "user", "content": [WORDS, SHOWN]}]
    named = PDF | {"title": "a.pdf"}
    assert said([named])[0]["content"][0]["file"]["filename"] == "a.pdf"


TRANSLATED = {
    "text",
    "image",
    "document",
    "search_result",
    "thinking",
    "redacted_thinking",
    "tool_use",
    "tool_result",
}


@pytest.mark.parametrize("name", sorted(types_of(content_block_param.ContentBlockParam) - TRANSLATED))
@pytest.mark.parametrize("role", ["user", "assistant"])
def test_blocks_of_tools_that_anthropic_hosts_are_refused_by_name(name: str, role: str) -> None:
    turns = [*HELLO, {"role": role, "content": [{"type": name}]}, *HELLO]
    error = refused({"messages": turns})
    assert (error.param, error.code) == ("messages[1].content[0].type", "unsupported_parameter")
    assert f"'{name}'" in error.message


def test_the_kinds_of_blocks() -> None:
    assert types_of(content_block_param.ContentBlockParam) > TRANSLATED


@pytest.mark.parametrize(
    "source",
    [{"type": "file", "file_id": "f"}, {"type": "url"}, {"type": "base64", "data": 5}, None, 5, {"type": 5}],
)
@pytest.mark.parametrize("kind", ["image", "document"])
def test_sources_that_are_none(kind: str, source: Any) -> None:
    error = refused({"messages": [{"role": "user", "content": [{"type": kind, "source": source}]}]})
    assert (error.param or "").startswith("messages[0].content[0].source")


#: Fields of a tool of the caller's own: what it comes to, None if it is refused.
TOOLS: dict[str, tuple[Any, dict[str, Any] | None]] = {
    "name": ("look", {}),
    "input_schema": (TOOL["input_schema"], {}),
    "type": ("custom", {}),
    "description": ("d", {"description": "d"}),
    "strict": (True, {"strict": True}),
    "cache_control": (MARK, {}),
    "eager_input_streaming": (True, {}),
    "defer_loading": (True, {}),
    "input_examples": ([{"a": 1}], {"description": 'Examples of input:\n{"a":1}'}),
    "allowed_callers": (["code_execution_20250825"], None),
}


@pytest.mark.parametrize("name", sorted(TOOLS))
def test_a_field_of_a_tool_is_translated_or_refused_by_name(name: str) -> None:
    assert set(TOOLS) == set(ToolParam.__annotations__)
    value, expected = TOOLS[name]
    if expected is None:
        assert refused({"tools": [TOOL | {name: value}]}).param == f"tools[0].{name}"
        return
    made = sent({"tools": [TOOL | {name: value}]})["tools"][0]["function"]
    assert made == SENT_TOOL["function"] | expected  # type: ignore[operator]


def test_tools_in_other_words() -> None:
    assert sent({"tools": [{"name": "now"}]})["tools"][0]["function"]["parameters"] == OBJECT
    assert sent({"tools": [TOOL | {"allowed_callers": ["direct"]}]}) == sent({"tools": [TOOL]})
    both = sent({"tools": [TOOL | {"description": "d", "input_examples": [{}]}]})["tools"][0]
    assert both["function"]["description"] == "d\n\nExamples of input:\n{}"


HOSTED = types_of(tool_union_param.ToolUnionParam) - {"custom"}


@pytest.mark.parametrize("name", sorted(HOSTED))
def test_a_tool_that_anthropic_defines_is_refused_by_name(name: str) -> None:
    error = refused({"tools": [{"type": name, "name": "x"}]})
    assert (error.param, error.code) == ("tools[0].type", "unsupported_parameter")
    assert f"'{name}'" in error.message


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "auto"}, {"tool_choice": "auto"}),
        ({"type": "any"}, {"tool_choice": "required"}),
        ({"type": "none"}, {"tool_choice": "none"}),
        (
            {"type": "tool", "name": "look"},
            {"tool_choice": {"type": "function", "function": {"name": "look"}}},
        ),
        (
            {"type": "auto", "disable_parallel_tool_use": True},
            {"tool_choice": "auto", "parallel_tool_calls": False},
        ),
    ],
)
def test_the_choice_among_tools(choice: dict[str, Any], expected: dict[str, Any]) -> None:
    assert types_of(tool_choice_param.ToolChoiceParam) == {"auto", "any", "tool", "none"}
    made = sent({"tools": [TOOL], "tool_choice": choice})
    assert {name: made[name] for name in ("tool_choice", "parallel_tool_calls") if name in made} == expected


@pytest.mark.parametrize(
    ("fields", "effort"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 4096}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 16_384}}, "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 31_999}}, "high"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}, "output_config": {"effort": "max"}}, "max"),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}}, "xhigh"),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}, "high"),
    ],
)
def test_how_much_to_think(fields: dict[str, Any], effort: str) -> None:
    assert sent(fields)["reasoning_effort"] == effort


def test_the_format_of_an_answer() -> None:
    assert set(output_config_param.OutputConfigParam.__annotations__) == {"effort", "format"}
    made = sent({"output_config": {"format": {"type": "json_schema", "schema": OBJECT}}})
    assert made["response_format"] == FORMAT["response_format"]


CALL = {"type": "tool_use", "id": "c", "name": "look", "input": {"a": 1}}
CALLED = {"id": "c", "type": "function", "function": {"name": "look", "arguments": '{"a":1}'}}
RESULT = {"type": "tool_result", "tool_use_id": "c", "content": "42"}


@pytest.mark.parametrize("name", sorted(ToolUseBlockParam.__annotations__))
def test_a_field_of_a_call(name: str) -> None:
    if name == "toolset_name":
        error = refused(
            {"messages": [*HELLO, {"role": "assistant", "content": [CALL | {name: "x"}]}, *HELLO]}
        )
        assert error.param == "messages[1].content[0].toolset_name"
        return
    more = {"cache_control": MARK, "caller": {"type": "direct"}}
    block = CALL | {name: more[name]} if name in more else CALL
    assert said([block], "assistant") == [{"role": "assistant", "content": None, "tool_calls": [CALLED]}]
    assert name in {*CALL, *more}


@pytest.mark.parametrize("name", sorted(ToolResultBlockParam.__annotations__))
def test_a_field_of_a_result(name: str) -> None:
    if name == "toolset_name":
        error = refused({"messages": [{"role": "user", "content": [RESULT | {name: "x"}]}]})
        assert error.param == "messages[0].content[0].toolset_name"
        return
    more = {"cache_control": MARK, "is_error": True}
    made = said([RESULT | {name: more[name]} if name in more else RESULT])
    text = "Error: 42" if name == "is_error" else "42"
    assert made == [{"role": "tool", "tool_call_id": "c", "content": text}]
    assert name in {*RESULT, *more}


def test_results_come_first_and_their_pictures_before_the_rest() -> None:
    content = [
        {"type": "text", "text": "And now?"},
        RESULT | {"content": [WORDS, PICTURE, {"type": "tool_reference", "tool_name": "t"}]},
        {"type": "tool_result", "tool_use_id": "d"},
    ]
    assert said(content) == [
        {"role": "tool", "tool_call_id": "c", "content": "Words.\nThe tool t can be called."},
        {"role": "tool", "tool_call_id": "d", "content": ""},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Of the output of c:"},
                SHOWN,
                {"type": "text", "text": "And now?"},
            ],
        },
    ]


@pytest.mark.parametrize(
    "block",
    [
        CALL | {"id": None}, CALL | {"name": 5}, CALL | {"input": "x"}, {"type": "text"},
        {"type": "text", "text": 5},
    ],
)  # fmt: skip
def test_blocks_without_a_shape(block: dict[str, Any]) -> None:
    error = refused({"messages": [*HELLO, {"role": "assistant", "content": [block]}, *HELLO]})
    assert (error.param or "").startswith("messages[1].content[0].")


def test_what_the_system_says_in_the_middle() -> None:
    turns = [*HELLO, {"role": "system", "content": [WORDS, {"type": "text", "text": ""}]}, *HELLO]
    assert sent({"messages": turns})["messages"][1] == {"role": "system", "content": "Words."}


def test_a_mark_of_the_cache_stays_where_claude_is_behind_chat() -> None:
    marked = WORDS | {"cache_control": MARK}
    fields = {"system": [marked], "messages": [{"role": "user", "content": [marked]}]}
    for model, expected in (("gpt-5", WORDS), ("anthropic/claude-sonnet-4.5", marked)):
        made = sent(fields, model)["messages"]
        assert [message["content"] for message in made] == (
            ["Words.", "Words."] if expected is WORDS else [[marked], [marked]]
        )
