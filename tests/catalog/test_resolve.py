from __future__ import annotations

import pytest

from tests.catalog.rows import ALL, catalog, principal, provider, settings
from writingmate.catalog.listed import Listed
from writingmate.errors import ConfigurationError, NotFound, PermissionDenied
from writingmate.settings import ModelSection, ProviderSection, RouteSection
from writingmate.types import Model, ModelSlug, Plan, Pricing, Route

LOCAL = Model(
    slug=ModelSlug("local/tiny"),
    name="Tiny",
    owned_by="local",
    created=1,
    tier="basic",
    context_length=4096,
    max_output_tokens=1024,
    routes=(Route(provider("local", key=None), "tiny"),),
)


def slugs(*args: object, **kwargs: object) -> list[str]:
    return [model.slug for model in catalog(*args, **kwargs).models()]  # type: ignore[arg-type]  # passed on


def test_nothing_configured_serves_nothing() -> None:
    assert catalog().models() == []


def test_only_models_with_a_configured_route_are_listed_in_order() -> None:
    listed = slugs(provider("groq"))
    assert listed == ["openai/gpt-oss-120b", "openai/gpt-oss-20b"]
    many = slugs(provider("openrouter"))
    assert many == sorted(many)
    assert "google/gemini-2.5-flash" in many


def test_embedded_models_come_as_they_are() -> None:
    assert catalog(local=[LOCAL]).models() == [LOCAL]
    later = catalog()
    later.local([LOCAL])
    assert later.get("local/tiny") == LOCAL


def test_a_model_is_resolved_by_its_slug() -> None:
    model = catalog(provider("openrouter")).resolve(principal(), ALL, "google/gemini-2.5-flash")
    assert model.routes[0].model == "google/gemini-2.5-flash"


@pytest.mark.parametrize(
    "slug", ["nope", "", "openai/gpt-5-mini ", "OPENAI/gpt-5-mini", "mistralai/codestral-2508"]
)
def test_an_unknown_or_unserved_model_is_not_found(slug: str) -> None:
    with pytest.raises(NotFound) as caught:
        catalog(provider("openai")).resolve(principal(), ALL, slug)
    error = caught.value
    assert (error.status, error.type, error.code, error.param) == (
        404,
        "invalid_request_error",
        "model_not_found",
        None,
    )
    assert error.message == f"The model `{slug}` does not exist or you do not have access to it."


def test_a_megabyte_of_a_name_is_not_repeated() -> None:
    with pytest.raises(NotFound) as caught:
        catalog().resolve(principal(), ALL, "x" * 1_000_000)
    assert len(caught.value.message) < 300


def test_a_keys_own_list_is_kept_to() -> None:
    served = catalog(provider("openai"))
    limited = principal("openai/gpt-5")
    assert served.resolve(limited, ALL, "openai/gpt-5").slug == "openai/gpt-5"
    with pytest.raises(PermissionDenied) as caught:
        served.resolve(limited, ALL, "openai/gpt-5-mini")
    assert (caught.value.status, caught.value.code, caught.value.param) == (403, "model_not_in_plan", "model")
    with pytest.raises(NotFound):
        served.resolve(limited, ALL, "nope")


def test_a_plans_tiers_are_kept_to_and_an_upgrade_is_named() -> None:
    free = Plan("free", "Free", tiers=("basic",))
    better = [Plan(name, name, tiers=("basic", "pro")) for name in ("premium", "team", "other")]
    served = catalog(provider("openai"), local=[LOCAL], plans=lambda: (free, *better))
    assert served.resolve(principal(), free, "local/tiny") == LOCAL
    assert served.admitted(principal(), free) == [LOCAL]
    with pytest.raises(PermissionDenied) as caught:
        served.resolve(principal(), free, "openai/gpt-5-mini")
    error = caught.value
    assert (error.status, error.type, error.code, error.param) == (
        403,
        "permission_error",
        "model_not_in_plan",
        "model",
    )
    assert error.message == (
        "The plan `free` does not include the model `openai/gpt-5-mini`. Use one that GET /models lists, "
        "or upgrade to the plan `premium` or `team`."
    )
    with pytest.raises(NotFound):
        served.resolve(principal(), free, "nope")


def test_where_no_plan_includes_a_model_none_is_named() -> None:
    free = Plan("free", "Free", tiers=("basic",))
    with pytest.raises(PermissionDenied) as caught:
        catalog(provider("openai")).resolve(principal(), free, "openai/gpt-5-mini")
    assert caught.value.message.endswith("Use one that GET /models lists.")


def test_models_named_in_the_settings_are_served_under_the_providers_name() -> None:
    given = settings(lab=ProviderSection(base_url="http://lab/v1", models=("a", "org/b")))
    served = catalog(provider("lab"), given=given)
    assert [model.slug for model in served.models()] == ["lab/a", "lab/org/b"]
    assert served.resolve(principal(), ALL, "lab/org/b").routes[0].model == "org/b"
    assert catalog(given=given).models() == [], "the provider is not configured"


def test_settings_add_change_and_hide() -> None:
    own = ModelSection(routes=(RouteSection("openai", "ft:1"),), pricing=Pricing("0", "0"))
    given = settings(
        {
            "mine/tuned": own,
            "openai/gpt-5": ModelSection(tier="basic", name="Five"),
            "openai/gpt-4o": ModelSection(routes=()),
        }
    )
    served = catalog(provider("openai"), given=given)
    tuned, five = served.get("mine/tuned"), served.get("openai/gpt-5")
    assert tuned is not None
    assert (tuned.tier, tuned.owned_by, tuned.routes[0].model) == ("basic", "mine", "ft:1")
    assert five is not None
    assert (five.tier, five.name, five.context_length) == ("basic", "Five", 400_000)
    assert served.get("openai/gpt-4o") is None


def test_a_wrong_section_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigurationError, match="no provider is called 'nobody'"):
        catalog(given=settings({"a/b": ModelSection(routes=(RouteSection("nobody", "b"),))}))


def test_a_new_list_replaces_the_old_at_once() -> None:
    served = catalog(provider("lab", discovers=True))
    before = served.models()
    assert served.discovered("lab", {"a": Listed(context_length=9)})
    assert served.found("lab").keys() == {"a"}
    assert before == []
    assert not served.discovered("lab", {"a": Listed(context_length=9)})
    assert served.discovered("lab", {"b": Listed()})
    assert [model.slug for model in served.models()] == ["lab/b"]


def test_what_a_provider_says_does_not_overrule_the_settings() -> None:
    given = settings({"lab/a": ModelSection(tier="pro", context_length=5)})
    served = catalog(provider("lab", discovers=True), given=given)
    served.discovered("lab", {"a": Listed(name="Said", context_length=9, tier="basic")})
    model = served.get("lab/a")
    assert model is not None
    assert (model.name, model.tier, model.context_length) == ("Said", "pro", 5)


def test_a_caller_cannot_change_the_list() -> None:
    served = catalog(provider("groq"))
    served.models().clear()
    assert len(served.models()) == 2


def test_a_row_is_known_whether_it_is_served_or_not() -> None:
    row = catalog().row("openai/gpt-5")
    assert row is not None
    assert [route.provider for route in row.routes or ()] == ["openai", "openrouter"]
    assert catalog().row("nobody/nothing") is None
