"""Turns that are kept: as the input of the next, as a list, and what only their maker can read."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from tests.dialects.recordings import frames
from writingmate.dialects import responses_reasoning as reasoning
from writingmate.dialects.exchange import Exchange
from writingmate.dialects.responses_history import Answered, Turn, foreign, items, maker, placed, references
from writingmate.errors import InvalidRequest, UnsupportedParameter
from writingmate.types import DialectName
from writingmate.wire import document, sse

Json = dict[str, Any]
OWN = "resp_abc"
TEXT = {"type": "output_text", "text": "ho", "annotations": [], "logprobs": []}
MESSAGE = {
    "id": "msg_abc_0", "type": "message", "status": "completed", "role": "assistant", "content": [TEXT],
}  # fmt: skip
CALL = {
    "id": "fc_abc_1", "type": "function_call", "status": "completed", "call_id": "c", "name": "f",
    "arguments": "{}",
}  # fmt: skip
SIGNED = [{"type": "reasoning.text", "text": "Hm.", "signature": "s", "index": 0}]
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def turn(said: object, *output: Json, provider: str | None = "openai") -> Turn:
    response = {"id": OWN, "status": "completed", "output": list(output)}
    return Turn(OWN, msgspec.json.encode(said), msgspec.json.encode(response), provider)


def sent(one: Turn) -> list[Json]:
    return [msgspec.json.decode(item) for item in one.sent()]


def without(item: Json, *names: str) -> Json:
    return {name: value for name, value in item.items() if name not in names}


def test_what_goes_on_is_the_input_and_the_output_as_they_came() -> None:
    given_ = [{"id": "msg_x", "role": "user", "content": "hi"}, {"role": "user", "content": "ho"}]
    assert sent(turn(given_, MESSAGE, CALL)) == [*given_, MESSAGE, CALL]
    assert sent(turn("hi")) == [{"role": "user", "content": "hi"}]


def test_a_call_that_was_cut_is_left_out() -> None:
    cut = CALL | {"status": "incomplete", "arguments": '{"a'}
    assert sent(turn("hi", MESSAGE, cut)) == [{"role": "user", "content": "hi"}, MESSAGE]


def test_what_only_its_maker_reads_is_wrapped_for_it() -> None:
    encrypted = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAAA"}
    search = {"id": "ws_1", "type": "web_search_call", "status": "completed"}
    bare = {"id": "rs_2", "type": "reasoning", "summary": []}
    one, two = sent(turn([], encrypted, search, bare))
    for wrapped, item in ((one, encrypted), (two, search)):
        assert (wrapped["type"], wrapped["summary"]) == ("reasoning", [])
        held = reasoning.opened(wrapped["encrypted_content"], "responses openai")
        assert held is not None
        assert msgspec.json.decode(held) == item
        assert reasoning.opened(wrapped["encrypted_content"], "responses other") is None
    assert sent(turn([], encrypted, search, provider=None)) == []
    ours = encrypted | {"encrypted_content": reasoning.wrapped("chat messages", SIGNED)}
    assert sent(turn([], ours)) == [ours]


def test_items_are_listed_whole() -> None:
    proof = reasoning.wrapped("chat messages", SIGNED)
    thought = {
        "id": "rs_abc_0", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}],
        "encrypted_content": proof,
    }  # fmt: skip
    unseen = thought | {"id": "rs_abc_1h", "summary": []}
    one = turn([{"role": "assistant", "content": "hi"}, CALL | {"id": None}], thought, MESSAGE, unseen)
    listed = list(one.listed(output=True, included=False))
    assert [item["id"] for item in listed] == ["msg_abc_i0", "fc_abc_i1", "rs_abc_0", "msg_abc_0"]
    shown = msgspec.json.decode(msgspec.json.encode(listed[0]))
    assert shown["content"] == [{"type": "output_text", "text": "hi", "annotations": [], "logprobs": []}]
    assert "encrypted_content" not in listed[2]
    assert "status" not in listed[2]
    included = list(one.listed(output=True, included=True))[2]
    assert document.value(included["encrypted_content"]) == proof
    assert len(list(one.listed(output=False, included=False))) == 2
    assert len(list(one.listed(output=True, included=True))) == 5


def test_an_id_of_our_making_says_whose_it_is() -> None:
    for name in ("msg_abc_0", "fc_abc_i12", "ctco_abc_i3"):
        assert maker(name) == OWN
    for name in ("msg_1", "abc", "", "msg_abc_", "msg__0", "x" * 200 + "_1"):
        assert maker(name) != OWN
    other = MESSAGE | {"id": "msg_0e91fdaa73e773ea0068f7"}
    answered = msgspec.convert({"id": OWN, "status": "completed"}, Answered)
    answered.output = [document.raw(item) for item in (MESSAGE, other, without(CALL, "id"), {"id": 7})]
    assert foreign(answered) == [other["id"]]


def test_references_are_known_by_their_type_or_by_having_nothing_else() -> None:
    said: list[Any] = [
        {"type": "item_reference", "id": "a"}, {"id": "b"}, {"type": None, "id": "c"}, MESSAGE,
        {"id": "d", "role": "user", "content": "x"}, {"type": "item_reference"}, 3, "x",
    ]  # fmt: skip
    assert references(items(msgspec.json.encode(said))) == {0: "a", 1: "b", 2: "c"}


@pytest.mark.parametrize(
    ("param", "before", "expected"),
    [
        ("input[5].content[0].text", 3, "input[2].content[0].text"),
        ("input[2].call_id", 3, "previous_response_id"),
        ("tools[0]", 3, "tools[0]"),
        (None, 3, None),
    ],
)
def test_a_mistake_is_placed_in_what_was_sent(param: str | None, before: int, expected: str | None) -> None:
    error = placed(UnsupportedParameter(f"See '{param}'.", param=param), before)
    assert isinstance(error, UnsupportedParameter)
    assert (error.param, error.code) == (expected, "unsupported_parameter")
    assert error.message == f"See '{expected}'."
    assert type(placed(InvalidRequest("x", param=param), before)) is InvalidRequest


SPOKEN: tuple[DialectName, ...] = ("chat", "responses", "messages")
WRAPPED = st.builds(lambda text: reasoning.PREFIX + text, st.text(max_size=20))
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(text=WRAPPED | ANYTHING | ANYTHING.map(lambda held: reasoning.wrapped("chat x", held)))
def test_whatever_is_sent_back_is_read_or_left_out(text: object) -> None:
    assert all(isinstance(each, dict) for each in reasoning.details(text, "chat x"))
    assert reasoning.details(text, "chat y") == []
    item = {"type": "reasoning", "summary": [], "encrypted_content": text}
    asked = document.parse(
        msgspec.json.encode({"model": "m", "input": [item, {"role": "user", "content": "x"}]})
    )
    for spoken in SPOKEN:
        Exchange.begin(
            "responses", asked, (spoken,), model="claude-x", slug="s", request_id="r", provider="x"
        )


def answered(chat: list[Json] | Json, *, include: bool = False) -> tuple[list[Json], Json]:
    """The events or the body that a client gets, and the response that is kept."""
    asked = {"model": "m", "input": "hi", "stream": isinstance(chat, list)}
    asked |= {"include": [reasoning.ENCRYPTED]} if include else {}
    exchange = Exchange.begin(
        "responses",
        document.parse(msgspec.json.encode(asked)),
        SPOKEN[:1],
        model="m",
        slug="m",
        request_id="req_abc",
        provider="p",
    )
    if isinstance(chat, dict):
        told = [msgspec.json.decode(exchange.reply([msgspec.json.encode(chat)]))]
    else:
        leg = exchange.legs[0]
        fed = [sse.event(msgspec.json.encode(chunk)) for chunk in chat] + [sse.DONE]
        out = exchange.feed(leg, fed) + exchange.end(leg) + exchange.closing()
        told = [msgspec.json.decode(sse.data(frame)) for frame in frames(out) if sse.name(frame)]
    assert exchange.answered is not None
    return told, msgspec.json.decode(exchange.answered)


def chunk(reason: str | None = None, **delta: Any) -> Json:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


def test_proof_that_comes_behind_the_text_is_an_item_behind_it() -> None:
    """OpenRouter says it last for some models."""
    for include in (False, True):
        told, kept = answered(
            [
                chunk(reasoning_content="Hm."),
                chunk(content="ho"),
                chunk(reasoning_details=SIGNED),
                chunk("stop"),
            ],
            include=include,
        )
        assert [event["sequence_number"] for event in told] == list(range(len(told)))
        for event in told:
            EVENT.validate_python(event)
        response = told[-1]["response"]
        types = ["reasoning", "message", "reasoning"]
        assert [item["type"] for item in response["output"]] == types[: 3 if include else 2]
        assert [item["type"] for item in kept["output"]] == types
        assert [maker(item["id"]) for item in kept["output"]] == [OWN] * 3
        assert len({item["id"] for item in kept["output"]}) == 3
        done = [event["item"] for event in told if event["type"] == "response.output_item.done"]
        assert done == response["output"]
        proof = kept["output"][2]["encrypted_content"]
        assert reasoning.details(proof, "chat p") == SIGNED
        assert reasoning.shown(msgspec.json.encode(kept), included=True) == msgspec.json.encode(kept)
        plain = msgspec.json.decode(reasoning.shown(msgspec.json.encode(kept), included=False))
        assert plain["output"] == response["output"][:2]


def test_reasoning_that_nobody_may_read_is_kept_all_the_same() -> None:
    hidden = [{"type": "reasoning.encrypted", "data": "x", "index": 0}]
    message = {"content": "ho", "reasoning_details": hidden}
    told, kept = answered({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
    assert [item["type"] for item in told[0]["output"]] == ["message"]
    assert [item["type"] for item in kept["output"]] == ["reasoning", "message"]
    assert reasoning.details(kept["output"][0]["encrypted_content"], "chat p") == hidden


def test_what_was_thought_goes_with_what_was_said_behind_it_or_else_before() -> None:
    def thought(name: str) -> Json:
        proofs = [{"type": "reasoning.text", "signature": name}]
        return {"type": "reasoning", "summary": [], "encrypted_content": reasoning.wrapped("chat p", proofs)}

    said = {"role": "assistant", "content": "ho"}
    user = {"role": "user", "content": "hi"}
    output = {"type": "function_call_output", "call_id": "c", "output": "x"}
    conversation = [
        user, thought("nobody's"), user, thought("a"), said, thought("b"), user, thought("c"), CALL,
        thought("d"), output, said, thought("e"),
    ]  # fmt: skip
    asked = document.parse(msgspec.json.encode({"model": "m", "input": conversation}))
    sent_ = {}
    for provider in ("p", "other"):
        exchange = Exchange.begin(
            "responses", asked, SPOKEN[:1], model="m", slug="m", request_id="r", provider=provider
        )
        sent_[provider] = msgspec.json.decode(exchange.legs[0].body)["messages"]
    proofs = [[each["signature"] for each in message.get("reasoning_details", ())] for message in sent_["p"]]
    assert [message["role"] for message in sent_["p"]] == [
        "user", "user", "assistant", "user", "assistant", "tool", "assistant",
    ]  # fmt: skip
    assert proofs == [[], [], ["a", "b"], [], ["c", "d"], [], ["e"]]
    assert "reasoning_details" not in str(sent_["other"])


def test_proof_that_a_stream_says_in_pieces_is_kept_as_one() -> None:
    """As OpenRouter wants it back, and so that it takes no more room than it must."""

    def piece(index: int, **said: str | None) -> Json:
        return {"type": "reasoning.text", "format": "f", "index": index, **said}

    hidden = {"type": "reasoning.encrypted", "data": "x", "index": 2}
    told, kept = answered(
        [
            chunk(reasoning="Hm", reasoning_details=[piece(0, text="Hm", signature=None)]),
            chunk(reasoning=", ", reasoning_details=[piece(0, text=", ")]),
            chunk(reasoning_details=[piece(0, signature="s")]),
            chunk(reasoning="so", reasoning_details=[piece(1, text="so"), hidden, hidden]),
            chunk(content="ho"),
            chunk("stop"),
        ]
    )
    assert told[-1]["response"]["output"][0]["summary"][0]["text"] == "Hm, so"
    assert reasoning.details(kept["output"][0]["encrypted_content"], "chat p") == [
        piece(0, text="Hm, ", signature="s"), piece(1, text="so"), hidden, hidden,
    ]  # fmt: skip
