"""Models that a caller's own OpenRouter key reaches."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.catalog.rows import ALL, catalog, principal, provider, settings
from tests.catalog.test_resolve import LOCAL
from writingmate.catalog.listed import Listed
from writingmate.errors import NotFound, PermissionDenied
from writingmate.settings import ModelSection, RouteSection
from writingmate.types import Pricing

OWN = replace(provider("openrouter", key=None), gathers=True)
BYOK = replace(principal(), byok=True)
HAIKU = "anthropic/claude-haiku-4.5"


def test_what_only_openrouter_serves_is_there_for_callers_with_a_key_and_for_no_others() -> None:
    served = catalog(provider("openai"), own=OWN)
    assert served.get(HAIKU) is None
    assert HAIKU not in [model.slug for model in served.models()]
    with pytest.raises(NotFound):
        served.resolve(principal(), ALL, HAIKU)
    assert served.resolve(BYOK, ALL, HAIKU).slug == HAIKU
    listed = [model.slug for model in served.models(own=True)]
    assert HAIKU in listed
    assert listed == sorted(listed)
    assert {model.slug for model in served.models()} < set(listed)


def test_the_own_route_is_openrouters_without_a_key() -> None:
    served = catalog(provider("openai"), provider("openrouter", key="operators"), own=OWN)
    route = served.own_route("openai/gpt-5")
    assert route is not None
    assert (route.provider, route.model) == (OWN, "openai/gpt-5")
    assert served.resolve(BYOK, ALL, "openai/gpt-5").routes[0].provider.name == "openai"
    operators = served.get(HAIKU)
    assert operators is not None
    assert operators.routes[0].provider.api_key == "operators"


def test_a_model_that_openrouter_does_not_serve_has_no_own_route() -> None:
    mine = ModelSection(routes=(RouteSection("openai", "ft:1"),))
    served = catalog(provider("openai"), given=settings({"mine/tuned": mine}), own=OWN)
    assert served.resolve(BYOK, ALL, "mine/tuned").routes[0].model == "ft:1"
    assert served.own_route("mine/tuned") is None
    assert served.own_route("nope") is None


def test_embedded_models_never_go_out() -> None:
    sly = ModelSection(routes=(RouteSection("openrouter", "a/b"),))
    given = settings({"local/tiny": sly, "local/other": sly})
    served = catalog(local=[LOCAL], given=given, own=OWN)
    assert served.own_route("local/tiny") is None
    assert served.own_route("local/other") is None
    assert served.resolve(BYOK, ALL, "local/tiny") == LOCAL


def test_where_nobody_may_bring_a_key_nothing_changes() -> None:
    served = catalog(provider("openai"))
    assert served.models(own=True) == served.models()
    assert served.own_route("openai/gpt-5") is None


def test_a_keys_own_list_holds_for_these_too() -> None:
    limited = replace(principal("openai/gpt-5"), byok=True)
    with pytest.raises(PermissionDenied):
        catalog(own=OWN).resolve(limited, ALL, HAIKU)


@pytest.mark.parametrize(
    ("row", "tier"),
    [
        (ModelSection(), "ultimate"),
        (ModelSection(tier="pro"), "pro"),
        (ModelSection(pricing=Pricing("0", "0")), "basic"),
        (ModelSection(pricing=Pricing("1", "5")), "pro"),
    ],
)
def test_the_tier_is_the_one_it_has_with_the_operators_key(row: ModelSection, tier: str) -> None:
    routed = replace(row, routes=(RouteSection("openrouter", "a/b"),))
    model = catalog(given=settings({"a/b": routed}), own=OWN).get("a/b", own=True)
    usual = catalog(provider("openrouter"), given=settings({"a/b": routed})).get("a/b")
    assert model is not None
    assert usual is not None
    assert model.tier == usual.tier == tier


def test_openrouters_own_list_serves_callers_with_a_key() -> None:
    served = catalog(own=OWN)
    assert served.discovered("openrouter", {"x/new": Listed(context_length=9)})
    assert served.get("x/new") is None
    model, route = served.get("x/new", own=True), served.own_route("x/new")
    assert model is not None
    assert model.context_length == 9
    assert route is not None
    assert route.model == "x/new"


def test_a_plan_without_own_keys_leaves_out_what_only_they_reach() -> None:
    served = catalog(provider("openai"), own=OWN)
    plan = replace(ALL, byok=False)
    assert HAIKU in {model.slug for model in served.admitted(BYOK, ALL)}
    assert HAIKU not in {model.slug for model in served.admitted(BYOK, plan)}
    with pytest.raises(NotFound):
        served.resolve(BYOK, plan, HAIKU)
