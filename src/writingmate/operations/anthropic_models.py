"""``GET /v1/models`` and ``GET /v1/models/{id}`` as Anthropic answers them (its page "Models")."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from writingmate.catalog.resolve import Catalog
from writingmate.errors import InvalidRequest
from writingmate.operations.client import Client, Request
from writingmate.operations.models import known
from writingmate.types import Model, Plan, Principal


class Page(NamedTuple):
    """Which part of the list: at most ``limit`` models behind ``after_id``, or before ``before_id``."""

    limit: int = 20
    after_id: str | None = None
    before_id: str | None = None


@dataclass(frozen=True, slots=True)
class AnthropicModels:
    """Both operations; ``plan_of`` says what a caller's workspace may use."""

    catalog: Catalog
    plan_of: Callable[[Principal], Plan]

    async def page(self, page: Page, principal: Principal, _: Request, client: Client) -> None:
        """A page of the models that the caller may use. Raises InvalidRequest for an id that is not there."""
        models = self.catalog.admitted(principal, self.plan_of(principal))
        shown, more = _cut(models, page)
        listed = {
            "data": [_shown(model) for model in shown],
            "has_more": more,
            "first_id": shown[0].slug if shown else None,
            "last_id": shown[-1].slug if shown else None,
        }
        await client.reply(200, {}, msgspec.json.encode(listed))

    async def one(self, name: str, principal: Principal, _: Request, client: Client) -> None:
        """One model, by its slug or by Anthropic's name of it. Raises NotFound and PermissionDenied."""
        plan = self.plan_of(principal)
        slug = self.catalog.named(name, own=principal.byok and plan.byok)
        shown = _shown(known(self.catalog, principal, plan, slug))
        await client.reply(200, {}, msgspec.json.encode(shown))


def _cut(models: list[Model], page: Page) -> tuple[list[Model], bool]:
    """The models of a page, and whether there are more in its direction."""
    slugs = [str(model.slug) for model in models]
    start = 0 if page.after_id is None else _place(slugs, page.after_id, "after_id") + 1
    end = len(models) if page.before_id is None else _place(slugs, page.before_id, "before_id")
    within = models[start:end]
    backwards = page.before_id is not None and page.after_id is None
    return within[-page.limit :] if backwards else within[: page.limit], len(within) > page.limit


def _place(slugs: list[str], slug: str, param: str) -> int:
    try:
        return slugs.index(slug)
    except ValueError:
        raise InvalidRequest(
            f"Invalid '{param}': no model of this list has that id. Use one that the list has shown.",
            param=param,
            code="invalid_value",
        ) from None


def _shown(model: Model) -> dict[str, Any]:
    released = datetime.fromtimestamp(model.created, UTC)
    return {
        "type": "model",
        "id": model.slug,
        "display_name": model.name,
        "created_at": released.isoformat().replace("+00:00", "Z"),
        "max_input_tokens": model.context_length,
        "max_tokens": model.max_output_tokens,
        "lifecycle": "active",
        "deprecated_at": None,
        "retires_at": None,
    }
