"""A user's own key from setting it to removing it, against a fake OpenRouter."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.openai_upstream import Fault
from tests.fakes.openrouter import FakeOpenRouter, refusing
from writingmate.errors import BadGateway, GatewayTimeout, InvalidRequest, NotFound, Sealed, Unauthenticated
from writingmate.operations import own_keys
from writingmate.operations.own_keys import OwnKeys, Standing
from writingmate.providers import for_own_keys
from writingmate.settings import ProviderSection, Settings
from writingmate.storage.engine import Database
from writingmate.types import Provider
from writingmate.upstream.base import Timeouts
from writingmate.upstream.client import HttpClient
from writingmate.vault import store
from writingmate.vault.box import Box
from writingmate.vault.keys import Keyring

KEY = "sk-or-v1-planted-0123456789abcdef"
OPERATORS = "sk-or-v1-operators-0123456789"
NOW = 1_800_000_000.0


@pytest.fixture
async def openrouter() -> AsyncIterator[FakeOpenRouter]:
    async with FakeOpenRouter(key=KEY) as running:
        yield running


def provider_at(base_url: str) -> Provider:
    section = ProviderSection(
        base_url=base_url,
        api_key=OPERATORS,
        headers={"Authorization": f"Bearer {OPERATORS}", "X-Title": "Lab"},
    )
    return for_own_keys(Settings(providers={"openrouter": section}))


@pytest.fixture
async def own(openrouter: FakeOpenRouter, database: Database, tmp_path: Path) -> AsyncIterator[OwnKeys]:
    network = HttpClient()
    box = Box(Keyring(tmp_path / "vault.keys"))
    yield OwnKeys(database, box, network, provider_at(openrouter.base_url), lambda: NOW)
    await network.close()


def kept(own: OwnKeys) -> str | None:
    with own.database.reading() as connection:
        return store.get(connection, own.box, "user_1")


async def test_a_key_is_stored_once_openrouter_has_accepted_it(
    own: OwnKeys, openrouter: FakeOpenRouter
) -> None:
    credential, standing = await own.set("user_1", f"  {KEY}\n")
    assert kept(own) == KEY
    assert (credential.hint, credential.created_at, credential.checked_at) == ("cdef", NOW, NOW)
    assert standing == Standing(25.5, 100.0, 74.5, free_tier=False, expires_at="2027-12-31T23:59:59Z")
    (call,) = openrouter.calls
    assert (call.method, call.path) == ("GET", "/v1/key")
    assert call.headers["authorization"] == f"Bearer {KEY}"
    assert call.headers["x-title"] == "Lab"
    assert OPERATORS not in str(call.headers)


@pytest.mark.parametrize(
    "text",
    ["", "   ", "short", "sk-or-v1 with spaces in it", "sk-or-v1-ümlaut-0123456789", "s" * 513, "a\0b" * 9],
)
async def test_what_cannot_be_a_key_is_refused_before_anybody_is_asked(
    own: OwnKeys, openrouter: FakeOpenRouter, text: str
) -> None:
    with pytest.raises(InvalidRequest, match="sk-or-v1-…") as caught:
        await own.set("user_1", text)
    assert caught.value.param == "key"
    assert openrouter.calls == []


async def test_a_developer_key_is_not_sent_to_openrouter(own: OwnKeys, openrouter: FakeOpenRouter) -> None:
    developer_key = f"wm_v2.{'a' * 16}.{'b' * 43}.{'c' * 43}"
    with pytest.raises(InvalidRequest, match="developer key of this server") as caught:
        await own.set("user_1", developer_key)
    assert "bbb" not in str(caught.value)
    assert openrouter.calls == []


async def test_a_refused_key_is_not_stored_and_leaves_the_last_one(own: OwnKeys) -> None:
    await own.set("user_1", KEY)
    with pytest.raises(Unauthenticated) as caught:
        await own.set("user_1", "sk-or-v1-unknown-0123456789")
    error = json.loads(caught.value.envelope())["error"]
    assert (caught.value.status, error["type"], error["code"]) == (
        401,
        "invalid_request_error",
        "provider_key_rejected",
    )
    assert "writingmate openrouter-key set" in error["message"]
    assert "0123456789" not in error["message"]
    assert kept(own) == KEY


async def test_a_management_key_is_refused(own: OwnKeys, openrouter: FakeOpenRouter) -> None:
    openrouter.about["is_management_key"] = True
    with pytest.raises(InvalidRequest, match="management key"):
        await own.set("user_1", KEY)
    assert kept(own) is None


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (refusing(500, "Internal Server Error"), BadGateway),
        (refusing(429, "Slow down"), BadGateway),
        (Fault(cut=0), BadGateway),
        (Fault(body=b"<html>", content_type="text/html"), BadGateway),
        (Fault(body=b"[]"), BadGateway),
        (Fault(body=b'{"data": 3}'), BadGateway),
        (Fault(silent=True), GatewayTimeout),
    ],
)
async def test_where_openrouter_cannot_say_nothing_is_stored(
    own: OwnKeys,
    openrouter: FakeOpenRouter,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
    error: type[BadGateway],
) -> None:
    monkeypatch.setattr(own_keys, "TIMEOUTS", Timeouts(1.0, 0.3, 0.3))
    openrouter.script(fault)
    with pytest.raises(error) as caught:
        await own.set("user_1", KEY)
    assert type(caught.value) is error
    assert KEY not in str(caught.value)
    assert kept(own) is None


async def test_an_unreachable_openrouter_is_said_to_be(database: Database, tmp_path: Path) -> None:
    network = HttpClient()
    own = OwnKeys(
        database, Box(Keyring(tmp_path / "vault.keys")), network, provider_at("http://127.0.0.1:9/v1")
    )
    with pytest.raises(BadGateway, match="could not be asked"):
        await own.set("user_1", KEY)
    await network.close()
    assert kept(own) is None


async def test_the_stored_key_is_asked_about_again(own: OwnKeys, openrouter: FakeOpenRouter) -> None:
    with pytest.raises(NotFound, match="openrouter-key set"):
        await own.test("user_1")
    await own.set("user_1", KEY)
    openrouter.about |= {"limit": None, "limit_remaining": None, "usage": 26, "expires_at": None}
    later = OwnKeys(own.database, own.box, own.network, own.provider, lambda: NOW + 9)
    assert await later.test("user_1") == Standing(26.0, None, None, free_tier=False, expires_at=None)
    shown = await own.show("user_1")
    assert shown is not None
    assert (shown.created_at, shown.checked_at) == (NOW, NOW + 9)
    openrouter.script(refusing(401, "User not found."))
    with pytest.raises(Unauthenticated):
        await own.test("user_1")
    assert kept(own) == KEY


async def test_a_key_is_removed_and_shown_no_more(own: OwnKeys) -> None:
    await own.set("user_1", KEY)
    assert await own.remove("user_1")
    assert await own.show("user_1") is None
    assert not await own.remove("user_1")


async def test_a_key_that_does_not_open_is_said_not_to(own: OwnKeys, tmp_path: Path) -> None:
    await own.set("user_1", KEY)
    other = OwnKeys(own.database, Box(Keyring(tmp_path / "other.keys")), own.network, own.provider)
    with pytest.raises(Sealed, match="restore"):
        await other.test("user_1")


def test_nothing_of_the_operators_goes_with_a_users_key() -> None:
    provider = provider_at("https://openrouter.example/v1")
    assert provider.api_key is None
    assert OPERATORS not in str(dict(provider.headers))
    assert provider.base_url == "https://openrouter.example/v1"
