"""What the documentation lists is what the code does: error codes, settings, commands."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

from typer.core import TyperGroup
from typer.main import get_command

from tests.architecture.source import ROOT, modules
from writingmate.api.openapi import Description
from writingmate.cli import app


@cache
def documented_codes() -> frozenset[str]:
    """The words of the ``code`` column of every table in docs/errors.md."""
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in text.splitlines() if re.match(r"\| \d", line)]
    return frozenset(code for row in rows for code in re.findall(r"`(\w+)`", row[3]))


def code_expressions() -> Iterator[ast.expr]:
    """What the package gives as ``code=`` to an error or a limit, and classes as their default."""
    for node in (node for module in modules() for node in ast.walk(module.tree)):
        match node:
            case ast.keyword(arg="code", value=value):
                yield value
            case ast.Assign(targets=[ast.Name(id="default_code")], value=value):
                yield value
            case ast.AnnAssign(target=ast.Name(id="code"), value=ast.expr() as value):
                yield value


def patterns(expression: ast.expr) -> Iterator[str]:
    """Regular expressions of what an expression can be: its constants, its f-strings with anything inside."""
    if isinstance(expression, ast.Constant) and isinstance(expression.value, str):
        yield re.escape(expression.value)
    elif isinstance(expression, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.Constant) else None for part in expression.values)
        yield "".join(r"\w+" if part is None else re.escape(str(part)) for part in parts)
    elif isinstance(expression, ast.IfExp):
        yield from patterns(expression.body)
        yield from patterns(expression.orelse)
    elif isinstance(expression, ast.BoolOp):
        for value in expression.values:
            yield from patterns(value)


def test_every_error_code_is_documented() -> None:
    given = {pattern for expression in code_expressions() for pattern in patterns(expression)}
    assert "invalid_type" in given, "nothing found: has the way errors get their code changed?"
    missing = [
        pattern for pattern in given if not any(re.fullmatch(pattern, code) for code in documented_codes())
    ]
    assert not missing, f"not in docs/errors.md: {missing}"


def test_every_documented_error_code_is_given() -> None:
    given = {pattern for expression in code_expressions() for pattern in patterns(expression)}
    unknown = [
        code for code in documented_codes() if not any(re.fullmatch(pattern, code) for pattern in given)
    ]
    assert not unknown, f"in docs/errors.md, but nothing raises them: {unknown}"


def commands(group: TyperGroup, path: str = "writingmate") -> Iterator[str]:
    """Every command that does something, as it is typed; a group may do something by itself."""
    if group.invoke_without_command:
        yield path
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}"


def test_every_command_is_documented_and_every_documented_command_exists() -> None:
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `(writingmate [^`]+)` \|", text, re.MULTILINE)
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    assert sorted(documented) == sorted(commands(group))


def test_every_route_is_described_and_every_description_has_a_route() -> None:
    described = Description("http://gateway").document["paths"]
    written = (ROOT / "src/writingmate/api/routes.py").read_text(encoding="utf-8")
    table = {f"{path}" for path in re.findall(r'(?:API|ANTHROPIC) \+ b"(/[a-z0-9_./]+)": ', written)} - {
        "/docs"
    }
    named = {
        "/models/{id}",
        "/v1/models/{id}",
        "/usage/{request_id}",
        "/responses/{id}",
        "/responses/{id}/cancel",
        "/responses/{id}/input_items",
    }
    assert table | named == set(described)


def test_links_between_documents_lead_somewhere() -> None:
    for document in [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / link).exists(), f"{document.name}: {link}"
