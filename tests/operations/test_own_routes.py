from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.catalog.rows import catalog, principal, provider
from tests.vault.test_store import KEY, revision, stored
from writingmate.errors import StalePrincipal, Unavailable
from writingmate.operations.own_routes import OwnRoutes
from writingmate.storage.engine import Database
from writingmate.telemetry import log
from writingmate.types import Model, Principal
from writingmate.vault.box import Box
from writingmate.vault.credentials import Credentials
from writingmate.vault.keys import Keyring

OWN = provider("openrouter", key=None)
SERVED = catalog(provider("openai"), own=OWN)


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(Keyring(tmp_path / "vault.keys"))


def model(slug: str) -> Model:
    found = SERVED.get(slug, own=True)
    assert found is not None
    return found


def caller(database: Database, *, byok: bool = True) -> Principal:
    return replace(principal(), user_id="user_1", revision=revision(database), byok=byok)


async def test_a_callers_own_key_is_in_the_route_and_nowhere_to_be_seen(database: Database, box: Box) -> None:
    stored(database, box)
    routes = OwnRoutes(SERVED, Credentials(database, box))
    route = await routes.route(caller(database), model("openai/gpt-5"))
    assert route is not None
    assert (route.provider.name, route.provider.base_url, route.model) == (
        "openrouter",
        OWN.base_url,
        "openai/gpt-5",
    )
    assert route.provider.authorized()["authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(route)
    assert OWN.api_key is None


async def test_who_has_no_key_goes_the_usual_way(database: Database, box: Box) -> None:
    stored(database, box)
    routes = OwnRoutes(SERVED, Credentials(database, box))
    assert await routes.route(caller(database, byok=False), model("openai/gpt-5")) is None


async def test_a_key_that_was_removed_meanwhile_makes_the_principal_stale(
    database: Database, box: Box
) -> None:
    routes = OwnRoutes(SERVED, Credentials(database, box))
    with pytest.raises(StalePrincipal):
        await routes.route(caller(database), model("openai/gpt-5"))


async def test_a_key_that_does_not_open_is_not_replaced_by_the_operators(
    database: Database, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(database, box)
    box.keyring.file.unlink()
    box.keyring.known()
    said: list[tuple[str, object]] = []
    monkeypatch.setattr(log, "failure", lambda name, _error, **fields: said.append((name, fields)))
    routes = OwnRoutes(SERVED, Credentials(database, box))
    with pytest.raises(Unavailable, match="set the key again"):
        await routes.route(caller(database), model("openai/gpt-5"))
    assert said == [("vault_failed", {"user": "user_1"})]
