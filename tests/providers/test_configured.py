from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from writingmate.errors import ConfigurationError
from writingmate.providers import ROWS, configured, for_own_keys, known_names, notes
from writingmate.providers.configured import asked
from writingmate.settings import ProviderSection, Settings
from writingmate.types import Provider

HOSTED = {
    "openai": "https://api.openai.com/v1",
    "openrouter": "https://openrouter.ai/api/v1",
    "groq": "https://api.groq.com/openai/v1",
    "mistral": "https://api.mistral.ai/v1",
    "deepseek": "https://api.deepseek.com",
    "xai": "https://api.x.ai/v1",
    "together": "https://api.together.ai/v1",
    "fireworks": "https://api.fireworks.ai/inference/v1",
}
SELF_HOSTED = ["ollama", "vllm", "llamacpp"]


def given(providers: dict[str, ProviderSection] | None = None, /, **environ: str) -> Settings:
    return Settings(providers=providers or {}, environ=environ)


def only(settings: Settings) -> Provider:
    (provider,) = configured(settings)
    return provider


def refusal(settings: Settings) -> str:
    with pytest.raises(ConfigurationError) as caught:
        configured(settings)
    return str(caught.value)


def section(**fields: Any) -> ProviderSection:
    return ProviderSection(**fields)


def test_nothing_is_configured_by_itself() -> None:
    assert configured(given()) == ()


@pytest.mark.parametrize("name", HOSTED)
def test_a_key_is_all_that_a_hosted_provider_needs(name: str) -> None:
    provider = only(given(**{f"{name.upper()}_API_KEY": "k-1"}))
    assert (provider.name, provider.base_url, provider.api_key) == (name, HOSTED[name], "k-1")
    assert provider.paths["chat"] == "/chat/completions"
    assert provider.discovers == provider.gathers == (name == "openrouter")


@pytest.mark.parametrize("name", SELF_HOSTED)
def test_an_address_is_all_that_a_self_hosted_one_needs(name: str) -> None:
    provider = only(given(**{f"{name.upper()}_BASE_URL": "http://gpu:9000"}))
    assert (provider.name, provider.base_url, provider.api_key) == (name, "http://gpu:9000/v1", None)
    assert dict(provider.paths) == {"chat": "/chat/completions", "completions": "/completions"}
    assert provider.discovers


@pytest.mark.parametrize("name", SELF_HOSTED)
def test_a_section_is_enough_for_one_at_its_usual_address(name: str) -> None:
    assert only(given({name: section()})).base_url == ROWS[name].base_url


def test_a_key_alone_does_not_say_where_a_self_hosted_one_is() -> None:
    assert configured(given(VLLM_API_KEY="k")) == ()


def test_an_address_alone_does_not_configure_a_hosted_one() -> None:
    assert configured(given(OPENAI_BASE_URL="http://127.0.0.1:1/v1")) == ()


def test_all_come_in_the_order_of_the_rows() -> None:
    environ = {row.key_variable: "k" for row in ROWS.values()}
    environ |= {row.url_variables[0]: "http://h/v1" for row in ROWS.values()}
    settings = given({"lab": section(base_url="http://lab/v1")}, **environ)
    assert [provider.name for provider in configured(settings)] == [*ROWS, "lab"]
    assert known_names(settings) == {*ROWS, "lab"}


def test_only_mistral_must_not_be_asked_for_usage() -> None:
    environ = {row.key_variable: "k" for row in ROWS.values()}
    asked = {provider.name: provider.stream_usage for provider in configured(given(**environ))}
    assert [name for name, usage in asked.items() if usage == "always"] == ["mistral"]


def test_openrouter_is_told_who_calls() -> None:
    assert only(given(OPENROUTER_API_KEY="k")).headers["x-title"] == "writingmate"


def test_headers_of_a_section_replace_and_remove_those_of_the_row() -> None:
    headers = {"X-Title": "Mine", "X-OpenRouter-Title": "", "HTTP-Referer": "https://mine.example.com"}
    provider = only(given({"openrouter": section(headers=headers)}, OPENROUTER_API_KEY="k"))
    assert provider.headers == {"x-title": "Mine", "http-referer": "https://mine.example.com"}


def test_the_variable_wins_over_the_file() -> None:
    providers = {"groq": section(api_key="file", base_url="https://file/v1")}
    assert only(given(providers)).api_key == "file"
    assert only(given(providers)).base_url == "https://file/v1"
    both = only(given(providers, GROQ_API_KEY="variable", GROQ_BASE_URL="https://variable/v1/"))
    assert (both.api_key, both.base_url) == ("variable", "https://variable/v1")


def test_a_section_can_name_another_variable() -> None:
    settings = given({"groq": section(api_key_env="TEAM_KEY")}, TEAM_KEY="team", GROQ_API_KEY="usual")
    assert only(settings).api_key == "team"


def test_a_section_with_an_address_makes_the_key_of_a_hosted_one_optional() -> None:
    assert only(given({"openai": section(base_url="http://proxy/v1")})).api_key is None


def test_a_section_without_anything_needed_configures_nothing() -> None:
    assert configured(given({"openai": section(discover=True)})) == ()


def test_a_section_changes_what_is_spoken_and_discovered() -> None:
    settings = given({"openai": section(dialects=("completions",), discover=True)}, OPENAI_API_KEY="k")
    provider = only(settings)
    assert dict(provider.paths) == {"completions": "/completions"}
    assert provider.discovers
    assert not only(given({"vllm": section(discover=False)})).discovers


def test_a_further_provider_speaks_chat_unless_told() -> None:
    provider = only(given({"lab": section(base_url="http://lab:1/v1/", api_key="k")}))
    assert provider == Provider("lab", "http://lab:1/v1", {"chat": "/chat/completions"}, "k")


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("gpu", "http://gpu:11434/v1"),
        ("gpu:1", "http://gpu:1/v1"),
        (":1", "http://127.0.0.1:1/v1"),
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),  # noqa: S104  # compared, not bound
        ("0.0.0.0:1", "http://127.0.0.1:1/v1"),
        ("[::1]", "http://[::1]:11434/v1"),
        ("[::]:1", "http://[::1]:1/v1"),
        ("http://gpu:1/", "http://gpu:1/v1"),
        ("https://gpu", "https://gpu:443/v1"),
        ("http://gpu", "http://gpu:80/v1"),
    ],
)
def test_ollamas_own_variable_is_understood(host: str, address: str) -> None:
    assert only(given(OLLAMA_HOST=host)).base_url == address


def test_the_usual_variable_wins_over_ollamas() -> None:
    assert only(given(OLLAMA_HOST="a", OLLAMA_BASE_URL="http://b/v1")).base_url == "http://b/v1"


def test_our_own_key_never_goes_to_a_provider() -> None:
    """Clients are told to export OPENAI_API_KEY with our key; the server may start in the same shell."""
    settings = given(OPENAI_API_KEY="wm_v2.a.b.c", OPENAI_BASE_URL="http://127.0.0.1:8000/api/openai/v1")
    assert configured(settings) == ()
    (note,) = notes(settings)
    assert note.startswith("OPENAI_API_KEY holds a developer key")
    assert "wm_v2" not in note
    assert notes(given(OPENAI_API_KEY="sk-1")) == ()


def test_the_file_still_counts_beside_our_own_key() -> None:
    settings = given({"openai": section(api_key="sk-file")}, OPENAI_API_KEY="wm_v2.a.b.c")
    assert only(settings).api_key == "sk-file"


def test_another_gateway_of_ours_may_be_a_provider() -> None:
    lab = section(base_url="https://other.example.com/api/openai/v1", api_key_env="OTHER_KEY")
    assert only(given({"other": lab}, OTHER_KEY="wm_v2.a.b.c")).api_key == "wm_v2.a.b.c"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            given({"lab": section()}),
            "settings: providers.lab: base_url is missing; it is not one that ships; add base_url.",
        ),
        (
            given({"opena": section()}),
            "settings: providers.opena: base_url is missing; did you mean [providers.openai]?",
        ),
        (
            given({"lab": section(base_url="http://l", api_key_env="LAB")}),
            "settings: providers.lab.api_key_env: LAB is not set; set it, or remove api_key_env.",
        ),
        (
            given(OPENAI_API_KEY="sk-1 sk-2"),
            "OPENAI_API_KEY: holds spaces or characters that no key has; copy it again.",
        ),
        (
            given({"groq": section(api_key="k\n")}),
            "settings: providers.groq.api_key: holds spaces or characters that no key has; copy it again.",
        ),
        (
            given(GROQ_API_KEY="k", GROQ_BASE_URL="http://u:p@h"),
            "GROQ_BASE_URL: must not hold a user name or password; set a key or headers.",
        ),
        (
            given({"lab": section(base_url="http://l", headers={"Host": "x"})}),
            "settings: providers.lab.headers: 'Host' cannot be sent as a header.",
        ),
        (
            given({"lab": section(base_url="http://l", headers={"a b": "x"})}),
            "settings: providers.lab.headers: 'a b' cannot be sent as a header.",
        ),
        (
            given({"lab": section(base_url="http://l", headers={"x-a": "b\r\nc: d"})}),
            "settings: providers.lab.headers.x-a: must be printable ASCII.",
        ),
    ],
)
def test_a_mistake_is_named(settings: Settings, message: str) -> None:
    assert refusal(settings) == message


def test_the_settings_file_is_named() -> None:
    settings = Settings(providers={"lab": section()}, settings_file=Path("/etc/s.toml"))
    assert refusal(settings).startswith("/etc/s.toml: providers.lab: ")


def test_no_key_is_shown() -> None:
    assert "k-1" not in repr(configured(given(OPENAI_API_KEY="k-1")))


def test_callers_own_keys_go_to_openrouter_whether_it_is_configured_or_not() -> None:
    provider = for_own_keys(given())
    assert (provider.name, provider.base_url, provider.api_key) == ("openrouter", HOSTED["openrouter"], None)
    assert provider.headers["x-title"] == "writingmate"
    assert provider.paths == {"chat": "/chat/completions"}
    assert for_own_keys(given(OPENROUTER_API_KEY="k-1")).api_key is None
    moved = given({"openrouter": section(base_url="http://file/v1")}, OPENROUTER_BASE_URL="http://here/v1/")
    assert for_own_keys(moved).base_url == "http://here/v1"
    assert (
        for_own_keys(given({"openrouter": section(base_url="http://file/v1")})).base_url == "http://file/v1"
    )


def test_no_header_that_stands_for_the_operators_key_goes_with_a_callers() -> None:
    headers = {
        "Authorization": "Bearer k-1",
        "X-Api-Key": "k-1",
        "Cookie": "k-1",
        "HTTP-Referer": "https://me",
    }
    provider = for_own_keys(given({"openrouter": section(headers=headers)}))
    assert "k-1" not in str(provider.headers)
    assert provider.headers["http-referer"] == "https://me"


def test_openrouters_list_is_asked_for_unless_the_settings_say_otherwise() -> None:
    assert only(given(OPENROUTER_API_KEY="k-1")).discovers
    silent = given({"openrouter": section(discover=False)}, OPENROUTER_API_KEY="k-1")
    assert not only(silent).discovers
    assert not for_own_keys(given(OPENROUTER_API_KEY="k-1")).discovers
    located = only(given({"openrouter": section(base_url="http://here/v1")}))
    assert (located.api_key, located.discovers) == (None, False)


def test_openrouters_public_list_is_asked_for_without_a_key_and_once() -> None:
    given_discover = given({"openrouter": section(discover=True)})
    own = for_own_keys(given_discover)
    assert asked(configured(given_discover), own) == (own,)
    assert own.discovers
    with_key = given({"openrouter": section(discover=True)}, OPENROUTER_API_KEY="k-1")
    assert asked(configured(with_key), for_own_keys(with_key)) == configured(with_key)


def test_the_document_lists_every_row() -> None:
    text = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
    for row in ROWS.values():
        optional = ", not needed" if row.self_hosted else ""
        elsewhere = " or ".join(f"`{variable}`" for variable in row.url_variables)
        spoken = ", ".join(row.dialects)
        assert f"| `{row.name}` | `{row.key_variable}`{optional} | {elsewhere} | {spoken} |" in text


@pytest.mark.parametrize(
    ("address", "called"),
    [
        ("https://api.anthropic.com", "https://api.anthropic.com/v1"),
        ("https://api.anthropic.com/v1", "https://api.anthropic.com/v1"),
        ("http://proxy:9000/anthropic", "http://proxy:9000/anthropic/v1"),
    ],
)
def test_anthropic_is_called_as_its_own_clients_do(address: str, called: str) -> None:
    provider = only(given(ANTHROPIC_API_KEY="k-1", ANTHROPIC_BASE_URL=address))
    assert provider.base_url == called
    assert dict(provider.paths) == {"messages": "/messages"}
    assert provider.authorized() == {"anthropic-version": "2023-06-01", "x-api-key": "k-1"}
    assert "k-1" not in repr(provider)


def test_whoever_speaks_anthropics_dialect_is_called_like_it() -> None:
    address = "https://elsewhere.example/v1"
    provider = only(given({"mine": section(base_url=address, api_key="k-2", dialects=("messages",))}))
    assert (provider.name, provider.base_url) == ("mine", address)
    assert provider.authorized() == {"anthropic-version": "2023-06-01", "x-api-key": "k-2"}


@pytest.mark.parametrize(
    ("address", "called"),
    [
        ("https://generativelanguage.googleapis.com", "https://generativelanguage.googleapis.com/v1beta"),
        ("https://proxy/google/", "https://proxy/google/v1beta"),
        ("https://proxy/v1beta", "https://proxy/v1beta"),
        ("https://proxy/v1", "https://proxy/v1"),
    ],
)
@pytest.mark.parametrize("variable", ["GEMINI_BASE_URL", "GOOGLE_GEMINI_BASE_URL"])
def test_google_is_called_as_its_own_clients_do(variable: str, address: str, called: str) -> None:
    provider = only(given(GEMINI_API_KEY="k-1", **{variable: address}))
    assert (provider.name, provider.base_url) == ("google", called)
    assert dict(provider.paths) == {"gemini": "/models"}
    assert provider.authorized() == {"x-goog-api-key": "k-1"}
    assert "k-1" not in repr(provider)


def test_whoever_speaks_googles_dialect_is_called_like_it() -> None:
    address = "https://elsewhere.example/v1beta"
    provider = only(given({"mine": section(base_url=address, api_key="k-2", dialects=("gemini",))}))
    assert (provider.name, provider.base_url) == ("mine", address)
    assert provider.authorized() == {"x-goog-api-key": "k-2"}
    assert provider.list_path == ROWS["google"].list_path


def test_a_provider_has_the_quirks_of_its_name_or_those_that_settings_say() -> None:
    assert only(given(OPENAI_API_KEY="k")).quirks == ""
    section = ProviderSection(base_url="http://lab/v1", quirks="mistral")
    assert only(given({"lab": section})).quirks == "mistral"
    assert only(given({"openai": ProviderSection(api_key="k", quirks="none")})).quirks == "none"
    wrong = refusal(given({"lab": ProviderSection(base_url="http://lab/v1", quirks="mistrall")}))
    assert wrong.endswith("providers.lab.quirks: did you mean 'mistral'?")
