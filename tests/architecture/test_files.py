"""Small files with plain names, and nothing in them that belongs to one machine."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, Module, functions, modules

ROOMS = [module for module in modules() if not module.is_script]
LONGEST_FILE = 320
LONGEST_FUNCTION = 60
VAGUE = frozenset(
    {"util", "utils", "helper", "helpers", "manager", "service", "handler", "handlers", "payload"}
)

# Split so that this file does not contain what it forbids.
REGISTRIES = ("pypi" + r"\.org", "python" + r"hosted\.org", "npmjs" + r"\.(?:org|com)", "crates" + r"\.io")
MACHINE_PATH = re.compile(r"(?<![\w./$}-])/(?:root|work|home|opt|Users)/\w")
REGISTRY = re.compile("|".join(REGISTRIES))


def tracked() -> list[Path]:
    """What the repository holds or would hold."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("needs the repository")
    listed = subprocess.run(
        [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def text(path: Path) -> str:
    """A file's text, nothing for a binary one."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_a_file_fits_a_reader(module: Module) -> None:
    assert module.lines <= LONGEST_FILE, f"{module.place} has {module.lines} lines: split it by meaning"


@pytest.mark.parametrize("module", ROOMS, ids=lambda module: module.name)
def test_a_function_fits_a_screen(module: Module) -> None:
    lengths = {
        f"{module.place}:{each.lineno} {each.name}": (each.end_lineno or each.lineno) - each.lineno + 1
        for each in functions(module.tree)
    }
    assert not {place: length for place, length in lengths.items() if length > LONGEST_FUNCTION}


def test_nearly_every_function_is_short() -> None:
    lengths = sorted((f.end_lineno or f.lineno) - f.lineno + 1 for m in ROOMS for f in functions(m.tree))
    assert lengths[len(lengths) // 2] <= 10
    assert lengths[len(lengths) * 9 // 10] <= 35


@pytest.mark.parametrize("module", ROOMS, ids=lambda module: module.name)
def test_every_package_says_what_it_is_for(module: Module) -> None:
    if module.path.name == "__init__.py":
        assert ast.get_docstring(module.tree), module.place
    assert (module.path.parent / "__init__.py").exists(), f"{module.place} is in no package"


def test_names_say_what_is_inside() -> None:
    vague = [path for path in tracked() if VAGUE & set(re.split(r"\W|_", path.stem.lower()))]
    assert not vague, "a noun for what the file holds, please"


def test_nothing_belongs_to_one_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in tracked()
        for number, line in enumerate(text(path).splitlines(), 1)
        if MACHINE_PATH.search(line) or REGISTRY.search(line)
    ]
    assert not found, "\n".join(found)
