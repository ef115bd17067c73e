"""What a chat request becomes in Gemini's dialect: every field, every model, judged by Google's own types."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.fakes import gemini_judge
from writingmate.dialects import chat, gemini
from writingmate.dialects.exchange import Exchange
from writingmate.errors import InvalidRequest, UnsupportedParameter
from writingmate.wire import document

FLASH, PRO, NEW = "gemini-2.5-flash", "gemini-2.5-pro", "gemini-3.8-flash"
HELLO = [{"role": "user", "content": "Hello"}]
OBJECT = {"type": "object"}
CITY = {"type": "object", "properties": {"city": {"$ref": "#/$defs/city"}}, "$defs": {"city": OBJECT}}
TOOL = {"type": "function", "function": {"name": "look", "parameters": CITY}}
LOOK = {"name": "look", "parametersJsonSchema": CITY}
OTHER = {"type": "function", "function": {"name": "now", "description": "The time.", "parameters": OBJECT}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": CITY}}
PNG = "data:image/png;base64,iVBORw0KGgo="
IMAGE = {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}
SIGNED = "c2lnbmVk"


def config(**said: Any) -> dict[str, Any]:
    return {"generationConfig": said}


def calling(**said: Any) -> dict[str, Any]:
    return {"toolConfig": {"functionCallingConfig": said}}


#: A value of every field that says something, and what becomes of it; None if it is refused.
FIELDS: dict[str, tuple[Any, dict[str, Any] | None]] = {
    "model": ("a/b", {}),
    "messages": (HELLO, {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}),
    "audio": ({"voice": "alloy", "format": "mp3"}, None),
    "frequency_penalty": (0.5, config(frequencyPenalty=0.5)),
    "function_call": ("auto", None),
    "functions": ([{"name": "f"}], None),
    "logit_bias": ({"50256": -100}, None),
    "logprobs": (True, config(responseLogprobs=True)),
    "max_completion_tokens": (7, config(maxOutputTokens=7)),
    "max_tokens": (7, config(maxOutputTokens=7)),
    "metadata": ({"a": "b"}, {}),
    "modalities": (["text", "audio"], None),
    "moderation": ({"model": "omni"}, None),
    "n": (2, config(candidateCount=2)),
    "parallel_tool_calls": (False, {}),
    "prediction": ({"type": "content", "content": "x"}, {}),
    "presence_penalty": (-1, config(presencePenalty=-1)),
    "prompt_cache_key": ("k", {}),
    "prompt_cache_options": ({"mode": "explicit"}, {}),
    "prompt_cache_retention": ("24h", {}),
    "reasoning_effort": ("low", config(thinkingConfig={"thinkingBudget": 1024, "includeThoughts": True})),
    "response_format": (SCHEMA, config(responseMimeType="application/json", responseJsonSchema=CITY)),
    "safety_identifier": ("u-2", {}),
    "seed": (1, config(seed=1)),
    "service_tier": ("flex", {"serviceTier": "flex"}),
    "stop": (["a", "b"], config(stopSequences=["a", "b"])),
    "store": (True, {}),
    "stream": (True, {}),
    "stream_options": ({"include_usage": True}, {}),
    "temperature": (0.5, config(temperature=0.5)),
    "tool_choice": ("none", calling(mode="NONE")),
    "tools": ([TOOL], {"tools": [{"functionDeclarations": [LOOK]}]}),
    "top_logprobs": (3, config(responseLogprobs=True, logprobs=3)),
    "top_p": (0.5, config(topP=0.5)),
    "user": ("u-1", {}),
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


def begun(served: str, /, **fields: Any) -> Exchange:
    asked = document.parse(msgspec.json.encode({"model": "a/b", "messages": HELLO, **fields}))
    return Exchange.begin("chat", asked, ["gemini"], model=served, slug="a/b", request_id="r")


def sent(served: str = FLASH, /, **fields: Any) -> dict[str, Any]:
    """What Google gets of a request with these fields; it must have nothing against it."""
    (leg,) = begun(served, **fields).legs
    body: dict[str, Any] = msgspec.json.decode(leg.body)
    assert gemini_judge.fault(body, served) is None
    return body


def refused(served: str = FLASH, /, **fields: Any) -> str | None:
    """The field that a request with these is refused for."""
    with pytest.raises(UnsupportedParameter) as caught:
        sent(served, **fields)
    assert caught.value.param is not None
    assert caught.value.param in caught.value.message
    return caught.value.param


def loop(*calls: dict[str, Any], **message: Any) -> list[Any]:
    """A user's message, an assistant's with these calls, and a result of each."""
    made = [
        {"type": "function", "function": {"name": "look", "arguments": '{"a":1}'}, **call} for call in calls
    ]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "seen"} for call in calls]
    return [*HELLO, {"role": "assistant", "content": None, **message, "tool_calls": made}, *results]


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
    ("name", "value"),
    [
        *gemini.NEUTRAL.items(),
        ("response_format", {"type": "text"}),
        ("n", 1),
        ("logprobs", False),
        ("frequency_penalty", 0),
        ("presence_penalty", 0.0),
        ("service_tier", "default"),
        ("reasoning_effort", "default"),
        ("stop", []),
    ],
)
def test_what_is_so_anyway_may_be_said(name: str, value: Any) -> None:
    assert sent(**{name: value}) == PLAIN


def test_what_a_format_is_for_is_told_with_its_schema() -> None:
    form = {"name": "x", "description": "A place.", "schema": {"type": "object"}}
    said = sent(response_format={"type": "json_schema", "json_schema": form})["generationConfig"]
    assert said["responseJsonSchema"] == {"type": "object", "description": "A place."}


def test_fields_of_other_vendors() -> None:
    assert sent(top_k=5) == PLAIN | config(topK=5)
    assert refused(min_p=0.1) == "min_p"
    assert refused(safety_settings=[]) == "safety_settings"


@pytest.mark.parametrize(
    ("served", "streaming", "place"),
    [
        (FLASH, False, "/gemini-2.5-flash:generateContent"),
        (FLASH, True, "/gemini-2.5-flash:streamGenerateContent?alt=sse"),
        ("models/gemini-2.5-flash", False, "/gemini-2.5-flash:generateContent"),
        ("../keys?x=#", False, "/..%2Fkeys%3Fx%3D%23:generateContent"),
    ],
)
def test_the_model_and_the_method_are_in_the_address(served: str, place: str, *, streaming: bool) -> None:
    (leg,) = begun(served, stream=streaming).legs
    assert (leg.dialect, leg.place) == ("gemini", place)


@pytest.mark.parametrize(
    ("choice", "becomes", "names"),
    [
        (None, {}, ["look", "now"]),
        ("auto", {}, ["look", "now"]),
        ("required", calling(mode="ANY"), ["look", "now"]),
        (
            {"type": "function", "function": {"name": "now"}},
            calling(mode="ANY", allowedFunctionNames=["now"]),
            ["look", "now"],
        ),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [OTHER]}},
            calling(mode="ANY"),
            ["now"],
        ),
    ],
)
def test_choices_of_tools(choice: Any, becomes: dict[str, Any], names: list[str]) -> None:
    chosen = {} if choice is None else {"tool_choice": choice}
    body = sent(tools=[TOOL, OTHER], **chosen)
    (declared,) = body.pop("tools")
    assert body == PLAIN | becomes
    assert [function["name"] for function in declared["functionDeclarations"]] == names


def test_a_function_without_parameters_declares_none() -> None:
    (declared,) = sent(tools=[OTHER])["tools"]
    assert declared["functionDeclarations"] == [{"name": "now", "description": "The time."}]
    free = {"type": "object", "additionalProperties": True}
    (declared,) = sent(tools=[{"type": "function", "function": {"name": "f", "parameters": free}}])["tools"]
    assert declared["functionDeclarations"] == [{"name": "f", "parametersJsonSchema": free}]


def test_strict_calls_fit_their_schemas() -> None:
    strict = {"type": "function", "function": {**TOOL["function"], "strict": True}}  # type: ignore[dict-item]
    assert sent(tools=[strict, OTHER])["toolConfig"] == calling(mode="VALIDATED")["toolConfig"]
    assert sent(tools=[strict], tool_choice="required")["toolConfig"] == calling(mode="ANY")["toolConfig"]


def test_fields_that_came_unchecked() -> None:
    with pytest.raises(InvalidRequest, match="ultra"):
        sent(reasoning_effort="ultra")
    with pytest.raises(InvalidRequest, match=r"tools\[0\]\.function\.parameters"):
        sent(tools=[{"type": "function", "function": {"name": "f", "parameters": "much"}}])
    odd = {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "auto", "tools": [1, {"function": {"name": []}}]},
    }
    assert sent(tools=[TOOL], tool_choice=odd) == PLAIN


def test_tools_that_are_no_functions() -> None:
    custom = {"type": "custom", "custom": {"name": "c"}}
    assert refused(tools=[TOOL, custom]) == "tools[1].type"
    assert refused(tools=[TOOL], tool_choice={"type": "mcp"}) == "tool_choice"


@pytest.mark.parametrize(
    ("model", "effort", "thinking"),
    [
        (FLASH, "none", {"thinkingBudget": 0}),
        (FLASH, "minimal", 1024),
        (FLASH, "medium", 8192),
        ("gemini-2.5-flash-lite", "high", 24_576),
        (FLASH, "max", 24_576),
        (PRO, "high", 24_576),
        (PRO, "xhigh", 32_768),
        ("gemini-3-pro-preview", "medium", "HIGH"),
        ("gemini-3.1-pro-preview", "minimal", "LOW"),
        ("gemini-3.1-pro-preview", "medium", "MEDIUM"),
        ("gemini-3-flash-preview", "minimal", "MINIMAL"),
        ("gemini-3.1-flash-lite", "minimal", "MINIMAL"),
        (NEW, "minimal", "LOW"),
        (NEW, "max", "HIGH"),
        ("gemini-4-something", "high", "HIGH"),
        ("gemini-2.0-flash", "none", None),
    ],
)
def test_effort_by_model(model: str, effort: str, thinking: Any) -> None:
    wanted = thinking
    if isinstance(thinking, (int, str)):
        name = "thinkingBudget" if isinstance(thinking, int) else "thinkingLevel"
        wanted = {name: thinking, "includeThoughts": True}
    body = sent(model, reasoning_effort=effort)
    assert body.get("generationConfig", {}).get("thinkingConfig") == wanted


def test_what_some_models_do_not_take() -> None:
    assert refused(NEW, reasoning_effort="none") == "reasoning_effort"
    assert refused(PRO, reasoning_effort="none") == "reasoning_effort"
    assert refused("gemini-2.0-flash", reasoning_effort="low") == "reasoning_effort"
    assert refused(tools=[TOOL], response_format=SCHEMA) == "response_format"
    assert "tools" in sent(NEW, tools=[TOOL], response_format=SCHEMA)
    assert refused(n=9) == "n"
    assert refused(seed=2**31) == "seed"
    assert sent(seed=-(2**31)) == PLAIN | config(seed=-(2**31))


@pytest.mark.parametrize(
    "signed",
    [
        {"extra_content": {"google": {"thought_signature": SIGNED}}},
        {"detail": {"data": SIGNED, "format": "google-gemini-v1", "id": "c1"}},
        {"detail": {"data": SIGNED, "format": "google-gemini-v1google-gemini-v1", "id": "c1"}},
    ],
)
@pytest.mark.parametrize("model", [FLASH, NEW])
def test_signatures_come_back_with_their_calls(model: str, signed: dict[str, Any]) -> None:
    detail = signed.pop("detail", None)
    details = {} if detail is None else {"reasoning_details": [{"type": "reasoning.encrypted", **detail}, 1]}
    body = sent(model, messages=loop({"id": "c1", **signed}, {"id": "c2"}, **details), tools=[TOOL])
    one, two = body["contents"][1]["parts"]
    assert one == {
        "functionCall": {"id": "c1", "name": "look", "args": {"a": 1}},
        "thoughtSignature": SIGNED,
    }
    assert "thoughtSignature" not in two
    if detail is not None:
        signed["detail"] = detail


def test_a_signature_that_was_lost_is_done_without() -> None:
    lost = loop({"id": "c1"}, {"id": "c2"})
    one, two = sent(NEW, messages=lost, tools=[TOOL])["contents"][1]["parts"]
    assert one["thoughtSignature"] == "skip_thought_signature_validator"
    assert "thoughtSignature" not in two
    assert "skip" not in str(sent(FLASH, messages=lost, tools=[TOOL]))
    others = [{"type": "reasoning.encrypted", "data": "x", "format": "anthropic-claude-v1"}]
    assert sent(NEW, messages=loop({"id": "c1"}, reasoning_details=others), tools=[TOOL]) == sent(
        NEW, messages=loop({"id": "c1"}), tools=[TOOL]
    )


def test_a_signature_of_text_stands_with_its_last_part() -> None:
    extra = {"extra_content": {"google": {"thought_signature": SIGNED}}}
    answered = {
        "role": "assistant",
        "content": [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}],
    }
    body = sent(messages=[*HELLO, answered | extra, *HELLO])
    assert body["contents"][1]["parts"] == [{"text": "A"}, {"text": "B", "thoughtSignature": SIGNED}]
    silent = {"role": "assistant", "content": "", **extra}
    body = sent(messages=[*HELLO, silent, *HELLO])
    assert body["contents"][1]["parts"] == [{"text": "", "thoughtSignature": SIGNED}]
    body = sent(NEW, messages=loop({"id": "c1"}, **extra), tools=[TOOL])
    assert body["contents"][1]["parts"][0]["thoughtSignature"] == SIGNED


def test_results_are_one_content_and_pictures_in_them_go_along() -> None:
    messages = loop({"id": "c1"}, {"id": "c2"})
    messages[2]["content"] = [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": PNG}}]
    messages.append({"role": "user", "content": "Go on."})
    new, old = (sent(model, messages=messages, tools=[TOOL])["contents"][2:] for model in (NEW, FLASH))
    one, two = [
        {"id": each, "name": "look", "response": {"result": text}}
        for each, text in (("c1", "x"), ("c2", "seen"))
    ]
    assert new[0]["parts"] == [{"functionResponse": one | {"parts": [IMAGE]}}, {"functionResponse": two}]
    assert old[0]["parts"] == [{"functionResponse": one}, {"functionResponse": two}, IMAGE]
    assert [content["parts"] for content in (new[1], old[1])] == [[{"text": "Go on."}]] * 2


def test_instructions_from_anywhere_become_one() -> None:
    messages = [{"role": "system", "content": "A"}, *HELLO, {"role": "developer", "content": "B"}, *HELLO]
    body = sent(messages=messages)
    assert body["systemInstruction"] == {"parts": [{"text": "A"}, {"text": "B"}]}
    assert body["contents"] == [{"role": "user", "parts": [{"text": "Hello"}, {"text": "Hello"}]}]


@pytest.mark.parametrize(
    ("part", "becomes"),
    [
        ({"type": "image_url", "image_url": {"url": PNG}}, IMAGE),
        ({"type": "image_url", "image_url": PNG}, IMAGE),
        (
            {"type": "image_url", "image_url": {"url": "https://h/a.JPG?x=1"}},
            {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://h/a.JPG?x=1"}},
        ),
        ({"type": "image_url", "image_url": {"url": "http://h/a"}}, {"fileData": {"fileUri": "http://h/a"}}),
        (
            {"type": "image_url", "image_url": {"url": "https://[x/a.png"}},
            {"fileData": {"fileUri": "https://[x/a.png"}},
        ),
        (
            {"type": "video_url", "video_url": {"url": "gs://b/a.mp4"}},
            {"fileData": {"mimeType": "video/mp4", "fileUri": "gs://b/a.mp4"}},
        ),
        (
            {
                "type": "file",
                "file": {"filename": "a", "file_data": "data:text/csv;charset=utf-8;base64,YQ=="},
            },
            {"inlineData": {"mimeType": "text/csv", "data": "YQ=="}},
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "UklG", "format": "mp3"}},
            {"inlineData": {"mimeType": "audio/mp3", "data": "UklG"}},
        ),
    ],
)
def test_parts(part: dict[str, Any], becomes: dict[str, Any]) -> None:
    assert sent(messages=[said(part)])["contents"][0]["parts"] == [becomes]


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "function", "name": "f", "content": "x"}, "messages[1].role"),
        (said({"type": "thing"}), "messages[1].content[0].type"),
        (said({"type": "file", "file": {"file_id": "f"}}), "messages[1].content[0].file.file_id"),
        (
            {"role": "system", "content": [{"type": "image_url", "image_url": {"url": PNG}}]},
            "messages[1].content",
        ),
        (
            {"role": "assistant", "content": [{"type": "image_url", "image_url": {"url": PNG}}]},
            "messages[1].content",
        ),
        ({"role": "assistant", "audio": {"id": "a"}}, "messages[1].audio"),
        ({"role": "assistant", "function_call": {"name": "f"}}, "messages[1].function_call"),
        ({"role": "assistant", "tool_calls": [{"id": "c", "type": "custom"}]}, "messages[1].tool_calls[0]"),
    ],
)
def test_messages_that_cannot_be_expressed(message: dict[str, Any], param: str) -> None:
    assert refused(messages=[*HELLO, message]) == param


def called(**function: Any) -> dict[str, Any]:
    return {"role": "assistant", "tool_calls": [{"id": "c", "function": function}]}


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ("x", "messages[1]"),
        ({"role": "user", "content": 1}, "messages[1].content"),
        ({"role": "user", "content": [1]}, "messages[1].content[0]"),
        (said({"type": "image_url", "image_url": {}}), "messages[1].content[0].image_url.url"),
        (said({"type": "image_url", "image_url": {"url": "x"}}), "messages[1].content[0].image_url.url"),
        (said({"type": "file", "file": {}}), "messages[1].content[0].file.file_data"),
        (said({"type": "input_audio"}), "messages[1].content[0].input_audio.data"),
        (
            said({"type": "input_audio", "input_audio": {"data": "x", "format": "a/b"}}),
            "messages[1].content[0].input_audio.format",
        ),
        ({"role": "tool", "content": "x"}, "messages[1].tool_call_id"),
        ({"role": "tool", "tool_call_id": "c", "content": "x"}, "messages[1].tool_call_id"),
        (called(), "messages[1].tool_calls[0].function.name"),
        (called(name="f", arguments="[1"), "messages[1].tool_calls[0].function.arguments"),
        ({"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}, "messages[1].tool_calls[0].id"),
    ],
)
def test_messages_without_a_shape(message: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        sent(messages=[*HELLO, message])
    assert caught.value.param == param


def test_conversations_that_cannot_begin() -> None:
    with pytest.raises(InvalidRequest, match="any content"):
        sent(messages=[{"role": "system", "content": "x"}, {"role": "user", "content": ""}])
    assert refused(response_format={"type": "grammar"}) == "response_format"
    with pytest.raises(InvalidRequest, match=r"json_schema\.schema"):
        sent(response_format={"type": "json_schema", "json_schema": {"name": "x"}})
    assert sent(response_format={"type": "json_object"}) == PLAIN | config(
        responseMimeType="application/json"
    )


def test_a_participants_name_comes_before_what_they_say() -> None:
    asked = [
        {"role": "system", "name": "rules", "content": "Be kind."},
        {"role": "user", "name": "alice", "content": "Hello"},
    ]
    made = sent(messages=asked)
    assert made["systemInstruction"]["parts"] == [{"text": "rules:"}, {"text": "Be kind."}]
    assert made["contents"] == [{"role": "user", "parts": [{"text": "alice:"}, {"text": "Hello"}]}]


def test_a_schemas_description_is_told_to_the_model() -> None:
    described = {"name": "x", "description": "A town.", "schema": OBJECT}
    made = sent(response_format={"type": "json_schema", "json_schema": described})
    assert made["generationConfig"]["responseJsonSchema"] == {"description": "A town.", **OBJECT}
