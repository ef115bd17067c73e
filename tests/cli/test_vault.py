"""``openrouter-key`` and ``vault``: what they ask, say, store and never show."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.cli.commands import Commands
from tests.fakes.openrouter import FakeOpenRouter
from writingmate.cli import app
from writingmate.errors import BadGateway, ConfigurationError, InvalidRequest, Sealed, Unauthenticated

KEY = "sk-or-v1-planted-0123456789abcdef"


def typed(commands: Commands, *arguments: str, key: str = KEY) -> Result:
    """A command with the key on its standard input."""
    return CliRunner(env=commands.variables()).invoke(app, list(arguments), input=f"{key}\n")


async def set_(commands: Commands, *arguments: str, key: str = KEY) -> Result:
    """`openrouter-key set` in a thread, since the fake OpenRouter needs this one's loop."""
    return await asyncio.to_thread(typed, commands, "openrouter-key", "set", *arguments, key=key)


async def run(commands: Commands, *arguments: str, status: int = 0) -> str:
    return await asyncio.to_thread(commands.run, *arguments, status=status)


async def doctor(commands: Commands, *, status: int = 0) -> dict[str, Any]:
    found = json.loads(await run(commands, "doctor", "--json", status=status))
    return {finding["check"]: finding for finding in found}["vault"]  # type: ignore[no-any-return]  # JSON


async def test_a_key_is_set_shown_tested_and_removed_and_never_printed(commands: Commands) -> None:
    async with FakeOpenRouter(key=KEY) as fake:
        commands.environ["OPENROUTER_BASE_URL"] = fake.base_url
        said = [(await set_(commands)).output]
        said += [
            await run(commands, "openrouter-key", word)
            for word in ("show", "test", "remove", "show", "remove")
        ]
    assert "accepts the key …cdef; owner@localhost" in said[0]
    assert "$74.5 left, $25.5 used" in said[0]
    assert said[1].startswith("…cdef of owner@localhost, set 20")
    assert "OpenRouter accepts the key of owner@localhost." in said[2]
    assert said[3] == "The key of owner@localhost is removed.\n"
    assert "openrouter-key set` stores one" in said[4]
    assert said[5] == "owner@localhost has no key.\n"
    assert KEY[:-4] not in "".join(said)
    assert len(fake.calls) == 2


async def test_scripts_read_json(commands: Commands) -> None:
    commands.run("users", "create", "ada@example.org")
    async with FakeOpenRouter(key=KEY) as fake:
        commands.environ["OPENROUTER_BASE_URL"] = fake.base_url
        stored = json.loads((await set_(commands, "--user", "ada@example.org", "--json")).stdout)
        tested = json.loads(
            await run(commands, "openrouter-key", "test", "--user", "ada@example.org", "--json")
        )
        shown = json.loads(
            await run(commands, "openrouter-key", "show", "--user", "ada@example.org", "--json")
        )
        nobody = json.loads(await run(commands, "openrouter-key", "show", "--json"))
    assert (stored["provider"], stored["hint"], stored["limit_remaining"]) == ("openrouter", "cdef", 74.5)
    assert (tested["accepted"], tested["usage"], tested["user"]) == (True, 25.5, stored["user"])
    assert (shown["hint"], shown["user"]) == ("cdef", stored["user"])
    assert nobody is None


async def test_what_is_refused_is_not_stored(commands: Commands) -> None:
    async with FakeOpenRouter(key=KEY) as fake:
        commands.environ["OPENROUTER_BASE_URL"] = fake.base_url
        refused = await set_(commands, key="sk-or-v1-unknown-0123456789")
        odd = await set_(commands, key="nonsense")
        commands.environ["OPENROUTER_BASE_URL"] = "http://127.0.0.1:9/v1"
        silent = await set_(commands)
    assert isinstance(refused.exception, Unauthenticated)
    assert isinstance(odd.exception, InvalidRequest)
    assert isinstance(silent.exception, BadGateway)
    assert "has no OpenRouter key" in await run(commands, "openrouter-key", "show")


async def test_a_person_is_asked_without_the_key_being_shown(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def hidden(prompt: str) -> str:
        asked.append(prompt)
        return KEY

    monkeypatch.setattr("getpass.getpass", hidden)
    monkeypatch.setattr("typer.testing._NamedTextIOWrapper.isatty", lambda _: True)
    async with FakeOpenRouter(key=KEY) as fake:
        commands.environ["OPENROUTER_BASE_URL"] = fake.base_url
        result = await set_(commands, key="what a pipe would hold")
    assert result.exit_code == 0, result.output
    assert asked == ["OpenRouter key: "]


def test_a_key_among_the_arguments_is_not_taken(commands: Commands) -> None:
    result = typed(commands, "openrouter-key", "set", KEY)
    assert result.exit_code == 2
    assert "has no OpenRouter key" in commands.run("openrouter-key", "show")


async def test_master_keys_are_rotated_and_retired(commands: Commands) -> None:
    async with FakeOpenRouter(key=KEY) as fake:
        commands.environ["OPENROUTER_BASE_URL"] = fake.base_url
        await set_(commands)
        file = commands.data_dir / "vault.keys"
        first = file.read_text()
        rotated = json.loads(await run(commands, "vault", "rotate", "--json"))
        assert (rotated["resealed"], rotated["shut"], rotated["removed"]) == (1, 0, 0)
        assert first in file.read_text()
        assert json.loads(await run(commands, "vault", "rotate", "--retire", "--json")) == {"retired": 1}
        prepared = json.loads(await run(commands, "vault", "rotate", "--prepare", "--json"))
        again = json.loads(await run(commands, "vault", "rotate", "--json"))
        assert again == {**rotated, "master_key": prepared["master_key"]}
        await run(commands, "openrouter-key", "test")
    printed = await run(commands, "vault", "rotate")
    assert "Sealed anew: 1." in printed
    secrets = [line.split()[2] for line in file.read_text().splitlines() if not line.startswith("#")]
    assert not any(secret in printed for secret in secrets)
    assert file.stat().st_mode & 0o777 == 0o600


async def test_lost_master_keys_are_noticed_and_can_be_lived_with(commands: Commands) -> None:
    commands.run("users", "create", "ada@example.org")
    async with FakeOpenRouter(key=KEY) as fake:
        commands.environ["OPENROUTER_BASE_URL"] = fake.base_url
        await set_(commands)
        assert (await doctor(commands))["status"] == "ok"
        (commands.data_dir / "vault.keys").unlink()
        assert json.loads(await run(commands, "init", "--json"))["key"] is None
        assert not (commands.data_dir / "vault.keys").exists(), (
            "a new one would hide that the old one is lost"
        )
        found = await doctor(commands, status=1)
        assert "1 do not open" in found["detail"]
        assert "--discard" in found["advice"]
        other = await set_(commands, "--user", "ada@example.org")
        assert isinstance(other.exception, Sealed)
        with pytest.raises(Sealed):
            await run(commands, "openrouter-key", "test")
        assert "1 do not open" in await run(commands, "vault", "rotate", status=1)
        assert "Removed, because nothing opens them: 1." in await run(
            commands, "vault", "rotate", "--discard"
        )
        assert (await set_(commands, "--user", "ada@example.org")).exit_code == 0
        assert (await doctor(commands))["status"] == "ok"


def test_one_step_at_a_time(commands: Commands) -> None:
    with pytest.raises(ConfigurationError, match="one of them"):
        commands.run("vault", "rotate", "--prepare", "--retire")


async def test_doctor_looks_at_the_file(commands: Commands) -> None:
    file = commands.data_dir / "vault.keys"
    assert (await doctor(commands))["detail"] == f"{file}, 1 master keys; 0 own provider keys of users"
    file.chmod(0o644)
    found = await doctor(commands)
    assert (found["status"], found["advice"]) == ("note", "Others can read the file: chmod 600 it.")
    file.write_text("nonsense")
    assert "line 1" in (await doctor(commands, status=1))["detail"]


def test_init_makes_the_master_keys_where_they_are_to_be(bare: Commands, tmp_path: Path) -> None:
    bare.environ["WRITINGMATE_VAULT_KEYS"] = str(tmp_path / "secrets" / "keys")
    bare.run("init")
    content = (tmp_path / "secrets" / "keys").read_text()
    bare.run("init")
    assert (tmp_path / "secrets" / "keys").read_text() == content
    assert not (bare.data_dir / "vault.keys").exists()


def test_a_wrong_file_is_one_line_and_status_2(commands: Commands) -> None:
    (commands.data_dir / "vault.keys").write_text("nonsense")
    done = commands.process("vault", "rotate")
    assert done.returncode == 2
    assert done.stderr.startswith("writingmate: ")
    assert "Traceback" not in done.stderr
