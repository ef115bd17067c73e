"""The ``writingmate`` command (PRODUCT §7). Each command imports only what it runs.

Exit status: 0 done, 1 the answer is no (``audit``, ``doctor``, ``plans check``), 2 it could not be done.
"""

from __future__ import annotations

import os
import sys

import typer

from writingmate.cli import (
    audit,
    database,
    doctor,
    init,
    keys,
    models,
    openapi,
    own_keys,
    plans,
    serve,
    usage,
    users,
    vault,
    workspaces,
)
from writingmate.cli.options import DataDir, Version, remember
from writingmate.errors import ApiError, ConfigurationError, Sealed

app = typer.Typer(
    name="writingmate",
    help="A self-hosted AI workspace gateway: one OpenAI-compatible API and one key for every provider.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # its tracebacks show local variables, keys among them
    rich_markup_mode=None,
)


@app.callback()
def _everywhere(*, data_dir: DataDir = None, version: Version = False) -> None:  # noqa: ARG001  # acts by its callback
    remember(data_dir)


for _module in (serve, init, audit, doctor, openapi):
    _module.add_to(app)
for _name, _module in (
    ("keys", keys),
    ("users", users),
    ("workspaces", workspaces),
    ("plans", plans),
    ("models", models),
    ("openrouter-key", own_keys),
    ("vault", vault),
    ("usage", usage),
    ("db", database),
):
    app.add_typer(_module.app, name=_name)


def main() -> None:
    """Run the command line; what is wrong is told in one line, without a traceback."""
    os.umask(0o077)  # what commands write, signing keys among it, is for its owner only
    try:
        app()
    except (ApiError, ConfigurationError, Sealed) as error:
        sys.stdout.flush()
        print(f"writingmate: {error}", file=sys.stderr)
        raise SystemExit(2) from None
