"""``writingmate doctor``: looks at everything that a server needs, and says what to do about the rest."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import typer

from writingmate.cli import models, output, setup
from writingmate.cli.options import DataDir, Json
from writingmate.errors import ConfigurationError, Sealed, UpstreamError, UpstreamRefused

if TYPE_CHECKING:
    from writingmate.settings import Settings
    from writingmate.storage.engine import Database
    from writingmate.types import Provider
    from writingmate.upstream.client import HttpClient
    from writingmate.workspaces.plans import Plans

LITTLE_ROOM = 1 << 30
_SECONDS = 15.0
_NOT_FOUND = 404
_SHOWN = 10
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is, and what to do where it is not well.

    ``note`` is for what works but may not be meant so; only ``broken`` makes the command exit with 1.
    """

    check: str
    status: Literal["ok", "note", "broken"]
    detail: str
    advice: str | None = None


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(doctor)


def doctor(*, data_dir: DataDir = None, json: Json = False) -> None:
    """Check what a server needs, and say what to do.

    That is the settings, the data folder, the plans, the database, the workspaces, the vault, each configured
    provider (it is asked for its models) and the embedded models. What is broken makes the exit status 1.
    """
    findings = []
    for finding in _examined(data_dir):
        findings.append(finding)
        if not json:
            _print(finding)
    if json:
        output.document([dataclasses.asdict(finding) for finding in findings])
    if any(finding.status == "broken" for finding in findings):
        raise typer.Exit(1)


def _examined(data_dir: DataDir) -> Iterator[Finding]:
    try:
        settings = setup.read(data_dir)
    except ConfigurationError as error:
        yield Finding("settings", "broken", str(error))
        return
    source = f"file {settings.settings_file}" if settings.settings_file else "no settings file"
    yield Finding("settings", "ok", f"{source}; callers use {settings.public_url}")
    yield _folder(settings)
    yield _plans(settings)
    yield from _database(settings)
    yield from _providers(settings)
    yield _local(settings)


def _folder(settings: Settings) -> Finding:
    folder = settings.data_dir
    if not folder.is_dir():
        return Finding("data folder", "broken", f"{folder} does not exist", "Run `writingmate init`.")
    if not os.access(folder, os.W_OK | os.X_OK):
        return Finding(
            "data folder", "broken", f"{folder} cannot be written to", "Make it writable for this user."
        )
    free = shutil.disk_usage(folder).free
    detail = f"{folder}, {free / (1 << 30):.1f} GiB free"
    if free < LITTLE_ROOM:
        return Finding("data folder", "note", detail, "Make room: a full disk stops every request.")
    return Finding("data folder", "ok", detail)


def _plans(settings: Settings) -> Finding:
    plans = _configured_plans(settings)
    if isinstance(plans, ConfigurationError):
        advice = (
            "Correct the file; `writingmate plans check` shows whether it is right. Until then servers that "
            "run keep the plans they have, and none starts."
        )
        return Finding("plans", "broken", str(plans), advice)
    source = f"file {settings.plans}" if settings.plans else "no plans file"
    return Finding("plans", "ok", f"{source}; {', '.join(plan.name for plan in plans.all())}")


def _configured_plans(settings: Settings) -> Plans | ConfigurationError:
    from writingmate.workspaces.plans import Plans

    try:
        return Plans(settings.plans)
    except ConfigurationError as error:
        return error


def _database(settings: Settings) -> Iterator[Finding]:
    from writingmate.storage import schema

    try:
        with setup.reached(settings) as database:
            schema.require(database)
            yield Finding("database", "ok", f"{database.dialect}, schema revision {schema.HEAD}")
            yield _people(database)
            plans = _configured_plans(settings)
            if not isinstance(plans, ConfigurationError):
                yield _workspaces(database, plans)
            yield _vault(settings, database)
    except ConfigurationError as error:
        yield Finding("database", "broken", str(error))


def _people(database: Database) -> Finding:
    from writingmate.identity import store

    with database.reading() as connection:
        signing, people = len(store.load_signing_keys(connection)), len(store.list_users(connection))
        keys = len(store.list_keys(connection))
    detail = f"{people} users, {keys} developer keys, {signing} signing keys"
    if not signing or not people:
        return Finding("identity", "broken", detail, "Run `writingmate init`.")
    return Finding("identity", "ok", detail)


def _workspaces(database: Database, plans: Plans) -> Finding:
    from writingmate.workspaces import store

    with database.reading() as connection:
        found = store.list_all(connection)
    without = [workspace for workspace in found if plans.get(workspace.plan) is None]
    if not without:
        return Finding("workspaces", "ok", f"{len(found)}, each on a plan that is configured")
    shown = ", ".join(f"{workspace.workspace_id} ({workspace.plan})" for workspace in without[:_SHOWN])
    more = f" and {len(without) - _SHOWN} more" if len(without) > _SHOWN else ""
    return Finding(
        "workspaces",
        "broken",
        f"on a plan that is not configured, so that nothing is answered: {shown}{more}",
        "Put them on another with `writingmate workspaces set-plan ID PLAN`, or configure the plan.",
    )


def _vault(settings: Settings, database: Database) -> Finding:
    """Whether the master keys open what is stored."""
    from writingmate.vault import store
    from writingmate.vault.box import Box
    from writingmate.vault.keys import Keyring, keyring_file

    box = Box(Keyring(keyring_file(settings)))
    try:
        keys = box.keyring.known()
    except Sealed as error:
        return Finding("vault", "broken", str(error), "Restore the file from a backup, or make it readable.")
    with database.reading() as connection:
        stored, shut = store.list_credentials(connection), store.shut(connection, box)
    detail = f"{box.keyring.file}, {len(keys)} master keys; {len(stored)} own provider keys of users"
    if shut:
        users = ", ".join(credential.user_id for credential in shut[:_NAMED])
        return Finding(
            "vault",
            "broken",
            f"{detail}, of which {len(shut)} do not open ({users})",
            "Restore the file of master keys that belongs to this database, or copy it from another node. "
            "If it is lost, `writingmate vault rotate --discard` removes what does not open.",
        )
    if keys and box.keyring.file.stat().st_mode & 0o077:
        return Finding("vault", "note", detail, "Others can read the file: chmod 600 it.")
    return Finding("vault", "ok", detail)


def _providers(settings: Settings) -> Iterator[Finding]:
    import asyncio

    from writingmate.providers import configured, notes

    try:
        found = configured(settings)
        models.catalog(settings)
    except ConfigurationError as error:
        yield Finding("providers", "broken", str(error))
        return
    for note in notes(settings):
        yield Finding("providers", "note", note)
    if not found:
        yield Finding("providers", "note", "none configured", "Set a provider's key, such as OPENAI_API_KEY.")
    yield from asyncio.run(_asked(found))


async def _asked(providers: tuple[Provider, ...]) -> list[Finding]:
    """Every provider's list of models, all asked at once."""
    import asyncio

    from writingmate.upstream.client import HttpClient

    client = HttpClient()
    try:
        return list(await asyncio.gather(*(_ask(client, provider) for provider in providers)))
    finally:
        await client.close()


async def _ask(client: HttpClient, provider: Provider) -> Finding:
    import msgspec

    from writingmate.catalog.lists import read_list

    url = f"{provider.base_url}{provider.list_path}"
    name = f"provider {provider.name}"
    try:
        found = read_list(await _answer(client, provider, url))
        if provider.gathers and provider.api_key is not None:
            await _try_key(client, provider)
    except (UpstreamError, msgspec.DecodeError, RecursionError) as error:
        return Finding(name, "broken", f"{url}: {_reason(error)}", _advice(provider, error))
    return Finding(name, "ok", f"{url}: {len(found)} text models")


async def _try_key(client: HttpClient, provider: Provider) -> None:
    """OpenRouter shows its list to anybody, and says at another path what it thinks of a key."""
    try:
        await _answer(client, provider, f"{provider.base_url}/key")
    except UpstreamRefused as refused:
        if refused.status != _NOT_FOUND:
            raise


async def _answer(client: HttpClient, provider: Provider, url: str) -> bytes:
    from writingmate.upstream.base import Call, Timeouts

    timeouts = Timeouts(connect=_SECONDS, first=_SECONDS, idle=_SECONDS)
    call = Call(url, provider.authorized(), b"", streaming=False, timeouts=timeouts, method="GET")
    async with client.open(call) as reply:
        return await reply.body()


def _reason(error: Exception) -> str:
    return error.detail if isinstance(error, UpstreamError) else "did not answer with a list of models"


def _advice(provider: Provider, error: Exception) -> str:
    from writingmate.operations.failures import refuses_key
    from writingmate.providers import ROWS

    name = provider.name.upper().replace("-", "_").replace(".", "_")
    key = f"{name}_API_KEY"
    if (row := ROWS.get(provider.name)) is not None:
        key, name = row.key_variable, row.url_variables[0].removesuffix("_BASE_URL")
    if isinstance(error, UpstreamRefused) and (error.status in {401, 402, 403} or refuses_key(error)):
        return f"It does not accept the key: check {key}, or api_key in the settings file."
    return (
        f"Check the address ({name}_BASE_URL, or base_url in the settings file) and that it can be reached."
    )


def _local(settings: Settings) -> Finding:
    from writingmate.local import rows

    if not settings.local:
        return Finding("embedded models", "note", "off (WRITINGMATE_LOCAL)")
    if not rows.available():
        advice = "pip install 'writingmate[local]' to have them, or WRITINGMATE_LOCAL=off."
        return Finding("embedded models", "note", "not installed", advice)
    slugs = [model.slug for model in rows.models(settings)]
    coming = models.download(settings)
    place = f"{coming} is downloaded when the server starts" if coming else "the default one is here"
    return Finding("embedded models", "ok", f"{', '.join(slugs)}; {place}")


def _print(finding: Finding) -> None:
    print(f"{finding.status:<7} {finding.check}: {finding.detail}")
    if finding.advice:
        print(f"        → {finding.advice}")
