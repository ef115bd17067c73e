"""Which models a plan includes."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from writingmate.errors import PermissionDenied
from writingmate.types import Model, Plan

NAMED = 2


def allows(plan: Plan, model: Model) -> bool:
    """Whether ``plan`` includes ``model``: its tier, or its slug by name or by a pattern of the plan.

    In a pattern ``*`` stands for anything, slashes too; nothing else is special.
    """
    return model.tier in plan.tiers or any(_matches(model.slug, pattern) for pattern in plan.models)


def outside(plan: Plan, model: Model, plans: Iterable[Plan]) -> PermissionDenied:
    """The refusal of a model that ``plan`` does not include; it names a few of ``plans`` that do."""
    including = [f"`{other.name}`" for other in plans if allows(other, model)][:NAMED]
    upgrade = f", or upgrade to the plan {' or '.join(including)}" if including else ""
    return PermissionDenied(
        f"The plan `{plan.name}` does not include the model `{model.slug}`. "
        f"Use one that GET /models lists{upgrade}.",
        param="model",
        code="model_not_in_plan",
    )


def _matches(slug: str, pattern: str) -> bool:
    return slug == pattern or fnmatchcase(slug, pattern.replace("[", "[[]").replace("?", "[?]"))
