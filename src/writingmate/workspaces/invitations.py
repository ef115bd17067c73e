"""Invitations to a workspace: a link that one person may use once, until it expires.

The link holds a secret of 256 random bits of which only the hash is stored. Pure: no clock, no database.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from shlex import quote
from typing import Final

from writingmate.errors import Gone, InvalidRequest, NotFound, PermissionDenied
from writingmate.workspaces.members import Role

DAY: Final = 86_400.0
LIFETIME: Final = 7 * DAY
LONGEST_LIFETIME: Final = 90 * DAY
SCHEME: Final = "wm_inv_"
PATH: Final = "/invitations/"

_SECRET: Final = re.compile(r"wm_inv_[A-Za-z0-9_-]{43}")
_EMAIL: Final = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,255}")


@dataclass(frozen=True, slots=True)
class Invitation:
    """Someone asked someone to join. ``invited_by`` None is the operator. Times are UNIX seconds."""

    workspace_id: str
    invitation_id: str
    email: str
    role: Role
    invited_by: str | None
    created_at: float
    expires_at: float
    accepted_at: float | None = None
    accepted_by: str | None = None
    withdrawn_at: float | None = None

    def status(self, now: float) -> str:
        """``open``, ``accepted``, ``withdrawn`` or ``expired``."""
        if self.accepted_at is not None:
            return "accepted"
        if self.withdrawn_at is not None:
            return "withdrawn"
        return "open" if now < self.expires_at else "expired"


@dataclass(frozen=True, slots=True)
class Offer:
    """What an invited person should know before they accept.

    ``inviter`` is an e-mail address, None for the operator; ``has_account`` says whether the invited
    address has an account.
    """

    invitation: Invitation
    workspace: str
    inviter: str | None
    has_account: bool


@dataclass(frozen=True, slots=True)
class Secret:
    """What a new link holds: ``text`` is shown once, ``digest`` (32 bytes) is stored."""

    text: str = field(repr=False)
    digest: bytes = field(repr=False)


def new_secret() -> Secret:
    """A secret that needs no quoting in a shell or a URL."""
    text = SCHEME + secrets.token_urlsafe(32)
    return Secret(text, _digest(text))


def digest_of(text: str) -> bytes | None:
    """The digest of a secret; None for what cannot be one, so that nothing is looked up for it."""
    return _digest(text) if _SECRET.fullmatch(text) else None


def link(public_url: str, secret: str) -> str:
    """The address of the page that shows an invitation."""
    return public_url.rstrip("/") + PATH + secret


def secret_in(code_or_link: str) -> str:
    """The secret of a link, or what was given.

    >>> secret_in("https://gateway.example/invitations/wm_inv_x")
    'wm_inv_x'
    """
    return code_or_link.strip().rstrip("/").rpartition("/")[2].partition("?")[0]


def address(text: str) -> str:
    """An e-mail address as it is stored. Raises InvalidRequest."""
    email = text.strip().lower()
    if not _EMAIL.fullmatch(email) or not email.isprintable():
        raise InvalidRequest(f"{text!r} is not an e-mail address.", param="email")
    return email


def check_lifetime(seconds: float) -> None:
    """How long an invitation may be open. Raises InvalidRequest."""
    if not 0 < seconds <= LONGEST_LIFETIME:
        raise InvalidRequest(
            f"An invitation is open for more than nothing and at most {LONGEST_LIFETIME / DAY:.0f} days.",
            param="days",
        )


def unknown() -> NotFound:
    """For a secret that belongs to no invitation; nothing of it is repeated."""
    return NotFound(
        "There is no such invitation. Copy the whole link, or ask for a new one.", code="invitation_not_found"
    )


def check_open(invitation: Invitation, now: float) -> None:
    """Whether it can be accepted. Raises Gone, which says why not."""
    match invitation.status(now):
        case "accepted":
            raise Gone(
                "This invitation has been accepted already; each can be used once.", code="invitation_used"
            )
        case "withdrawn":
            raise Gone(
                "This invitation has been withdrawn or replaced by a newer one. Use the newest link, or ask "
                "for another.",
                code="invitation_withdrawn",
            )
        case "expired":
            raise Gone("This invitation has expired. Ask for a new one.", code="invitation_expired")
        case _:
            return


def check_invited(offer: Offer, email: str) -> None:
    """Whether the user of ``email`` is the one it is for. Raises PermissionDenied."""
    invited = offer.invitation.email
    if email != invited:
        advice = (
            "Use a key of that account."
            if offer.has_account
            else f"There is no account of {invited} yet: ask the operator of this server for one "
            f"(`writingmate users create {quote(invited)}`)."
        )
        raise PermissionDenied(
            f"This invitation is for {invited}; you are {email}. {advice}", code="invitation_for_another"
        )


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("ascii")).digest()
