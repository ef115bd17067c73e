"""The embedded models as rows of the catalog."""

from __future__ import annotations

from importlib.util import find_spec

from writingmate.local.manifest import LocalModel, manifest
from writingmate.settings import Settings
from writingmate.types import Model, ModelSlug, Pricing, Provider, Route

PROVIDER = Provider("local", "http://local/v1", {"chat": "/chat/completions"})
RUNTIME = "xllamacpp"


def available() -> bool:
    """Whether the runtime is installed (the ``local`` extra)."""
    return find_spec(RUNTIME) is not None


def models(settings: Settings) -> list[Model]:
    """Rows of what can be served here, the default first; none without the runtime or if switched off."""
    return [_row(model) for model in manifest()] if settings.local and available() else []


def _row(model: LocalModel) -> Model:
    return Model(
        slug=ModelSlug(model.slug),
        name=model.name,
        owned_by=PROVIDER.name,
        created=model.created,
        tier="basic",
        context_length=model.context,
        max_output_tokens=model.max_output,
        pricing=Pricing("0", "0"),
        routes=(Route(PROVIDER, model.id),),
    )
