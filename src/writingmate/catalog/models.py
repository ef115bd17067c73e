"""Rows of the catalog: shipped, declared by providers, changed by settings; and the Models made of them."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path

from writingmate.catalog.listed import Listed
from writingmate.dialects import abilities
from writingmate.errors import ConfigurationError
from writingmate.settings import ModelSection, RouteSection, Settings, section
from writingmate.types import Model, ModelSlug, Pricing, Provider, Route, Tier

UNKNOWN_CONTEXT = 131_072
LONGEST_SLUG = 200
LOCAL = "local/"

_FILE = Path(__file__).with_name("catalog.toml")
_PRO_INPUT, _PRO_OUTPUT = Decimal(10), Decimal(15)
_DEAREST, _FINEST = Decimal(1_000_000), 20  # dollars; decimal places

Rows = dict[str, ModelSection]
Lists = Mapping[str, Mapping[str, Listed]]
"""What each provider lists, by its own names of the models."""


def shipped() -> Rows:
    """The rows of ``catalog.toml``, by slug."""
    raw = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return {slug: section(ModelSection, row, f'catalog.toml: "{slug}"') for slug, row in raw.items()}


def declared(rows: Rows, provider: Provider, found: Mapping[str, ModelSection]) -> Rows:
    """``rows`` with a provider's own models, as ``NAME/model``; it is tried first for a slug that exists."""
    added = dict(rows)
    for model, facts in found.items():
        slug = f"{provider.name}/{model.lstrip('/')}"
        own = RouteSection(provider.name, model)
        known = added.get(slug, facts)
        others = tuple(route for route in known.routes or () if route != own)
        added[slug] = replace(known, routes=(own, *others))
    return added


def gathered(rows: Rows, provider: Provider, found: Mapping[str, ModelSection]) -> Rows:
    """``rows`` with the models of other vendors that a provider lists, whose names there are their slugs.

    What is known of a slug already stays as it is; the provider is tried last for it. The names of the
    embedded models are not theirs to take.
    """
    added = dict(rows)
    for model, facts in found.items():
        slug = model if "/" in model.strip("/") else f"{provider.name}/{model.strip('/')}"
        if slug.startswith(LOCAL):
            continue
        known = added.get(slug, facts)
        routes = known.routes or ()
        if all(route.provider != provider.name for route in routes):
            routes = (*routes, RouteSection(provider.name, model))
        added[slug] = replace(known, routes=routes)
    return added


def changed(rows: Rows, settings: Settings, known: Collection[str], gathers: str | None = None) -> Rows:
    """``rows`` with the ``[models."…"]`` sections of the settings file laid over them.

    A new slug ``NAME/model`` of a known provider needs no routes: they follow from it. Where a provider
    ``gathers`` other vendors' models, no slug does: it may be in its list, which is still to come.

    Raises:
        ConfigurationError: a slug that cannot be one, no route, an unknown provider, a bad price.
    """
    added = dict(rows)
    for slug, over in settings.models.items():
        where = f'{settings.settings_file or "settings"}: models."{slug}"'
        if not is_slug(slug):
            raise ConfigurationError(f"{where}: a slug is at most {LONGEST_SLUG} characters without spaces.")
        merged = _merged(added.get(slug) or ModelSection(), over)
        if merged.routes is None:
            merged = replace(merged, routes=_implied_routes(slug, known, gathers, where))
        _check(merged, known, where)
        added[slug] = merged
    return added


def made(rows: Rows, providers: Iterable[Provider], lists: Lists) -> list[Model]:
    """The models that a configured provider serves, by slug."""
    by_name = {provider.name: provider for provider in providers}
    models = (_model(slug, row, by_name, lists) for slug, row in sorted(rows.items()))
    return [model for model in models if model.routes]


def owned(rows: Rows, provider: Provider, lists: Lists) -> dict[str, Model]:
    """What callers reach with a key of their own at ``provider``, by slug; never an embedded model.

    What has no price counts as the dearest here too, although the provider's row has no key.
    """
    found = {str(model.slug): model for model in made(rows, [provider], lists)}
    reached = {slug: model for slug, model in found.items() if not slug.startswith(LOCAL)}
    unpriced = [slug for slug in reached if rows[slug].pricing is None and rows[slug].tier is None]
    return reached | {slug: replace(reached[slug], tier="ultimate") for slug in unpriced}


def tier(pricing: Pricing | None, routes: Sequence[Route]) -> Tier:
    """The tier by price (PRODUCT §3): free is basic; up to $10 in and $15 out per million is pro.

    Without a price, what needs no key is free, and the rest counts as the dearest: plans must not
    give away what nobody has priced.
    """
    if pricing is None:
        return "ultimate" if any(route.provider.api_key is not None for route in routes) else "basic"
    dollars_in, dollars_out = Decimal(pricing.input), Decimal(pricing.output)
    if not dollars_in and not dollars_out:
        return "basic"
    return "pro" if dollars_in <= _PRO_INPUT and dollars_out <= _PRO_OUTPUT else "ultimate"


def is_slug(text: str) -> bool:
    """Whether ``text`` can stand in a URL's path and a header."""
    return 0 < len(text) <= LONGEST_SLUG and text.isascii() and text.isprintable() and " " not in text


def is_price(text: str) -> bool:
    """Whether ``text`` is a decimal number of dollars, of a size that can be written out."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return False
    if not amount.is_finite() or not 0 <= amount <= _DEAREST:
        return False
    exponent = amount.as_tuple().exponent
    return isinstance(exponent, int) and exponent > -_FINEST


def _model(slug: str, row: ModelSection, providers: Mapping[str, Provider], lists: Lists) -> Model:
    served = [route for route in row.routes or () if route.provider in providers]
    listed = [lists.get(route.provider, {}).get(route.model) for route in served]
    routes = tuple(
        Route(providers[route.provider], route.model, abilities.lacking(said.parameters if said else None))
        for route, said in zip(served, listed, strict=True)
    )
    context = row.context_length or UNKNOWN_CONTEXT
    return Model(
        slug=ModelSlug(slug),
        name=row.name or slug,
        owned_by=slug.partition("/")[0],
        created=row.created or 0,
        tier=row.tier or tier(row.pricing, routes),
        context_length=context,
        max_output_tokens=min(row.max_output_tokens or context, context),
        input_modalities=row.input_modalities or ("text",),
        output_modalities=row.output_modalities or ("text",),
        pricing=row.pricing,
        routes=routes,
        window=row.context_length,
        expires=listed[0].expires if len(listed) == 1 and listed[0] else None,
    )


def _merged(base: ModelSection, over: ModelSection) -> ModelSection:
    given = {item.name: getattr(over, item.name) for item in fields(over)}
    return replace(base, **{name: value for name, value in given.items() if value is not None})


def _implied_routes(
    slug: str, known: Collection[str], gathers: str | None, where: str
) -> tuple[RouteSection, ...]:
    provider, _, model = slug.partition("/")
    if model and provider not in known and gathers is not None:
        return (RouteSection(gathers, slug),)
    if provider not in known or not model:
        raise ConfigurationError(f"{where}: routes are missing; add routes = [{{provider = …, model = …}}].")
    return (RouteSection(provider, model),)


def _check(row: ModelSection, known: Collection[str], where: str) -> None:
    for route in row.routes or ():
        if route.provider not in known:
            raise ConfigurationError(
                f"{where}: routes: no provider is called {route.provider!r}; "
                f"add [providers.{route.provider}], or use one of {', '.join(sorted(known))}."
            )
    if row.pricing is not None and not (is_price(row.pricing.input) and is_price(row.pricing.output)):
        raise ConfigurationError(f'{where}: pricing: write dollars per million tokens, like "0.30".')
