"""Which room may know which library."""

from __future__ import annotations

import pytest

from tests.architecture.source import PACKAGE, Module, modules

# Library → who may import it: a room, or a file name that any room may have, alone or as an ending.
FENCES: dict[str, frozenset[str]] = {
    "sqlalchemy": frozenset({"storage", "metering", "store.py"}),
    "alembic": frozenset({"storage"}),
    "sqlite3": frozenset({"storage", "metering"}),
    "psycopg": frozenset({"storage", "metering"}),
    "starlette": frozenset({"api", "console"}),
    "uvicorn": frozenset({"api", "cli"}),
    "jinja2": frozenset({"console"}),
    "swagger_ui_bundle": frozenset({"api"}),
    "httptools": frozenset({"upstream", "api"}),
    "cryptography": frozenset({"vault"}),
    "typer": frozenset({"cli"}),
    "prometheus_client": frozenset({"telemetry"}),
    "toktok": frozenset({"metering"}),
    "xllamacpp": frozenset({"local"}),
}

# What a gateway must not carry in its process: vendors' SDKs, and clients that cost 50 times ours.
NOWHERE = frozenset(
    {"anthropic", "cohere", "google", "groq", "litellm", "mistralai", "openai", "replicate"}
    | {"aiohttp", "fastapi", "flask", "httpx", "requests", "urllib3"}
)


def allowed(library: str, module: Module) -> bool:
    """Whether the fence around a library has a gate for this module."""
    if library in NOWHERE:
        return False
    gates = FENCES.get(library)
    name = module.path.name
    return gates is None or module.room in gates or not gates.isdisjoint({name, name.rpartition("_")[2]})


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_libraries_stay_behind_their_fences(module: Module) -> None:
    outside = [
        f"{module.place}:{each.line} imports {each.module}"
        for each in module.imports
        if not each.typing and not allowed(each.module.split(".")[0], module)
    ]
    assert not outside, "\n".join(outside)


def test_the_fences_stand_around_something() -> None:
    """A fence around a library that nobody imports any more is a leftover."""
    imported = {each.module.split(".")[0] for module in modules() for each in module.imports}
    assert PACKAGE in imported
    assert FENCES.keys() - imported <= {"starlette", "jinja2"}, "named above, imported nowhere"
