"""Every setting, variable and option that the documentation lists is there, and every one there is listed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from functools import cache

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from tests.architecture.source import ROOT
from writingmate.cli import app
from writingmate.providers.rows import ROWS
from writingmate.settings import ModelSection, ProviderSection, Settings
from writingmate.settings.sources import simple_fields, variable

DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])
CLIENTS_OWN = {"WRITINGMATE_KEY", "WRITINGMATE_API_KEY"}
COMMON = {"--help", "--json", "--data-dir", "--version"}


@cache
def rows(page: str) -> dict[str, str]:
    """The rows of the tables of a page by the word that each begins with."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return dict(re.findall(r"^\| `([^`]+)`(.*)$", text, re.MULTILINE))


def options(group: TyperGroup, path: str = "writingmate") -> Iterator[tuple[str, set[str]]]:
    """Every command and its own options; a group may be one too."""
    if group.invoke_without_command:
        yield path, {option for parameter in group.params for option in parameter.opts}
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from options(command, f"{path} {name}")
        else:
            yield f"{path} {name}", {option for parameter in command.params for option in parameter.opts}


def root() -> TyperGroup:
    """The command line."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    return group


def test_every_setting_and_its_variable_are_listed() -> None:
    listed = rows("settings.md")
    for name in simple_fields():
        assert f"`{variable(name)}`" in listed[name]


@pytest.mark.parametrize("section", [ProviderSection, ModelSection])
def test_every_key_of_a_section_is_listed(section: type[ProviderSection | ModelSection]) -> None:
    assert {field.name for field in fields(section)} <= rows("settings.md").keys()


def test_every_provider_and_its_variables_are_listed() -> None:
    listed = rows("settings.md")
    for row in ROWS.values():
        for name in (row.key_variable, *row.url_variables):
            assert f"`{name}`" in listed[row.name]


def test_every_variable_that_is_mentioned_is_read() -> None:
    known = {variable(name) for name in simple_fields()} | {"WRITINGMATE_SETTINGS"} | CLIENTS_OWN
    for page in PAGES:
        mentioned = set(re.findall(r"(?<![A-Z_])WRITINGMATE_[A-Z_]*[A-Z]", page.read_text(encoding="utf-8")))
        assert mentioned <= known, page.name


def test_every_option_that_is_listed_with_a_command_is_its_own() -> None:
    listed = rows("cli.md")
    for command, own in options(root()):
        assert set(re.findall(r"`(--[a-z-]+)", listed[command])) <= own | COMMON, command


def test_every_option_that_is_mentioned_exists() -> None:
    known = {option for _, own in options(root()) for option in own} | COMMON
    for page in PAGES:
        mentioned = set(
            re.findall(r"`(?:writingmate [a-z -]*)?(--[a-z-]+)", page.read_text(encoding="utf-8"))
        )
        assert mentioned <= known, page.name


def test_a_listed_setting_exists() -> None:
    names = {field.name for section in (Settings, ProviderSection, ModelSection) for field in fields(section)}
    listed = {word for word, rest in rows("settings.md").items() if "WRITINGMATE_" in rest}
    assert listed == simple_fields().keys()
    assert {word for word in rows("settings.md") if "." not in word} <= names | ROWS.keys()
