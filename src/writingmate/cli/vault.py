"""``writingmate vault``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from writingmate.cli import output, setup
from writingmate.cli.options import DataDir, Json
from writingmate.errors import ConfigurationError

if TYPE_CHECKING:
    from writingmate.storage.engine import Database
    from writingmate.vault.box import Box

app = typer.Typer(help="The master keys that seal users' own provider keys.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `rotate` a word of its own although it is the only one."""


@app.command()
def rotate(
    *,
    prepare: Annotated[
        bool,
        typer.Option(
            "--prepare", help="Only add a key that does not seal yet; then copy the file to all nodes."
        ),
    ] = False,
    retire: Annotated[
        bool, typer.Option("--retire", help="Instead, drop the older master keys, which still open.")
    ] = False,
    discard: Annotated[
        bool, typer.Option("--discard", help="Remove users' keys that no master key opens.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Retire although stored answers need them.")] = False,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Make a new master key and seal everything anew with it; older ones still open.

    A key that was prepared is taken instead of a new one. Servers need not be stopped.
    """
    from writingmate.vault.box import Box
    from writingmate.vault.keys import Keyring, keyring_file

    if prepare + retire + discard > 1:
        raise ConfigurationError(
            "--prepare, --retire and --discard are steps of their own: give one of them."
        )
    box = Box(Keyring(keyring_file(setup.read(data_dir))))
    with setup.opened(data_dir) as database:
        if prepare:
            sentence, said = _prepared(box)
        elif retire:
            sentence, said = _retired(database, box, force=yes)
        else:
            sentence, said = _rotated(database, box, discard=discard)
    if json:
        output.document(said)
    else:
        print(sentence)
    if said.get("shut"):
        raise typer.Exit(1)


def _prepared(box: Box) -> tuple[str, dict[str, object]]:
    key = box.keyring.prepare()
    sentence = (
        f"Master key {key.key_id} is prepared. Copy {box.keyring.file} to every node, then run "
        "`writingmate vault rotate` and copy it again."
    )
    return sentence, {"master_key": key.key_id, "prepared": True}


def _retired(database: Database, box: Box, *, force: bool) -> tuple[str, dict[str, object]]:
    from writingmate.vault import rotation

    dropped = rotation.retire(database, box, force=force)
    return f"Master keys dropped: {dropped}.", {"retired": dropped}


def _rotated(database: Database, box: Box, *, discard: bool) -> tuple[str, dict[str, object]]:
    from writingmate.vault import rotation

    done = rotation.rotate(database, box)
    key_id = box.keyring.sealing().key_id
    sentence = f"Master key {key_id} seals from now on. Sealed anew: {done.rows}."
    removed, shut = (rotation.discard(database, box), 0) if discard else (0, len(done.shut))
    if discard:
        sentence += f" Removed, because nothing opens them: {removed}."
    if shut:
        sentence += f" {shut} do not open: `writingmate doctor` says what to do."
    return sentence, {"master_key": key_id, "resealed": done.rows, "shut": shut, "removed": removed}
