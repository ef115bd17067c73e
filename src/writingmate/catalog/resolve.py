"""From a slug to a model that can be called: an immutable snapshot, replaced whole when lists change."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from writingmate.catalog import models as rows
from writingmate.catalog.entitlement import allows, outside
from writingmate.catalog.listed import Listed
from writingmate.catalog.names import candidates
from writingmate.errors import NotFound, PermissionDenied
from writingmate.settings import ModelSection, Settings
from writingmate.types import Model, Plan, Principal, Provider, Route

LONGEST_QUOTED = 200


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """``own`` are the models that a caller's own key reaches, with the routes of such a caller."""

    by_slug: Mapping[str, Model]
    own: Mapping[str, Model]
    models: tuple[Model, ...]
    models_with_own: tuple[Model, ...]


class Catalog:
    """Every model that something configured serves.

    Args:
        settings: its ``[models]`` and ``[providers]`` sections.
        providers: those that are configured.
        known: names a route may use, whether configured or not; those of ``providers`` always count.
        local: ready rows of the embedded models.
        plans: every plan there is now, to name those that include a refused model.
        own: OpenRouter without a key, for callers who have one of their own; None where nobody has.

    Raises:
        ConfigurationError: a ``[models]`` section is wrong.
    """

    def __init__(
        self,
        settings: Settings,
        providers: Iterable[Provider],
        *,
        known: Collection[str] = (),
        local: Iterable[Model] = (),
        plans: Callable[[], Iterable[Plan]] = tuple,
        own: Provider | None = None,
    ) -> None:
        self._settings = settings
        self._providers = {provider.name: provider for provider in providers}
        self._known = {*known, *self._providers}
        self._local = tuple(local)
        self._plans = plans
        self._own = own
        self._shipped = rows.shipped()
        self._found: dict[str, Mapping[str, Listed]] = {}
        self._snapshot = self._taken()

    def models(self, *, own: bool = False) -> list[Model]:
        """All models, by slug; with ``own`` those too that only a caller's own key reaches."""
        return list(self._snapshot.models_with_own if own else self._snapshot.models)

    def get(self, slug: str, *, own: bool = False) -> Model | None:
        """The model of that slug, if a configured provider serves it, or, with ``own``, the caller's key."""
        model = self._snapshot.by_slug.get(slug)
        return self._snapshot.own.get(slug) if model is None and own else model

    def named(self, name: str, *, own: bool = False) -> str:
        """The slug that Anthropic's name of a model stands for; the name itself if that is none."""
        found = (slug for slug in candidates(name) if self.get(slug, own=own) is not None)
        return next(found, name)

    def own_route(self, slug: str) -> Route | None:
        """The way to a model for a caller's own key, which is still to be put in; None if there is none."""
        model = self._snapshot.own.get(slug)
        return model.routes[0] if model else None

    def row(self, slug: str) -> ModelSection | None:
        """What is known of a model that is shipped, declared or set, whether something serves it or not."""
        return self._rows.get(slug)

    def admitted(self, principal: Principal, plan: Plan) -> list[Model]:
        """The models that this caller may use under ``plan``, by slug."""
        allowed = principal.allowed_models
        return [
            model
            for model in self.models(own=principal.byok and plan.byok)
            if allows(plan, model) and (allowed is None or model.slug in allowed)
        ]

    def resolve(self, principal: Principal, plan: Plan, slug: str) -> Model:
        """The model that this caller may use under ``plan``, the plan of the workspace they act in.

        Raises:
            NotFound: no such model, or nothing configured serves it (WIRE §2.3).
            PermissionDenied: the plan, or the key's own list, leaves it out (PRODUCT §1, §2).
        """
        model = self.get(slug, own=principal.byok and plan.byok)
        if model is None:
            raise NotFound(
                f"The model `{quoted(slug)}` does not exist or you do not have access to it.",
                code="model_not_found",
            )
        if not allows(plan, model):
            raise outside(plan, model, self._plans())
        allowed = principal.allowed_models
        if allowed is not None and slug not in allowed:
            raise PermissionDenied(
                f"This key may not use the model `{slug}`. Use one that GET /models lists, or another key.",
                param="model",
                code="model_not_in_plan",
            )
        return model

    def local(self, models: Iterable[Model]) -> None:
        """Replace the rows of the embedded models."""
        self._local = tuple(models)
        self._snapshot = self._taken()

    def found(self, provider: str) -> Mapping[str, Listed]:
        """What a provider last said that it serves, by its own names; empty if it never answered."""
        return self._found.get(provider, {})

    def discovered(self, provider: str, found: Mapping[str, Listed]) -> bool:
        """Take a provider's new list; False if nothing changed."""
        if self._found.get(provider) == found:
            return False
        self._found[provider] = found
        self._snapshot = self._taken()
        return True

    def _declaring(self) -> Iterable[Provider]:
        """Whose own models are declared: the configured providers', and those that own keys reach."""
        further = () if self._own is None or self._own.name in self._providers else (self._own,)
        return (*self._providers.values(), *further)

    def _taken(self) -> _Snapshot:
        current = self._shipped
        for provider in self._declaring():
            section = self._settings.providers.get(provider.name)
            found = self.found(provider.name)
            named = {name: found.get(name, Listed()) for name in section.models} if section else {}
            if provider.gathers:
                current = rows.gathered(rows.declared(current, provider, named), provider, found)
            else:
                current = rows.declared(current, provider, {**named, **found})
        providers = self._providers.values()
        gathers = next((provider.name for provider in providers if provider.gathers), None)
        current = rows.changed(current, self._settings, self._known, gathers)
        self._rows = current
        by_slug = {str(model.slug): model for model in rows.made(current, providers, self._found)}
        by_slug |= {str(model.slug): model for model in self._local}
        own = rows.owned(current, self._own, self._found) if self._own else {}
        return _Snapshot(by_slug, own, _ordered(by_slug), _ordered({**own, **by_slug}))


def _ordered(models: Mapping[str, Model]) -> tuple[Model, ...]:
    return tuple(models[slug] for slug in sorted(models))


def quoted(slug: str) -> str:
    """A slug as a caller wrote it, short enough to repeat."""
    return slug if len(slug) <= LONGEST_QUOTED else f"{slug[:LONGEST_QUOTED]}…"
