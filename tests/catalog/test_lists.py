from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.gemini_answers import listed
from tests.fakes.openrouter import listing
from writingmate.catalog.listed import Listed
from writingmate.catalog.lists import MOST_MODELS, read_list
from writingmate.catalog.models import is_price
from writingmate.types import Pricing


def read(*entries: Any) -> dict[str, Listed]:
    return read_list(json.dumps({"object": "list", "data": entries}).encode())


def test_openais_four_fields() -> None:
    entry = {"id": "gpt-x", "object": "model", "created": 1_700_000_000, "owned_by": "openai"}
    assert read(entry) == {"gpt-x": Listed(created=1_700_000_000)}


def test_openrouter() -> None:
    entry = {
        "id": "google/gemini-x",
        "name": "Google: Gemini X",
        "created": 1_700_000_000,
        "context_length": 1_048_576,
        "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
        "pricing": {"prompt": "0.0000003", "completion": "0.0000025", "request": "0"},
        "top_provider": {"context_length": 1_048_576, "max_completion_tokens": 65_535, "is_moderated": False},
    }
    assert read(entry)["google/gemini-x"] == Listed(
        name="Google: Gemini X",
        created=1_700_000_000,
        context_length=1_048_576,
        max_output_tokens=65_535,
        input_modalities=("text", "image"),
        output_modalities=("text",),
        pricing=Pricing("0.3", "2.5"),
    )


def test_google_has_names_of_its_own() -> None:
    body = json.dumps({**listed(("gemini-3.8-flash",)), "nextPageToken": "x"}).encode()
    assert read_list(body) == {
        "gemini-3.8-flash": Listed(
            name="Gemini-3.8-Flash", context_length=1_048_576, max_output_tokens=65_536
        )
    }
    odd = [1, {"name": 1}, {"name": "models/x"}, {"name": "models/y", "supportedGenerationMethods": 1}]
    assert read_list(json.dumps({"models": odd}).encode()) == {}


def test_what_openrouter_says_of_fields_and_of_the_end() -> None:
    entry = listing(
        "x/m",
        supported_parameters=["tools", "seed", "tools", 3, "x" * 65],
        expiration_date="2026-12-31",
        architecture={
            "input_modalities": ["text", "smell", "video", "text"],
            "output_modalities": ["image", "text"],
        },
    )
    found = read(entry)["x/m"]
    assert found.parameters == ("seed", "tools")
    assert found.expires == "2026-12-31"
    assert (found.input_modalities, found.output_modalities) == (("text", "video"), ("image", "text"))


@pytest.mark.parametrize(
    "members",
    [
        {"supported_parameters": [], "expiration_date": None},
        {"supported_parameters": None, "expiration_date": "soon"},
        {"supported_parameters": {"tools": True}, "expiration_date": 20261231},
        {"supported_parameters": [None], "expiration_date": "2026-12-31T00:00:00Z"},
    ],
)
def test_what_it_does_not_say_is_not_known(members: dict[str, Any]) -> None:
    found = read(listing("x/m", **members))["x/m"]
    assert (found.parameters, found.expires) == (None, None)


@pytest.mark.parametrize(
    "members",
    [
        {"total_count": 2},
        {"total_count": 1, "links": {"next": "/api/v1/models?offset=1&limit=1"}},
    ],
)
def test_a_part_of_a_list_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(msgspec.DecodeError, match="part"):
        read_list(json.dumps({"data": [listing("x/m")], **members}).encode())


def test_a_whole_list_says_so() -> None:
    whole = {"data": [listing("x/m")], "total_count": 1, "links": {"next": None}}
    assert read_list(json.dumps(whole).encode()).keys() == {"x/m"}


def test_together_sends_a_bare_list_with_prices_a_million() -> None:
    entry = {
        "id": "meta-llama/L",
        "type": "chat",
        "display_name": "L",
        "context_length": 131_072,
        "pricing": {"hourly": 0, "input": 0.88, "output": 0.88, "base": 0},
    }
    other = {"id": "bge", "type": "embedding"}
    assert read_list(json.dumps([entry, other]).encode()) == {
        "meta-llama/L": Listed(name="L", context_length=131_072, pricing=Pricing("0.88", "0.88"))
    }


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (
            {"context_window": 131_072, "max_completion_tokens": 65_536},
            Listed(context_length=131_072, max_output_tokens=65_536),
        ),
        ({"max_context_length": 262_144}, Listed(context_length=262_144)),
        ({"max_model_len": 40_960}, Listed(context_length=40_960)),
        ({"meta": {"n_ctx_train": 32_768}}, Listed(context_length=32_768)),
        ({"created": 1.7e9}, Listed(created=1_700_000_000)),
    ],
    ids=["groq", "mistral", "vllm", "llama.cpp", "a float"],
)
def test_what_others_call_it(entry: dict[str, Any], expected: Listed) -> None:
    assert read({"id": "m", **entry}) == {"m": expected}


@pytest.mark.parametrize(
    "entry",
    [
        {"name": 3, "created": "today", "context_length": "long", "pricing": [], "architecture": "dense"},
        {"created": -1, "context_length": 0, "max_completion_tokens": True, "top_provider": None},
        {"pricing": {"prompt": "-1", "completion": "-1"}},
        {"pricing": {"prompt": "0.1"}},
        {"pricing": {"prompt": "2000000", "completion": "0"}},
        {"pricing": {"prompt": "1.000001", "completion": "1"}},
        {"pricing": {"prompt": "0e-99999", "completion": "0"}},
        {"context_length": 1e300, "meta": {"n_ctx_train": []}},
        {"name": "\x1b[31m", "architecture": {"input_modalities": [1]}},
    ],
)
def test_nonsense_is_left_out(entry: dict[str, Any]) -> None:
    assert read({"id": "m", **entry}) == {"m": Listed()}


@pytest.mark.parametrize(
    "entry",
    [
        3,
        {},
        {"id": 3},
        {"id": ""},
        {"id": "a b"},
        {"id": "é"},
        {"id": "x" * 101},
        {"id": "m", "type": "image"},
        {"id": "m", "architecture": {"output_modalities": ["image"]}},
    ],
)
def test_what_is_no_text_model_is_left_out(entry: object) -> None:
    assert read(entry) == {}


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"data": {}}', b"3", b'"x"', b"\xff"])
def test_what_is_no_list_is_refused(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        read_list(body)


def test_the_number_of_models_is_bounded() -> None:
    assert len(read(*({"id": f"m{number}"} for number in range(MOST_MODELS + 5)))) == MOST_MODELS


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
KEYS = [
    "supported_parameters",
    "expiration_date",
    "name",
    "created",
    "context_length",
    "pricing",
    "architecture",
    "top_provider",
    "meta",
    "type",
]
PRICED = ["prompt", "completion", "input", "output", "overrides", "request"]
PRICES = st.dictionaries(st.sampled_from(PRICED), VALUES)


@given(st.lists(st.dictionaries(st.sampled_from(KEYS), VALUES | PRICES)))
def test_whatever_a_provider_sends_is_read_and_can_be_kept(entries: list[dict[str, Any]]) -> None:
    found = read(*({**entry, "id": f"m{number}"} for number, entry in enumerate(entries)))
    kept = msgspec.json.decode(msgspec.json.encode(found), type=dict[str, Listed])
    assert kept == found
    for row in found.values():
        assert row.pricing is None or (is_price(row.pricing.input) and is_price(row.pricing.output))
