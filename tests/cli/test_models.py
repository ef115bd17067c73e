from __future__ import annotations

import json

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
    assert configured.json("models", "show", model["id"]).items() >= model.items()
    shown = configured.run("models", "show", model["id"])
    assert f"${model['pricing']['input']} a million tokens" in shown
    assert "text" in shown


def test_an_unknown_model_is_not_shown(configured: Commands) -> None:
    with pytest.raises(ConfigurationError, match="models list"):
        configured.run("models", "show", "nobody/nothing")
    with pytest.raises(ConfigurationError, match=r"Did you mean 'openai/gpt-5\.5'\?"):
        configured.run("models", "show", "openai/gpt-55")


def test_a_model_that_nothing_configured_serves_says_what_would(bare: Commands) -> None:
    bare.environ["OPENAI_API_KEY"] = "sk-planted-0123456789"
    with pytest.raises(ConfigurationError, match=r"would: together \(set TOGETHER_API_KEY\), fireworks"):
        bare.run("models", "show", "z-ai/glm-5.3")
    with pytest.raises(ConfigurationError, match="models list"):
        Commands(bare.data_dir).run("models", "show", "openai/gpt-5.55555")


def test_each_route_is_shown_with_its_quirks_configured_or_not(configured: Commands) -> None:
    first, second = configured.json("models", "show", "openai/gpt-5")["served_by"]
    assert (first["provider"], first["model"], first["configured"]) == ("openai", "gpt-5", True)
    assert first["dialects"] == ["chat", "responses"]
    assert "`max_tokens`: sent as `max_completion_tokens`" in first["quirks"]
    assert (second["provider"], second["configured"], second["dialects"]) == ("openrouter", False, [])
    assert "`n`: a call for each choice" in second["quirks"]
    shown = configured.run("models", "show", "openai/gpt-5")
    assert "1. openai/gpt-5 (speaks chat, responses)" in shown
    assert "`temperature`: refused, but for 1; 0 is left out" in shown
    assert "2. openrouter/openai/gpt-5 (not configured: set OPENROUTER_API_KEY)" in shown
    assert "`n`" not in shown


def test_a_declared_models_route_has_the_quirks_that_settings_give_it(configured: Commands) -> None:
    configured.environ["OLLAMA_BASE_URL"] = "http://127.0.0.1:9/v1"
    kept = configured.data_dir / "catalog" / "ollama.json"
    kept.parent.mkdir(parents=True)
    kept.write_text('{"models": {"llama3.2": {}}}')
    (route,) = configured.json("models", "show", "ollama/llama3.2")["served_by"]
    assert (route["provider"], route["configured"]) == ("ollama", True)
    assert "role `developer`: sent as `system`" in route["quirks"]


def test_lists_that_the_server_keeps_count(configured: Commands) -> None:
    configured.environ["VLLM_BASE_URL"] = "http://127.0.0.1:9/v1"
    kept = configured.data_dir / "catalog" / "vllm.json"
    kept.parent.mkdir(parents=True)
    kept.write_text('{"models": {"our/model": {}}}')
    assert "vllm/our/model" in [model["id"] for model in configured.json("models", "list")]


def test_nothing_configured_says_how_to_add_a_provider(bare: Commands) -> None:
    assert bare.json("models", "list") == []
    assert "OPENAI_API_KEY" in bare.result("models", "list").output


def test_what_openrouters_list_says_is_shown(configured: Commands) -> None:
    configured.environ["OPENROUTER_API_KEY"] = "sk-or-v1-planted-0123456789"
    kept = configured.data_dir / "catalog" / "openrouter.json"
    kept.parent.mkdir(parents=True)
    entry = {
        "parameters": ["tools", "tool_choice"],
        "expires": "2026-12-31",
        "pricing": {"input": "0", "output": "0"},
    }
    kept.write_text(json.dumps({"models": {"x/lean:free": entry}}))
    shown = configured.run("models", "show", "x/lean:free")
    assert "2026-12-31" in shown
    assert "basic" in shown
    assert "`seed`" in shown
    assert configured.json("models", "show", "x/lean:free")["expiration_date"] == "2026-12-31"
