"""Models of many vendors in one provider's list: which slugs, which routes, what they lack."""

from __future__ import annotations

from dataclasses import replace

from tests.catalog.rows import ALL, catalog, principal, provider, settings
from writingmate.catalog.listed import Listed
from writingmate.catalog.resolve import Catalog
from writingmate.settings import ModelSection, ProviderSection
from writingmate.types import Plan, Pricing

ROUTER = replace(provider("openrouter"), gathers=True, discovers=True)
FREE = Listed(pricing=Pricing("0", "0"), context_length=32_768)
PAID = Listed(pricing=Pricing("2", "10"), parameters=("temperature", "tools"), expires="2026-12-31")
DEAR = Listed(pricing=Pricing("15", "75"))
LIST = {"x/free:free": FREE, "x/paid": PAID, "x/dear": DEAR, "x/unpriced": Listed()}


def routes(served: Catalog, slug: str) -> list[str]:
    model = served.get(slug)
    assert model is not None
    return [f"{route.provider.name}/{route.model}" for route in model.routes]


def test_their_names_are_slugs() -> None:
    served = catalog(ROUTER)
    assert served.discovered("openrouter", LIST)
    assert routes(served, "x/paid") == ["openrouter/x/paid"]
    assert routes(served, "x/free:free") == ["openrouter/x/free:free"]
    assert served.get("openrouter/x/paid") is None
    model = served.get("x/paid")
    assert model is not None
    assert (model.owned_by, model.expires) == ("x", "2026-12-31")


def test_a_name_without_a_vendor_is_the_providers_own() -> None:
    served = catalog(ROUTER)
    served.discovered("openrouter", {"m": Listed(), "/n/": Listed()})
    assert routes(served, "openrouter/m") == ["openrouter/m"]
    assert routes(served, "openrouter/n") == ["openrouter//n/"]


def test_the_names_of_embedded_models_are_not_theirs() -> None:
    served = catalog(ROUTER)
    served.discovered("openrouter", {"local/tiny": FREE})
    assert served.get("local/tiny") is None


def test_a_plan_sees_what_its_tiers_include() -> None:
    served = catalog(ROUTER)
    served.discovered("openrouter", LIST)

    def seen(plan: Plan) -> set[str]:
        return {str(model.slug) for model in served.admitted(principal(), plan)} & LIST.keys()

    assert seen(replace(ALL, tiers=("basic",))) == {"x/free:free"}
    assert seen(replace(ALL, tiers=("basic", "pro"))) == {"x/free:free", "x/paid"}
    assert seen(ALL) == LIST.keys()


def test_what_ships_wins_and_is_served_there_too() -> None:
    slug = "google/gemini-2.5-flash"
    before = catalog(ROUTER).get(slug)
    served = catalog(ROUTER)
    served.discovered(
        "openrouter", {slug: Listed(name="Other", pricing=Pricing("99", "99"), context_length=9)}
    )
    assert served.get(slug) == before


def test_another_provider_of_the_same_slug_goes_first() -> None:
    lab = provider("lab", discovers=True)
    served = catalog(ROUTER, lab)
    served.discovered("openrouter", {"lab/m": Listed(name="Theirs")})
    served.discovered("lab", {"m": Listed(name="Ours")})
    assert routes(served, "lab/m") == ["lab/m", "openrouter/lab/m"]


def test_the_settings_change_and_hide_what_is_listed() -> None:
    given = settings({"x/paid": ModelSection(tier="basic"), "x/dear": ModelSection(routes=())})
    served = catalog(ROUTER, given=given)
    assert routes(served, "x/paid") == ["openrouter/x/paid"], "before there is a list"
    served.discovered("openrouter", LIST)
    assert routes(served, "x/paid") == ["openrouter/x/paid"]
    paid = served.get("x/paid")
    assert paid is not None
    assert (paid.tier, paid.pricing) == ("basic", Pricing("2", "10"))
    assert served.get("x/dear") is None


def test_names_in_the_settings_stay_where_they_were() -> None:
    served = catalog(ROUTER, given=settings(openrouter=ProviderSection(models=("x/paid", "x/old"))))
    assert routes(served, "openrouter/x/old") == ["openrouter/x/old"]
    served.discovered("openrouter", LIST)
    named = served.get("openrouter/x/paid")
    assert named is not None
    assert (named.tier, routes(served, "openrouter/x/paid")) == ("pro", ["openrouter/x/paid"])


def test_a_route_lacks_what_its_listing_leaves_out() -> None:
    served = catalog(ROUTER, provider("openai"))
    served.discovered("openrouter", LIST | {"openai/gpt-5-mini": Listed(parameters=("tools", "tool_choice"))})
    paid, free, mini = served.get("x/paid"), served.get("x/free:free"), served.get("openai/gpt-5-mini")
    assert paid is not None
    assert {"seed", "logprobs", "response_format"} < paid.routes[0].lacks
    assert "tools" not in paid.routes[0].lacks
    assert free is not None
    assert free.routes[0].lacks == frozenset()
    assert mini is not None
    direct, routed = mini.routes
    assert direct.lacks == frozenset()
    assert "seed" in routed.lacks
    assert mini.expires is None


def test_who_brings_a_key_meets_the_same() -> None:
    own = replace(provider("openrouter", key=None), gathers=True)
    served = catalog(own=own)
    served.discovered("openrouter", LIST)
    assert served.get("x/paid") is None
    route, unpriced = served.own_route("x/paid"), served.get("x/unpriced", own=True)
    assert route is not None
    assert "seed" in route.lacks
    assert unpriced is not None
    assert unpriced.tier == "ultimate"
