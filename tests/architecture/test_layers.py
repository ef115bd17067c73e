"""Imports go down only; no room knows its neighbours; nothing goes in a circle."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.architecture.source import PACKAGE, Import, Module, modules

# Lowest first. A room may import the rooms of the lines above its own, and none on its own line.
LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"errors", "types", "redaction"}),
    frozenset({"wire", "settings", "telemetry"}),
    frozenset({"dialects"}),
    frozenset({"upstream", "storage"}),
    frozenset({"providers", "identity", "workspaces", "catalog", "metering", "local", "vault", "memory"}),
    frozenset({"operations"}),
    frozenset({"api", "console", "jobs", "cli"}),
    frozenset({"app"}),
    frozenset({"__main__"}),
)
HEIGHT = {room: height for height, rooms in enumerate(LAYERS) for room in rooms}

# The way in: commands load what they run when they run, not when they are imported.
ENTRANCES = {("cli", "app"), ("cli", "api")}


def room(name: str) -> str:
    """``writingmate.wire.sse`` is in ``wire``; the package itself holds nothing."""
    return [*name.split("."), ""][1]


def wrong(module: Module, imported: Import) -> bool:
    """Whether an import goes up or sideways."""
    own, other = module.room, room(imported.module)
    if other in {own, ""} or own == PACKAGE:
        return own == PACKAGE and other != ""
    if (own, other) in ENTRANCES:
        return not imported.inside
    return HEIGHT[other] >= HEIGHT[own]


def ours(module: Module) -> Iterator[Import]:
    """A module's imports from the package."""
    return (each for each in module.imports if each.module.split(".")[0] == PACKAGE)


def test_every_room_has_its_place_in_the_order() -> None:
    rooms = {module.room for module in modules()} - {PACKAGE}
    assert rooms <= HEIGHT.keys(), f"not in the order of layers: {sorted(rooms - HEIGHT.keys())}"


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_imports_go_down_only(module: Module) -> None:
    offending = [
        f"{module.place}:{each.line} imports {each.module}" for each in ours(module) if wrong(module, each)
    ]
    assert not offending, "\n".join(offending)


@pytest.mark.parametrize(
    "module", [module for module in modules() if module.room != "cli"], ids=lambda module: module.name
)
def test_imports_are_at_the_top(module: Module) -> None:
    inside = [f"{module.place}:{each.line} imports {each.module}" for each in module.imports if each.inside]
    assert not inside, "\n".join(inside)


def test_no_cycle() -> None:
    graph = {
        module.name: {each.module for each in ours(module) if each.module != module.name}
        for module in modules()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))
