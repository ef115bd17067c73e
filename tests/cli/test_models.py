from __future__ import annotations

import pytest

from tests.cli.commands import Commands
from writingmate.errors import ConfigurationError


@pytest.fixture
def configured(bare: Commands) -> Commands:
    bare.environ["OPENAI_API_KEY"] = "sk-planted-0123456789"
    return bare


def test_only_models_that_something_configured_serves_are_listed(configured: Commands) -> None:
    models = configured.json("models", "list")
    assert models
    assert all(route.startswith("openai/") for model in models for route in model["routes"])
    shown = configured.run("models", "list")
    assert models[0]["id"] in shown
    assert "sk-planted" not in shown


def test_a_model_is_shown_with_what_it_costs(configured: Commands) -> None:
    model = next(model for model in configured.json("models", "list") if model["pricing"])
    assert configured.json("models", "show", model["id"]) == model
    shown = configured.run("models", "show", model["id"])
    assert f"${model['pricing']['input']} a million tokens" in shown
    assert "text" in shown


def test_an_unknown_model_is_not_shown(configured: Commands) -> None:
    with pytest.raises(ConfigurationError, match="models list"):
        configured.run("models", "show", "nobody/nothing")


def test_lists_that_the_server_keeps_count(configured: Commands) -> None:
    configured.environ["VLLM_BASE_URL"] = "http://127.0.0.1:9/v1"
    kept = configured.data_dir / "catalog" / "vllm.json"
    kept.parent.mkdir(parents=True)
    kept.write_text('{"models": {"our/model": {}}}')
    assert "vllm/our/model" in [model["id"] for model in configured.json("models", "list")]


def test_nothing_configured_says_how_to_add_a_provider(bare: Commands) -> None:
    assert bare.json("models", "list") == []
    assert "OPENAI_API_KEY" in bare.result("models", "list").output
