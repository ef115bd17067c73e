"""Why a key is not accepted, in words that say what to do (PRODUCT §1 "Errors", WIRE §2.3).

Of what was sent, only the public prefix of a well-formed key is ever repeated.
"""

from __future__ import annotations

from datetime import UTC, datetime

from writingmate.errors import PermissionDenied, Unauthenticated
from writingmate.identity import keys

_SHAPE = "A developer key looks like wm_v2.<key-id>.<secret>.<signature>"


def no_key() -> Unauthenticated:
    """Nothing came after ``Bearer``, or there was no ``Authorization``."""
    return Unauthenticated(
        "You didn't provide an API key. Send a developer key in an Authorization header: "
        "`Authorization: Bearer YOUR_WRITINGMATE_DEVELOPER_KEY`."
    )


def incorrect(text: str) -> Unauthenticated:
    """Malformed, mistyped, cut short, forged, or not of this server."""
    prefix = keys.shown(text)
    if prefix is None:
        return Unauthenticated(f"Incorrect API key provided. {_SHAPE}; copy it whole, or create a new one.")
    return Unauthenticated(
        f"Incorrect API key provided: {prefix}.… Its signature or secret is not right for this server; "
        "copy the key whole, or create a new one."
    )


def revoked(prefix: str) -> Unauthenticated:
    """The owner took the key back."""
    return Unauthenticated(f"Incorrect API key provided: {prefix}.… It has been revoked; create a new one.")


def expired(prefix: str | None, at: float) -> Unauthenticated:
    """The key's time is over; ``at`` is in UNIX seconds."""
    moment = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return Unauthenticated(
        f"Incorrect API key provided: {prefix}.… It expired on {moment}; create a new one."
    )


def workspace_not_accessible() -> PermissionDenied:
    """One answer for an unknown workspace and for one of others, so that ids cannot be probed."""
    return PermissionDenied(
        "This key cannot act in that workspace: it does not exist, you are not a member of it, or the key "
        "belongs to another one. Check the x-writingmate-workspace header.",
        code="workspace_not_accessible",
    )
