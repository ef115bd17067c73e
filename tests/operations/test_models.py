from __future__ import annotations

import json
from dataclasses import replace

import pytest
from openai.types import Model as SdkModel

from tests.catalog.rows import ALL, catalog, principal, provider, settings
from writingmate.errors import NotFound, PermissionDenied
from writingmate.operations.models import get_model, list_models
from writingmate.settings import ProviderSection
from writingmate.types import Plan

SERVED = catalog(provider("openai"), provider("openrouter"))
FLASH = {
    "id": "google/gemini-2.5-flash",
    "object": "model",
    "created": 1_742_428_800,
    "owned_by": "google",
    "name": "Gemini 2.5 Flash",
    "context_length": 1_048_576,
    "max_output_tokens": 65_535,
    "tier": "pro",
    "modalities": {"input": ["text", "image", "file", "audio", "video"], "output": ["text"]},
    "endpoints": ["chat.completions", "completions", "responses", "messages"],
    "pricing": {"input": "0.30", "output": "2.50"},
}


def test_one_model_has_openais_fields_and_ours() -> None:
    assert json.loads(get_model(SERVED, principal(), ALL, "google/gemini-2.5-flash")) == FLASH


def test_the_list_has_all_that_are_served() -> None:
    body = json.loads(list_models(SERVED, principal(), ALL))
    assert body.keys() == {"object", "data"}
    assert body["object"] == "list"
    assert [entry["id"] for entry in body["data"]] == [model.slug for model in SERVED.models()]
    assert FLASH in body["data"]


def test_openais_own_type_accepts_every_entry() -> None:
    for entry in json.loads(list_models(SERVED, principal(), ALL))["data"]:
        assert SdkModel.model_validate(entry, strict=True).id == entry["id"]


def test_without_a_price_it_says_null() -> None:
    served = catalog(provider("lab"), given=settings(lab=ProviderSection(models=("a",))))
    assert json.loads(get_model(served, principal(), ALL, "lab/a"))["pricing"] is None


def test_a_keys_own_list_limits_both() -> None:
    limited = principal("openai/gpt-5", "not/served")
    assert [entry["id"] for entry in json.loads(list_models(SERVED, limited, ALL))["data"]] == [
        "openai/gpt-5"
    ]
    with pytest.raises(PermissionDenied) as caught:
        get_model(SERVED, limited, ALL, "openai/gpt-5-mini")
    assert caught.value.code == "model_not_in_plan"


def test_a_plan_limits_both() -> None:
    pro = Plan("premium", "Premium", tiers=("basic", "pro"))
    listed = [entry["tier"] for entry in json.loads(list_models(SERVED, principal(), pro))["data"]]
    assert set(listed) == {"pro"}
    assert len(listed) < len(SERVED.models())
    with pytest.raises(PermissionDenied) as caught:
        get_model(SERVED, principal(), pro, "anthropic/claude-opus-4.5")
    assert caught.value.code == "model_not_in_plan"


def test_an_unknown_model_is_not_found_in_openais_words() -> None:
    with pytest.raises(NotFound) as caught:
        get_model(SERVED, principal("openai/gpt-5"), ALL, "x")
    assert json.loads(caught.value.envelope()) == {
        "error": {
            "message": "The model 'x' does not exist",
            "type": "invalid_request_error",
            "param": "model",
            "code": "model_not_found",
        }
    }


def test_with_nothing_configured_the_list_is_empty() -> None:
    assert list_models(catalog(), principal(), ALL) == b'{"object":"list","data":[]}'


def test_a_caller_with_an_own_key_sees_what_only_openrouter_serves() -> None:
    served = catalog(provider("openai"), own=provider("openrouter", key=None))
    byok = replace(principal(), byok=True)
    slug = "google/gemini-2.5-flash"
    assert json.loads(get_model(served, byok, ALL, slug)) == FLASH
    assert FLASH in json.loads(list_models(served, byok, ALL))["data"]
    assert FLASH not in json.loads(list_models(served, principal(), ALL))["data"]
    with pytest.raises(NotFound):
        get_model(served, principal(), ALL, slug)
