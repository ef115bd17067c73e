"""Calls found in text, as the default model writes them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from writingmate.local.calls import Call, Finder, found

NAMES = ("get_weather", "add")
PARIS = Call("get_weather", '{"city": "Paris", "unit": "c"}')

#: What Qwen2.5 Coder 0.5B said when it was to call a function.
RECORDED = {
    "plain": ('{"name": "get_weather", "arguments": {"city": "Paris", "unit": "c"}}', [PARIS]),
    "fenced": (
        (
            '```json\n{\n  "name": "get_weather",\n  "arguments": {\n    "city": "Paris",\n    '
            '"unit": "c"\n  }\n}\n```'
        ),
        [PARIS],
    ),
    "tagged": (
        '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris", "unit": "c"}}\n</tool_call>',
        [PARIS],
    ),
    "two": (
        (
            '{"name": "get_weather", "arguments": {"city": "Paris", "unit": "c"}}\n'
            '{"name": "add", "arguments": {"a": 2, "b": 3}}'
        ),
        [PARIS, Call("add", '{"a": 2, "b": 3}')],
    ),
    "list": (
        '[{"name": "add", "arguments": {"a": 1, "b": 2}}, {"name": "add", "arguments": {"a": 3, "b": 4}}]',
        [Call("add", '{"a": 1, "b": 2}'), Call("add", '{"a": 3, "b": 4}')],
    ),
    "repeated": ('{"name": "add", "arguments": {}}\n' * 3, [Call("add", "{}")]),
    "quoted": ('{"name": "add", "arguments": "{\\"a\\": 1}"}', [Call("add", '{"a": 1}')]),
    "no arguments": ('{"name": "add"}', [Call("add", "{}")]),
    "called parameters": ('{"name": "add", "parameters": {"a": 1}}', [Call("add", '{"a": 1}')]),
    "broken line": ('{"name": "add", "arguments": {"a": "x\ny"}}', [Call("add", '{"a": "x\\ny"}')]),
    "a stranger": ('{"name": "sea", "arguments": {"city": "sea", "unit": "c"}}', []),
    "prose": ("Recursion is a process where a function calls itself to solve a problem.", []),
    "python": ("```python\ndef add(a, b):\n    return a + b\n```", []),
    "an example": (
        '```json\n{"name": "add", "arguments": {"a": 5}}\n```\n\nThis JSON represents a call.',
        [],
    ),
    "another document": ('{"city": "Paris", "name": "add"}', []),
    "cut": ('{"name": "add", "arguments": {"a": 5', []),
    "numbers": ("[1, 2]", []),
    "a tool as described": ('{"name": "add", "arguments": [1, 2]}', []),
    "nothing": ("", []),
    "blank": ("\n\n", []),
}
PROSE_FIRST = 'Here is the response:\n\n```json\n{"name": "add", "arguments": {"a": 1}}\n```'


@pytest.mark.parametrize(("text", "calls"), RECORDED.values(), ids=RECORDED)
def test_calls_are_found(text: str, calls: list[Call]) -> None:
    assert found(text, NAMES) == calls


@pytest.mark.parametrize(("text", "calls"), RECORDED.values(), ids=RECORDED)
def test_streamed_text_is_either_calls_or_all_said(text: str, calls: list[Call]) -> None:
    said, recovered = run(list(text))
    assert recovered == calls
    assert said == ("" if calls else text)


@given(st.sampled_from([text for text, _ in RECORDED.values()]), st.lists(st.integers(0, 200)))
def test_any_chunking_gives_the_same(text: str, cuts: list[int]) -> None:
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    chunks = [text[start:end] for start, end in pairwise(places)]
    assert run(chunks) == run([text])


@given(st.text(alphabet='{}[]"name: \\`jsonadd\n<tool_call>/arguments1,'))
def test_no_text_is_lost(text: str) -> None:
    said, calls = run(list(text))
    assert calls or said == text


def test_prose_is_said_at_once_and_a_call_after_it_is_found() -> None:
    finder = Finder(NAMES)
    assert finder.feed("Here is the response:") == "Here is the response:"
    assert run(list(PROSE_FIRST)) == ("Here is the response:\n", [Call("add", '{"a": 1}')])


def test_what_cannot_be_a_call_any_more_is_said() -> None:
    finder = Finder(NAMES)
    assert finder.feed('```json\n{"name": "ad') == ""
    assert finder.feed('vice"') == '```json\n{"name": "advice"'


def test_an_answer_cut_off_in_a_further_call_keeps_those_before() -> None:
    text = '{"name": "add", "arguments": {"a": 1}}\n{"name": "add", "argu'
    assert found(text, NAMES, cut=True) == [Call("add", '{"a": 1}')]
    assert found(text, NAMES) == []


def run(chunks: list[str]) -> tuple[str, list[Call]]:
    finder = Finder(NAMES)
    said = "".join(finder.feed(chunk) for chunk in chunks)
    rest, calls = finder.end(cut=False)
    return said + rest, calls
