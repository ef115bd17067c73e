from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

import writingmate.catalog
from tests.catalog.rows import KNOWN, provider, settings
from writingmate.catalog.models import changed, declared, is_price, is_slug, made, shipped, tier
from writingmate.errors import ConfigurationError
from writingmate.settings import ModelSection, RouteSection, Settings
from writingmate.types import Pricing, Route, Tier

SHIPPED = shipped()
OF_THE_PAGE = {
    "google/gemini-2.5-flash",
    "google/gemini-2.5-pro",
    "openai/gpt-5-mini",
    "anthropic/claude-sonnet-4.5",
}
HOSTED = {
    "anthropic",
    "google",
    "openai",
    "openrouter",
    "groq",
    "mistral",
    "deepseek",
    "xai",
    "together",
    "fireworks",
}
MODALITIES = {"text", "image", "file", "audio", "video"}


def test_the_models_of_the_page_are_there() -> None:
    assert SHIPPED.keys() >= OF_THE_PAGE


@pytest.mark.parametrize("slug", SHIPPED)
def test_a_shipped_row_is_complete_and_plausible(slug: str) -> None:
    row = SHIPPED[slug]
    vendor, _, name = slug.partition("/")
    assert is_slug(slug)
    assert vendor
    assert name
    assert row.name
    assert row.created
    assert 1_600_000_000 < row.created < 1_800_000_000
    assert row.context_length
    assert row.max_output_tokens
    assert 0 < row.max_output_tokens <= row.context_length <= 2_000_000
    assert set(row.input_modalities or ()) <= MODALITIES
    assert "text" in (row.input_modalities or ())
    assert row.pricing
    assert is_price(row.pricing.input)
    assert is_price(row.pricing.output)
    assert Decimal(row.pricing.input) <= Decimal(row.pricing.output)
    assert row.tier is None, "the price decides"


@pytest.mark.parametrize("slug", SHIPPED)
def test_the_vendors_own_route_comes_first_and_openrouter_last(slug: str) -> None:
    routes = SHIPPED[slug].routes or ()
    names = [route.provider for route in routes]
    assert names
    assert len(set(names)) == len(names)
    assert set(names) <= HOSTED
    assert "openrouter" not in names[:-1]
    if names[-1] == "openrouter":
        assert routes[-1].model == slug


def test_slugs_are_in_order() -> None:
    text = Path(writingmate.catalog.__file__ or "").with_name("catalog.toml").read_text(encoding="utf-8")
    assert list(tomllib.loads(text)) == sorted(SHIPPED)


FREE, KEYED = Route(provider("ollama", key=None), "m"), Route(provider("openai"), "m")


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        (("0", "0"), "basic"),
        (("0.00", "0"), "basic"),
        (("0", "0.01"), "pro"),
        (("0.01", "0"), "pro"),
        (("10", "15"), "pro"),
        (("10.00", "15.000"), "pro"),
        (("10.01", "15"), "ultimate"),
        (("10", "15.01"), "ultimate"),
        (("1", "1000"), "ultimate"),
    ],
)
def test_the_tier_follows_the_price(prices: tuple[str, str], expected: Tier) -> None:
    assert tier(Pricing(*prices), [KEYED]) == expected


def test_without_a_price_only_what_needs_no_key_is_free() -> None:
    assert tier(None, [FREE]) == "basic"
    assert tier(None, [KEYED]) == "ultimate"
    assert tier(None, [FREE, KEYED]) == "ultimate"


@pytest.mark.parametrize("text", ["0", "0.30", "1e-7", "1000000", "0.0000000001"])
def test_prices(text: str) -> None:
    assert is_price(text)


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "nan", "inf", "1e400000", "0e-400000", "1e-400000", "1000001"]
)
def test_what_is_no_price(text: str) -> None:
    assert not is_price(text)


@pytest.mark.parametrize("text", ["", "a b", "a\n", "é/x", "x" * 201, "a\x00"])
def test_what_is_no_slug(text: str) -> None:
    assert not is_slug(text)


def test_a_provider_declares_models_under_its_name() -> None:
    rows = declared(
        {}, provider("lab"), {"qwen": ModelSection(name="Qwen"), "/models/x.gguf": ModelSection()}
    )
    assert rows["lab/qwen"] == ModelSection(name="Qwen", routes=(RouteSection("lab", "qwen"),))
    assert rows["lab/models/x.gguf"].routes == (RouteSection("lab", "/models/x.gguf"),)


def test_a_declared_slug_that_exists_is_tried_there_first() -> None:
    known = ModelSection(
        name="Known", routes=(RouteSection("openrouter", "lab/qwen"), RouteSection("lab", "qwen"))
    )
    rows = declared({"lab/qwen": known}, provider("lab"), {"qwen": ModelSection(name="Other")})
    assert rows["lab/qwen"].name == "Known"
    assert rows["lab/qwen"].routes == (RouteSection("lab", "qwen"), RouteSection("openrouter", "lab/qwen"))


def over(slug: str, row: ModelSection, given: ModelSection | None = None) -> ModelSection:
    return changed({slug: given} if given else {}, settings({slug: row}), KNOWN)[slug]


def test_settings_change_only_what_they_name() -> None:
    given = ModelSection(name="A", context_length=10, routes=(RouteSection("openai", "a"),))
    assert over("x/a", ModelSection(tier="pro"), given) == ModelSection(
        name="A", context_length=10, tier="pro", routes=(RouteSection("openai", "a"),)
    )


def test_a_new_slug_of_a_known_provider_needs_no_route() -> None:
    assert over("lab/a/b", ModelSection()).routes == (RouteSection("lab", "a/b"),)


@pytest.mark.parametrize(
    ("slug", "row", "message"),
    [
        (
            "nobody/a",
            ModelSection(),
            "routes are missing; add routes = [{provider = …, model = …}].",
        ),
        ("lab/", ModelSection(), "routes are missing"),
        ("x y", ModelSection(), "a slug is at most 200 characters without spaces."),
        (
            "x/a",
            ModelSection(routes=(RouteSection("opneai", "a"),)),
            "routes: no provider is called 'opneai'; add [providers.opneai], or use one of fireworks,",
        ),
        (
            "lab/a",
            ModelSection(pricing=Pricing("$1", "2")),
            'pricing: write dollars per million tokens, like "0.30".',
        ),
    ],
)
def test_a_mistake_is_named(slug: str, row: ModelSection, message: str) -> None:
    given = Settings(models={slug: row}, settings_file=Path("s.toml"))
    with pytest.raises(ConfigurationError) as caught:
        changed({}, given, KNOWN)
    assert str(caught.value).startswith(f's.toml: models."{slug}": ')
    assert message in str(caught.value)


def test_models_have_the_routes_that_are_configured_in_their_order() -> None:
    (both,) = made(
        {"openai/gpt-5-mini": SHIPPED["openai/gpt-5-mini"]}, [provider("openrouter"), provider("openai")], {}
    )
    assert [(route.provider.name, route.model) for route in both.routes] == [
        ("openai", "gpt-5-mini"),
        ("openrouter", "openai/gpt-5-mini"),
    ]
    assert (both.owned_by, both.tier, both.context_length) == ("openai", "pro", 400_000)
    assert made(SHIPPED, [provider("lab")], {}) == []


def test_what_nobody_said_is_bounded_from_above() -> None:
    (model,) = made({"lab/x": ModelSection(routes=(RouteSection("lab", "x"),))}, [provider("lab")], {})
    assert (model.name, model.context_length, model.max_output_tokens) == ("lab/x", 131_072, 131_072)
    (model,) = made(
        {"lab/x": ModelSection(context_length=8, max_output_tokens=9, routes=(RouteSection("lab", "x"),))},
        [provider("lab")],
        {},
    )
    assert model.max_output_tokens == 8
