"""``GET /models`` and ``GET /models/{id}``: OpenAI's four fields and ours (PRODUCT §1, WIRE §4)."""

from __future__ import annotations

from typing import Any

import msgspec

from writingmate.catalog.resolve import Catalog, quoted
from writingmate.errors import NotFound
from writingmate.types import Model, Plan, Principal


def list_models(catalog: Catalog, principal: Principal, plan: Plan) -> bytes:
    """The list of the models that this caller may use under their workspace's plan."""
    models = catalog.admitted(principal, plan)
    return msgspec.json.encode({"object": "list", "data": [_shown(model) for model in models]})


def get_model(catalog: Catalog, principal: Principal, plan: Plan, slug: str) -> bytes:
    """One model, by its decoded slug.

    Raises as `known`.
    """
    return msgspec.json.encode(_shown(known(catalog, principal, plan, slug)))


def known(catalog: Catalog, principal: Principal, plan: Plan, slug: str) -> Model:
    """The model of a slug.

    Raises:
        NotFound: in the words OpenAI uses here (WIRE §2.3), which differ from those of a POST.
        PermissionDenied: the plan or the key's own list leaves it out.
    """
    if catalog.get(slug, own=principal.byok and plan.byok) is None:
        raise NotFound(f"The model '{quoted(slug)}' does not exist", param="model", code="model_not_found")
    return catalog.resolve(principal, plan, slug)


def _shown(model: Model) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": model.slug,
        "object": "model",
        "created": model.created,
        "owned_by": model.owned_by,
        "name": model.name,
        "context_length": model.context_length,
        "max_output_tokens": model.max_output_tokens,
        "tier": model.tier,
        "modalities": {"input": model.input_modalities, "output": model.output_modalities},
        "endpoints": model.endpoints,
        "pricing": model.pricing,
    }
    return shown if model.expires is None else shown | {"expiration_date": model.expires}
