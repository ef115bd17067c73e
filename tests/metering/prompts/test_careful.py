from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metering.prompts import files
from writingmate.dialects.attachments import HOSTED, SPOKEN, WINDOW, cheap
from writingmate.metering import tokens
from writingmate.metering.prompts import tally
from writingmate.metering.prompts.careful import Careful, careful
from writingmate.types import DialectName
from writingmate.wire import document

GPT, CLAUDE, GEMINI = "openai/gpt-4o", "anthropic/claude-haiku-4.5", "google/gemini-3.8-flash"


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    tokens.count("the vocabulary is loaded before a deadline runs")


def counted(
    fields: dict[str, Any], slug: str = GPT, dialect: DialectName = "chat", window: int | None = None
) -> Careful:
    """The count, having looked that it is a bound as low as the cheap one."""
    body = msgspec.json.encode(fields)
    request = document.parse(body)
    found = careful(request, dialect=dialect, slug=slug, window=window)
    assert 0 <= found.prompt_tokens <= cheap(request, len(body))
    assert min(found.text, found.images, found.files, found.audio, found.tools) >= 0
    return found


def said(*parts: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": list(parts)}]}


def picture(url: str, **more: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def file(data: str) -> dict[str, Any]:
    return {"type": "file", "file": {"filename": "a.pdf", "file_data": data}}


def sound(data: bytes, form: str) -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": {"data": base64.b64encode(data).decode(), "format": form}}


EMPTY = counted(said())
PNG = files.url("image/png", files.png(1024, 1024))


def test_a_plain_question_is_a_few_tokens_more_than_its_text() -> None:
    found = counted({"messages": [{"role": "user", "content": "hello world"}]})
    assert found == Careful(found.prompt_tokens, text=found.prompt_tokens)
    assert 2 + 3 + 1 + 3 <= found.prompt_tokens <= 40  # as OpenAI's cookbook adds it up


def test_a_long_text_is_far_below_its_bytes() -> None:
    text = "all work and no play makes jack a dull boy " * 20_000
    assert counted(said({"type": "text", "text": text})).prompt_tokens < len(text) // 3


@pytest.mark.parametrize(
    ("part", "slug", "images"),
    [
        (picture(PNG), GPT, 765),
        (picture(PNG, detail="low"), GPT, 85),
        (picture(PNG), CLAUDE, 37 * 37),
        (picture(PNG.replace("+", "-").replace("/9", "_9").rstrip("=")), GEMINI, 1120),
        (picture("data:image/png;base64,AAAA"), GPT, 1445),
        (picture("https://example.com/a.png"), GPT, 1445),
        (picture("https://example.com/a.png", detail="low"), GPT, 85),
        ({"type": "image_url", "image_url": PNG}, GPT, 765),
        ({"type": "input_image", "image_url": PNG, "detail": "low"}, GPT, 85),
        ({"type": "input_image", "file_id": "file-1"}, GPT, 1445),
        ({"type": "image_url"}, GPT, 1445),
        ({"type": "image_url", "image_url": 5}, GPT, 1445),
        ({"type": "image_url", "image_url": {"url": 5, "detail": 5}}, GPT, 1445),
    ],
)
def test_pictures(part: dict[str, Any], slug: str, images: int) -> None:
    assert counted(said(part), slug).images == images


def test_data_may_be_escaped() -> None:
    data = PNG.replace("/", "\\/").replace("+", "\\u002b")
    body = f'{{"messages":[{{"content":[{{"type":"image_url","image_url":{{"url":"{data}"}}}}]}}]}}'
    assert careful(document.parse(body.encode()), dialect="chat", slug=GPT).images == 765


PAGES = files.pdf(4, packed=True)


@pytest.mark.parametrize(
    ("part", "slug", "least", "most"),
    [
        (file(files.url("application/pdf", PAGES)), CLAUDE, 4 * 1_568, 4 * 1_600),
        (file(base64.b64encode(PAGES).decode()), GEMINI, 4 * 1_120, 4 * 1_125),
        (picture(files.url("application/pdf", PAGES)), CLAUDE, 4 * 1_568, 4 * 1_600),
        (file(files.url("text/plain", b"hello world " * 100)), GPT, 200, 300),
        (file(files.url("application/zip", b"PK\3\4\xff\xff")), GPT, WINDOW, WINDOW + 10),
        (file(files.url("application/pdf", b"%PDF-1.7 /Encrypt /Type /Page ")), GPT, WINDOW, WINDOW + 10),
        (file("https://example.com/a.pdf"), GPT, WINDOW, WINDOW + 10),
        (file("data:application/pdf,plain"), GPT, WINDOW, WINDOW + 10),
        (file(""), GPT, WINDOW, WINDOW + 10),
        ({"type": "file", "file": {"file_id": "file-1"}}, GPT, WINDOW, WINDOW + 10),
        ({"type": "file", "file": 5}, GPT, WINDOW, WINDOW + 10),
        ({"type": "input_file", "file_url": "https://example.com/a"}, GPT, WINDOW, WINDOW + 10),
        ({"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AA"}}, GPT, WINDOW, WINDOW + 99),
        (picture(files.url("video/mp4", b"abc")), GPT, WINDOW, WINDOW + 10),
        ({"type": "unheard_of", "at": ["https://example.com"]}, GPT, WINDOW, WINDOW + 99),
        ({"type": "unheard_of", "blob": "x" * 500}, GPT, 500, 550),
    ],
)
def test_files(part: dict[str, Any], slug: str, least: int, most: int) -> None:
    assert least <= counted(said(part), slug).files <= most


@pytest.mark.parametrize(
    ("part", "slug", "audio"),
    [
        (sound(files.wav(45), "wav"), GEMINI, 60 * 32),
        (sound(b"ID3" + b"x" * 57_000, "mp3"), GPT, 30 * 20),
        (picture(files.url("audio/mpeg", b"x" * 110_000)), GPT, 60 * 20),
        ({"type": "input_audio", "input_audio": {"data": "https://example.com/a.wav"}}, GPT, WINDOW),
        ({"type": "input_audio"}, GPT, WINDOW),
    ],
)
def test_sound(part: dict[str, Any], slug: str, audio: int) -> None:
    assert counted(said(part), slug).audio == audio


def test_an_earlier_answer_that_was_spoken() -> None:
    found = counted({"messages": [{"role": "assistant", "content": None, "audio": {"id": "audio_1"}}]})
    assert found.audio == SPOKEN


CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"role": "assistant", "content": "", "tool_calls": [CALL]}, 'weather{"city": "Rome"}'),
        ({"role": "assistant", "tool_calls": [{"type": "custom", "custom": {"name": "c", "input": "i n"}}]},
         "c i n"),
        ({"role": "assistant", "content": None, "function_call": {"name": "old", "arguments": "1"}}, "old 1"),
        ({"role": "assistant", "refusal": "I will not", "reasoning_content": "because of this"},
         "I will not because of this"),
        ({"role": "tool", "tool_call_id": "call_1", "content": "twenty degrees"}, "twenty degrees call_1"),
        ({"role": "developer", "content": [{"type": "text", "text": "be brief"}], "name": "Ada"},
         "be brief Ada"),
        ({"role": "assistant", "content": [{"type": "refusal", "refusal": "not this one"}]}, "not this one"),
        ({"role": "user", "content": "x", "reasoning_details": [{"data": "some opaque text"}]},
         "some opaque text"),
        ({"role": "user", "content": ["a plain string"]}, "a plain string"),
        ({"role": "user", "content": {"not": "a list of parts"}}, "a list of parts"),
        ({"role": 5, "content": 5, "tool_calls": 5}, "5 5 5"),
    ],
)  # fmt: skip
def test_every_text_of_a_message_is_counted(message: dict[str, Any], text: str) -> None:
    found = counted({"messages": [message]})
    assert found.text + found.tools >= tokens.count(text) + 8


SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "description": "where it is"}}}
FUNCTION = {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}


@pytest.mark.parametrize(
    ("fields", "tools"),
    [
        ({"tools": [FUNCTION]}, tokens.count(json.dumps([FUNCTION]))),
        ({"functions": [FUNCTION["function"]]}, tokens.count(json.dumps(FUNCTION["function"]))),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
         tokens.count(json.dumps(SCHEMA))),
        ({"tools": [{"type": "web_search"}]}, HOSTED),
        ({"web_search_options": {}}, HOSTED),
    ],
)  # fmt: skip
def test_tools_and_schemas(fields: dict[str, Any], tools: int) -> None:
    assert counted(fields).tools >= tools
    assert counted(fields, CLAUDE).tools > counted(fields).tools or tools == HOSTED


@pytest.mark.parametrize(
    ("fields", "least", "most"),
    [
        ({"prompt": "hello world"}, 2, 30),
        ({"prompt": ["hello world", "hello world"]}, 4, 60),
        ({"prompt": list(range(1_000))}, 1_000, 1_020),
        ({"prompt": [[1, 2, 3], [4]]}, 4, 40),
        ({"prompt": "hello", "suffix": "world", "n": 5, "best_of": 9}, 2, 30),
        ({"prompt": None}, 0, 20),
        ({"prompt": {"no": "prompt"}}, 5, 40),
        ({}, 0, 20),
    ],
)
def test_prompts_of_completions(fields: dict[str, Any], least: int, most: int) -> None:
    assert least <= counted(fields, dialect="completions").prompt_tokens <= most


def test_nothing_is_more_than_the_window() -> None:
    request = said(file("https://example.com/a.pdf"), {"type": "text", "text": "hello"})
    assert counted(request, window=128_000).prompt_tokens == 128_000
    assert counted(request, window=-1).prompt_tokens == 0


def test_too_much_to_look_at_is_as_large_as_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "_MOST", 3)
    assert counted(said(*[{"type": "text", "text": "a"}] * 3)).text < 100
    assert counted(said(*[{"type": "text", "text": "a"}] * 4)).text > WINDOW
    monkeypatch.setattr(tally, "_LARGE", 10)
    monkeypatch.setattr(tally, "_NESTED", 2)
    assert counted(said({"type": "text", "text": "a"})).text > WINDOW


texts = st.text(max_size=40)
datas = st.one_of(
    st.just(PNG),
    st.just("https://example.com/a"),
    texts,
    st.builds(files.url, st.just("text/x"), st.binary()),
)
parts = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, texts),
    st.builds(lambda url, detail: picture(url, detail=detail), datas, texts),
    st.builds(file, datas),
    st.builds(lambda data: {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}, datas),
    st.dictionaries(st.sampled_from(["type", "text", "file", "image_url", "input_audio", "x"]), st.one_of(
        st.none(), st.integers(), st.sampled_from(["text", "file", "image_url", "input_audio", "video_url"]),
        st.dictionaries(st.sampled_from(["url", "data", "file_data", "detail"]), datas, max_size=3),
    ), max_size=4),
    st.one_of(st.none(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), texts),
)  # fmt: skip
slugs = st.sampled_from([GPT, CLAUDE, GEMINI, "openai/gpt-6-astra", "vendor/unheard-of"])


@given(st.lists(parts, max_size=4), parts, st.integers(0, 4), slugs)
def test_a_further_part_never_costs_less(have: list[Any], more: Any, at: int, slug: str) -> None:
    before, after = said(*have), said(*have[:at], more, *have[at:])
    found, then = counted(before, slug), counted(after, slug)
    assert then.prompt_tokens >= found.prompt_tokens
    bodies = [msgspec.json.encode(each) for each in (before, after)]
    less, greater = (cheap(document.parse(body), len(body)) for body in bodies)
    assert greater >= less


@given(st.lists(texts, min_size=1, max_size=4), slugs)
def test_texts_are_never_counted_below_the_tokenizer(have: list[str], slug: str) -> None:
    found = counted(said(*({"type": "text", "text": text} for text in have)), slug)
    assert found.prompt_tokens >= sum(map(tokens.count, have))


anything = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), texts
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(["role", "content", "type", "audio", "tool_calls", "x"]), inner),
    ),
    max_leaves=20,
)
FIELDS = ("messages", "prompt", "suffix", "tools", "functions", "response_format", "plugins", "model")


@given(st.dictionaries(st.sampled_from(FIELDS), anything), st.sampled_from(["chat", "completions"]), slugs)
def test_nothing_in_a_request_is_an_error(fields: dict[str, Any], dialect: DialectName, slug: str) -> None:
    assert counted(fields, slug, dialect).prompt_tokens >= 0


@pytest.mark.parametrize("nasty", ["a", " ", "=", "\n", "Ax", "\u200d", "/"])
def test_ten_megabytes_take_about_a_second_at_most(nasty: str) -> None:
    request = said({"type": "text", "text": nasty * (10_000_000 // len(nasty.encode()))})
    begun = time.perf_counter()
    counted(request, CLAUDE)
    assert time.perf_counter() - begun < 4  # half a second of counting, on a machine that may be busy


def test_the_vocabulary_is_not_loaded_before_it_is_needed() -> None:
    program = (
        "import writingmate.app\n"
        "from writingmate.metering import tokens\n"
        "from writingmate.metering.prompts.careful import careful\n"
        "print(tokens._loaded.is_set())\n"
        "careful({}, dialect='chat', slug='openai/gpt-4o')\n"
        "print(tokens._loaded.is_set())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "True"]
