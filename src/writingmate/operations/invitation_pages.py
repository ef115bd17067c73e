"""The pages behind the link of an invitation: plain HTML that loads nothing and runs nothing.

Everything that people wrote is escaped, and isolated (``bdi``) so that no name can turn the text around it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from html import escape
from shlex import quote
from typing import Final

from writingmate.errors import ApiError
from writingmate.workspaces.invitations import Invitation, Offer

_STYLE: Final = """
:root { color-scheme: light dark; --page: #f4f4f1; --card: #ffffff; --text: #1d1d1b; --quiet: #5b5b57;
  --line: #8a8a84; --accent: #1d5bb8; --on-accent: #ffffff; --bad: #a31515; --bad-page: #fdf0ee; }
@media (prefers-color-scheme: dark) {
  :root { --page: #141518; --card: #1e2024; --text: #ececea; --quiet: #b0b0aa; --line: #85858a;
    --accent: #8db9ff; --on-accent: #10213a; --bad: #ffb4a8; --bad-page: #3a1f1c; }
}
* { box-sizing: border-box; }
body { margin: 0; padding: 1.5rem 1rem; background: var(--page); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
main { max-width: 32rem; margin: 0 auto; padding: 1.5rem; border-radius: .75rem; background: var(--card); }
.name { margin: 0 0 1rem; color: var(--quiet); font-size: .875rem; letter-spacing: .02em; }
h1 { margin: 0 0 1rem; font-size: 1.5rem; line-height: 1.25; }
p { margin: 0 0 1rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: 0 0 1.5rem; }
dt { color: var(--quiet); }
dd { margin: 0; }
.alert { padding: .75rem 1rem; border-left: .25rem solid var(--bad); background: var(--bad-page);
  color: var(--bad); }
label { display: block; margin-bottom: .25rem; font-weight: 600; }
input { width: 100%; padding: .625rem .75rem; border: 1px solid var(--line); border-radius: .375rem;
  background: var(--page); color: var(--text); font: inherit; }
.hint { margin: .375rem 0 1rem; color: var(--quiet); font-size: .875rem; }
button { width: 100%; padding: .75rem 1rem; border: 0; border-radius: .375rem; background: var(--accent);
  color: var(--on-accent); font: inherit; font-weight: 600; cursor: pointer; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
code { font-size: .9em; }
.line { display: block; margin-top: .25rem; padding: .5rem .75rem; border-radius: .375rem;
  background: var(--page); }
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
"""The Content-Security-Policy of the pages."""

_ROLES: Final = {"OWNER": "an owner", "MEMBER": "a member"}
_TITLES: Final = {
    "invitation_not_found": "There is no such invitation",
    "invitation_used": "This invitation is used",
    "invitation_withdrawn": "This invitation is withdrawn",
    "invitation_expired": "This invitation has expired",
    "already_member": "You are a member already",
}
_FORM: Final = """<form method="post">
<label for="key">Your developer key</label>
<input id="key" name="key" type="password" required autocomplete="off" autocapitalize="none"
 spellcheck="false" aria-describedby="{described_by}"{invalid}>
<p class="hint" id="hint">It starts with <code>wm_v2.</code> and says who you are. It is used for this alone
and not kept.</p>
<button type="submit">Accept the invitation</button>
</form>"""


def offer(offered: Offer, error: ApiError | None = None) -> bytes:
    """Who invites whom to what and until when, with the form that accepts it.

    Args:
        offered: the invitation.
        error: why the last key did not do.
    """
    invitation, workspace = offered.invitation, _name(offered.workspace)
    inviter = "The operator of this server" if offered.inviter is None else _name(offered.inviter)
    facts = (
        f"<p>{inviter} invites you to a workspace.</p>\n<dl>\n"
        f"<dt>Workspace</dt><dd>{workspace}</dd>\n"
        f"<dt>For</dt><dd>{_name(invitation.email)}</dd>\n"
        f"<dt>You will be</dt><dd>{_ROLES[invitation.role]}</dd>\n"
        f"<dt>Open until</dt><dd>{_moment(invitation.expires_at)}</dd>\n</dl>"
    )
    rest = _form(failed=error is not None) if offered.has_account else _no_account(invitation)
    return _page(f"Join {offered.workspace}", f"Join {workspace}", _alert(error), facts, rest)


def accepted(offered: Offer) -> bytes:
    """They are in; and how to work there."""
    invitation = offered.invitation
    workspace_id = escape(invitation.workspace_id)
    title = f"You are {_ROLES[invitation.role]} of"
    command = (
        f"writingmate keys create --workspace {invitation.workspace_id} --user {quote(invitation.email)}"
    )
    how = (
        "<p>Your keys go on acting where they acted before. To use this workspace, send a header with the "
        f'request: <code class="line">x-writingmate-workspace: {workspace_id}</code></p>\n'
        "<p>Or ask the operator for a key that always acts here: "
        f'<code class="line">{escape(command)}</code></p>'
    )
    return _page(f"{title} {offered.workspace}", f"{title} {_name(offered.workspace)}", how)


def refused(error: ApiError) -> bytes:
    """Why a link is of no use."""
    title = _TITLES.get(error.code or "", "This did not work")
    return _page(title, title, f"<p>{_sentences(error.message)}</p>")


def _page(title: str, heading: str, *parts: str) -> bytes:
    """``title`` is text; ``heading`` and ``parts`` are HTML."""
    body = "\n".join(filter(None, parts))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{escape(title)} · writingmate</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<p class="name">writingmate</p>
<h1>{heading}</h1>
{body}
</main>
</body>
</html>
""".encode()


def _alert(error: ApiError | None) -> str:
    return "" if error is None else f'<p class="alert" id="why" role="alert">{_sentences(error.message)}</p>'


def _form(*, failed: bool) -> str:
    if failed:
        return _FORM.format(described_by="why hint", invalid=' aria-invalid="true"')
    return _FORM.format(described_by="hint", invalid="")


def _no_account(invitation: Invitation) -> str:
    command = f"writingmate users create {quote(invitation.email)}"
    return (
        f"<p>There is no account of {_name(invitation.email)} on this server yet. Ask the operator for one "
        "and for a developer key, then open this link again. This is how accounts are made: "
        f'<code class="line">{escape(command)}</code></p>'
    )


def _name(text: str) -> str:
    return f"<bdi>{escape(text)}</bdi>"


def _sentences(text: str) -> str:
    """A message of ours, with what it has in backquotes as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _moment(at: float) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    shown = f"{moment.day} {moment:%B %Y, %H:%M}&nbsp;UTC"
    return f'<time datetime="{moment:%Y-%m-%dT%H:%M:%SZ}">{shown}</time>'
