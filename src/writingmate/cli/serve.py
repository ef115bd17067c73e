"""``writingmate serve``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from writingmate import __version__
from writingmate.cli import models, setup
from writingmate.cli.options import DataDir

if TYPE_CHECKING:
    from writingmate.settings import Settings

API = "/api/openai/v1"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(serve)


def serve(
    *,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on (WRITINGMATE_HOST, 127.0.0.1).")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on (WRITINGMATE_PORT, 8000); 0 takes a free one.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Server processes (WRITINGMATE_WORKERS, 1).")] = None,
    data_dir: DataDir = None,
) -> None:
    """Run the server; the first time, set up everything.

    The first run also shows a developer key, once.
    """
    from writingmate.api.server import listen, run

    settings = setup.read(data_dir, host=host, port=port, workers=workers)
    listener = listen(settings)
    try:
        settings = setup.read(data_dir, host=host, port=listener.getsockname()[1], workers=workers)
        prepared = setup.prepare(settings)
        _export(settings)
        _share_numbers(settings)
        print(_banner(settings, prepared), flush=True)
    except BaseException:
        listener.close()
        raise
    raise typer.Exit(run(settings, listener))


def _export(settings: Settings) -> None:
    """Let the application, which may run in processes of its own, read the same settings."""
    os.environ["WRITINGMATE_HOST"] = settings.host
    os.environ["WRITINGMATE_PORT"] = str(settings.port)
    os.environ["WRITINGMATE_WORKERS"] = str(settings.workers)
    os.environ["WRITINGMATE_DATA_DIR"] = str(settings.data_dir)


def _share_numbers(settings: Settings) -> None:
    """Several processes count in one folder, emptied at each start, so that `/metrics` shows their sum."""
    import shutil

    if settings.workers > 1 and "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        folder = settings.data_dir / "metrics"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def _banner(settings: Settings, prepared: setup.Prepared) -> str:
    lines = [
        f"writingmate {__version__} listens on {settings.public_url}{API}",
        f"Data folder: {settings.data_dir}",
        f"Documentation: {settings.public_url}{API}/docs",
    ]
    slug = _first_model(settings)
    coming = models.download(settings)
    if prepared.key is not None:
        lines += ["", f"Developer key (shown only now): {prepared.key.key}"]
        if slug is not None:
            lines += ["", "Try it:", _curl(settings, prepared.key.key, slug, waits=coming is not None)]
    if coming is not None:
        lines += [
            "",
            f"The embedded model ({coming}) is downloaded first; requests for it are told how far that is.",
        ]
    if slug is None:
        lines += ["", models.NOTHING]
    return "\n".join([*lines, "", "Ctrl-C stops it."])


def _first_model(settings: Settings) -> str | None:
    """What a first request may name: the embedded default, else whatever is configured."""
    from writingmate.local import rows

    embedded = rows.models(settings)
    if embedded:
        return embedded[0].slug
    configured = models.catalog(settings).models()
    return configured[0].slug if configured else None


def _curl(settings: Settings, key: str, slug: str, *, waits: bool) -> str:
    """A line for a shell. One that waits asks again for as long as the server says 503 and when to."""
    import msgspec

    question = {"model": slug, "messages": [{"role": "user", "content": "Say hello in one short sentence."}]}
    options = "-fsS --retry 200" if waits else "-i"
    return (
        f"curl {options} {settings.public_url}{API}/chat/completions -H 'Authorization: Bearer {key}' "
        f"-H 'Content-Type: application/json' -d '{msgspec.json.encode(question).decode()}'"
    )
