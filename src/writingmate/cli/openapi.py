"""``writingmate openapi``."""

from __future__ import annotations

import sys

import typer

from writingmate.cli import setup
from writingmate.cli.options import DataDir, Json


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(openapi)


def openapi(*, data_dir: DataDir = None, json: Json = False) -> None:
    """Print the API's OpenAPI 3.1 description.

    It is YAML unless --json is given, and names this server's address.
    """
    from writingmate.api.openapi import Description

    description = Description(setup.read(data_dir).public_url)
    sys.stdout.buffer.write(description.encoded + b"\n" if json else description.text)
    sys.stdout.buffer.flush()
