"""How large a request may be under a plan; a server's own limit is kept while the body is read."""

from __future__ import annotations

from writingmate.errors import BodyTooLarge
from writingmate.types import Plan


def check_body(plan: Plan, size: int) -> None:
    """Refuse a body of ``size`` bytes that is larger than the plan takes, before anything is held for it.

    Raises:
        BodyTooLarge: 413 ``request_too_large``; names the plan and its limit.
    """
    if plan.max_body_bytes is not None and size > plan.max_body_bytes:
        raise BodyTooLarge(
            f"The request's body of {size} bytes is larger than the limit of the plan `{plan.name}`, "
            f"{plan.max_body_bytes} bytes. Send less, or use a plan that allows more.",
            code="request_too_large",
        )
