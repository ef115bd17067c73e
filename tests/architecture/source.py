"""The package's source, parsed once: modules, what they import and where."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
PACKAGE = "writingmate"
SCRIPTS = f"{PACKAGE}.storage.migrations"


@dataclass(frozen=True, slots=True)
class Import:
    """``module`` is what is loaded: ``inside`` a function or at the top, or only for ``typing``."""

    module: str
    line: int
    inside: bool
    typing: bool


@dataclass(frozen=True, slots=True)
class Module:
    """One file of the package."""

    name: str
    path: Path
    tree: ast.Module
    lines: int
    imports: tuple[Import, ...]

    @property
    def room(self) -> str:
        """The top-level package or module it belongs to; the package itself for its own ``__init__``."""
        return [*self.name.split("."), self.name][1]

    @property
    def is_script(self) -> bool:
        """Alembic runs its environment and revisions; nobody imports them."""
        return self.name.startswith(SCRIPTS)

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return str(self.path.relative_to(ROOT))


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the package, by name."""
    return tuple(sorted(map(_module, SOURCE.rglob("*.py")), key=lambda module: module.name))


@cache
def names() -> frozenset[str]:
    """The names of all modules."""
    return frozenset(_name(path) for path in SOURCE.rglob("*.py"))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method, nested ones too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _module(path: Path) -> Module:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    name = _name(path)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    inside = {id(node) for function in functions(tree) for node in ast.walk(function)}
    typing = {id(node) for block in ast.walk(tree) if _is_for_typing(block) for node in ast.walk(block)}
    imports = tuple(
        Import(target, node.lineno, id(node) in inside, id(node) in typing)
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for target in _targets(node, package)
    )
    return Module(name, path, tree, len(text.splitlines()), imports)


def _is_for_typing(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _targets(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    else:
        above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        origin = ".".join([*above, *([node.module] if node.module else [])])
        for alias in node.names:
            submodule = f"{origin}.{alias.name}"
            yield submodule if submodule in names() else origin
