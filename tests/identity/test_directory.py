from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, update

from writingmate.errors import PermissionDenied, Unauthenticated, Unavailable
from writingmate.identity import keys, store
from writingmate.identity.directory import Directory
from writingmate.identity.keys import MintedKey
from writingmate.identity.records import KeyOptions, User
from writingmate.storage.engine import Database
from writingmate.storage.tables import memberships, users, workspaces
from writingmate.vault import store as vault
from writingmate.vault.box import Box
from writingmate.vault.keys import Keyring

NOW = 1_800_000_000.0


@dataclass
class Clock:
    now: float = NOW

    def __call__(self) -> float:
        return self.now


@dataclass
class House:
    """Two users with a workspace each, a key of the first, and a directory as one process has it."""

    database: Database
    ada: User
    bob: User
    key: MintedKey
    clock: Clock = field(default_factory=Clock)

    def directory(self, **options: int) -> Directory:
        return Directory(self.database, clock=self.clock, **options)

    def change(self, change: Callable[[Connection], Any]) -> Any:
        with self.database.transaction() as connection:
            return change(connection)

    def new_key(self, **options: Any) -> MintedKey:
        wanted = KeyOptions(**options)
        key: MintedKey = self.change(lambda c: store.create_key(c, self.ada, wanted, now=self.clock.now))
        return key

    def revoke(self, key: MintedKey) -> None:
        self.change(lambda c: store.revoke_key(c, key.key_id, now=NOW))


@pytest.fixture
def house(database: Database) -> House:
    with database.transaction() as connection:
        store.ensure_signing_key(connection, now=NOW)
        ada = store.create_user(connection, "ada@example.org", plan="self-hosted", now=NOW)
        bob = store.create_user(connection, "bob@example.org", plan="premium", now=NOW)
        key = store.create_key(connection, ada, KeyOptions(), now=NOW)
    return House(database, ada, bob, key)


@contextmanager
def statements() -> Iterator[list[str]]:
    """Every statement that reaches a database meanwhile, BEGIN and the like left out."""
    seen: list[str] = []

    def heard(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.startswith("BEGIN"):
            seen.append(statement)

    event.listen(Engine, "before_cursor_execute", heard)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", heard)


def corrupted(text: str) -> str:
    return text[:-2] + ("A" if text[-2] != "A" else "B") + text[-1]


async def test_a_key_stands_for_its_user_in_their_current_workspace(house: House) -> None:
    key = house.new_key(allowed_models=("a/one",), daily_cap=7)
    principal = await house.directory().principal(key.key)
    assert principal.user_id == house.ada.user_id
    assert principal.workspace_id == house.ada.home_workspace_id
    assert (principal.key_id, principal.plan) == (key.key_id, "self-hosted")
    assert (principal.allowed_models, principal.daily_cap) == (frozenset({"a/one"}), 7)


async def test_a_known_key_costs_one_query_once(house: House) -> None:
    directory = house.directory()
    await directory.refresh()
    with statements() as seen:
        first = await directory.principal(house.key.key)
        again = await directory.principal(house.key.key)
    assert first is again
    assert len(seen) == 1


async def test_concurrent_misses_share_one_query(house: House) -> None:
    directory = house.directory()
    await directory.refresh()
    with statements() as seen:
        found = await asyncio.gather(*(directory.principal(house.key.key) for _ in range(50)))
    assert len(set(map(id, found))) == 1
    assert len(seen) == 1


async def test_one_of_the_concurrent_may_leave_without_harm(house: House) -> None:
    directory = house.directory()
    await directory.refresh()
    first = asyncio.create_task(directory.principal(house.key.key))
    second = asyncio.create_task(directory.principal(house.key.key))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).key_id == house.key.key_id
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_failed_look_up_that_nobody_waits_for_is_no_noise(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.revoke(house.key)
    directory = house.directory()
    await directory.refresh()
    left = asyncio.create_task(directory.principal(house.key.key))
    await asyncio.sleep(0)
    (flight,) = directory._flights.values()
    left.cancel()
    await asyncio.wait([left, flight])
    assert not directory._flights
    del left, flight
    gc.collect()
    assert not caplog.records


async def test_what_is_not_signed_here_is_refused_without_a_look_up(house: House) -> None:
    directory = house.directory()
    await directory.refresh()
    key = house.key.key
    foreign = keys.mint(keys.new_signing_key(NOW, NOW)).key
    wrong = [corrupted(key), foreign, key[:-1], key + "A", key + "\n", key[:-1] + "é", key[:-1] + "\udce9"]
    wrong += ["sk-proj-" + "x" * 40, "x" * 1_000_000, "é" * keys.LENGTH, "\x00" * keys.LENGTH]
    with statements() as seen:
        for text in wrong:
            for fresh in (False, True):
                with pytest.raises(Unauthenticated) as caught:
                    await directory.principal(text, fresh=fresh)
                assert caught.value.code == "invalid_api_key"
                assert caught.value.message.startswith("Incorrect API key provided")
    assert seen == []


@pytest.mark.parametrize("nothing", [None, ""])
async def test_no_key_at_all_says_how_to_send_one(house: House, nothing: str | None) -> None:
    with pytest.raises(Unauthenticated) as caught:
        await house.directory().principal(nothing)
    error = caught.value
    assert (error.status, error.type, error.code, error.param) == (
        401,
        "invalid_request_error",
        "invalid_api_key",
        None,
    )
    assert error.message.startswith("You didn't provide an API key.")
    assert "Authorization: Bearer" in error.message


async def test_a_signed_key_that_was_never_stored_is_refused(house: House) -> None:
    signing = house.change(store.load_signing_keys)
    with pytest.raises(Unauthenticated):
        await house.directory().principal(keys.mint(signing[0]).key)


async def test_the_secret_must_be_the_stored_one_though_the_signature_is_right(house: House) -> None:
    """Whoever has the signing key alone cannot speak for a key."""
    (signing,) = house.change(store.load_signing_keys)
    secret = keys._base64url(b"\x01" * 32)
    signed = house.key.prefix.encode() + b"." + secret
    forged = (signed + b"." + keys._signature(signing, signed)).decode()
    assert keys.verify(forged, [signing])
    with pytest.raises(Unauthenticated):
        await house.directory().principal(forged)


async def test_a_revoked_key_is_refused_in_every_process_after_one_stale_hold(house: House) -> None:
    here, there = house.directory(), house.directory()
    principal = await there.principal(house.key.key)
    await here.principal(house.key.key)
    house.revoke(house.key)
    assert await there.principal(house.key.key) is principal  # its hold is refused by the revision …
    there.forget(principal)  # … and then:
    with pytest.raises(Unauthenticated, match="has been revoked"):
        await there.principal(house.key.key)
    with pytest.raises(Unauthenticated):
        await here.principal(house.key.key, fresh=True)
    await here.refresh()
    with pytest.raises(Unauthenticated):
        await here.principal(house.key.key)


async def test_forgetting_an_older_principal_spares_the_newer_ones(house: House) -> None:
    directory = house.directory()
    old = await directory.principal(house.key.key)
    house.new_key()
    directory.forget(old)
    new = await directory.principal(house.key.key)
    directory.forget(old)
    with statements() as seen:
        assert await directory.principal(house.key.key) is new
    assert new.revision > old.revision
    assert seen == []


async def test_a_look_up_begun_before_the_change_is_not_joined_after_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = house.directory()
    principal = await directory.principal(house.key.key)
    directory.forget(principal)
    queried, on = asyncio.Event(), asyncio.Event()
    read = house.database.read

    async def slow(query: Callable[[Connection], Any]) -> Any:
        found = await read(query)
        queried.set()
        await on.wait()
        return found

    with monkeypatch.context() as held_up:
        held_up.setattr(house.database, "read", slow)
        early = asyncio.create_task(directory.principal(house.key.key))
        await queried.wait()
    house.new_key()
    directory.forget(principal)
    late = await asyncio.wait_for(directory.principal(house.key.key), 10)
    on.set()
    assert (await early).revision == principal.revision
    assert late.revision > principal.revision


async def test_a_database_put_back_to_an_earlier_state_is_believed(house: House) -> None:
    directory = house.directory()
    later = await directory.principal(house.key.key)
    house.change(lambda c: c.exec_driver_sql("UPDATE revisions SET value = 1"))
    directory.forget(later)
    again = await directory.principal(house.key.key)
    assert again.revision == 1
    assert await directory.principal(house.key.key) is again


async def test_a_change_of_plan_or_workspace_is_seen_fresh(house: House) -> None:
    directory = house.directory()
    await directory.principal(house.key.key)
    house.change(lambda c: c.execute(update(workspaces).values(plan="free")))
    house.new_key()  # moves the revision on, as the stores do with every such change
    assert (await directory.principal(house.key.key, fresh=True)).plan == "free"
    assert (await directory.principal(house.key.key)).plan == "free"


async def test_expiry_counts_at_every_use_though_the_key_is_remembered(house: House) -> None:
    key = house.new_key(expires_at=NOW + 10)
    directory = house.directory()
    house.clock.now = NOW + 9.9
    await directory.principal(key.key)
    house.clock.now = NOW + 10
    for fresh in (False, True):
        with pytest.raises(Unauthenticated, match=r"expired on 2027-01-15 08:00 UTC"):
            await directory.principal(key.key, fresh=fresh)


async def test_the_header_chooses_among_the_users_workspaces(house: House) -> None:
    house.change(
        lambda c: c.execute(
            memberships.insert().values(
                workspace_id=house.bob.home_workspace_id,
                user_id=house.ada.user_id,
                role="MEMBER",
                status="ACTIVE",
                created_at=NOW,
            )
        )
    )
    directory = house.directory()
    there = await directory.principal(house.key.key, house.bob.home_workspace_id)
    here = await directory.principal(house.key.key)
    assert (there.workspace_id, there.plan) == (house.bob.home_workspace_id, "premium")
    assert (here.workspace_id, here.plan) == (house.ada.home_workspace_id, "self-hosted")


async def test_an_unknown_and_a_foreign_workspace_get_the_same_answer(house: House) -> None:
    pinned = house.new_key(workspace_id=house.ada.home_workspace_id)
    house.change(
        lambda c: c.execute(
            memberships.insert().values(
                workspace_id="ws_invited",
                user_id=house.ada.user_id,
                role="MEMBER",
                status="INVITED",
                created_at=NOW,
            )
        )
    )
    asked: list[tuple[MintedKey, str]] = [
        (house.key, house.bob.home_workspace_id),
        (pinned, house.bob.home_workspace_id),
        *(
            (house.key, text)
            for text in ("ws_none", "ws_invited", "", "x" * 5000, "a\x00b", "é", "' OR 1=1 --")
        ),
    ]
    directory = house.directory()
    answers = set()
    for key, workspace in asked:
        with pytest.raises(PermissionDenied) as caught:
            await directory.principal(key.key, workspace)
        error = caught.value
        assert (error.status, error.type, error.code) == (403, "permission_error", "workspace_not_accessible")
        answers.add(error.envelope())
    assert len(answers) == 1


async def test_a_pinned_key_acts_where_it_is_pinned(house: House) -> None:
    pinned = house.new_key(workspace_id=house.ada.home_workspace_id)
    house.change(lambda c: c.execute(update(users).values(current_workspace_id=house.bob.home_workspace_id)))
    directory = house.directory()
    for asked in (None, house.ada.home_workspace_id):
        assert (await directory.principal(pinned.key, asked)).workspace_id == house.ada.home_workspace_id
    with pytest.raises(PermissionDenied):
        await directory.principal(house.key.key)


async def test_a_new_signing_key_is_known_before_the_first_key_it_signs(house: House) -> None:
    directory = house.directory()
    await directory.principal(house.key.key)
    house.change(lambda c: store.rotate_signing_key(c, now=NOW))
    house.clock.now = NOW + 20  # the job that keeps the directory up to date
    await directory.refresh()
    house.clock.now = NOW + 60
    key = house.new_key()
    assert (await directory.principal(key.key)).key_id == key.key_id


async def test_a_retired_signing_key_ends_its_keys_as_soon_as_the_change_is_seen(house: House) -> None:
    directory = house.directory()
    principal = await directory.principal(house.key.key)
    house.change(lambda c: store.rotate_signing_key(c, now=NOW))
    house.change(lambda c: store.retire_signing_keys(c, now=NOW + 60))
    directory.forget(principal)
    with pytest.raises(Unauthenticated):
        await directory.principal(house.key.key)
    with statements() as seen, pytest.raises(Unauthenticated):
        await directory.principal(house.key.key)
    assert seen == []


async def test_no_more_is_remembered_than_allowed(house: House) -> None:
    directory = house.directory(remembered=2)
    made = [house.new_key() for _ in range(3)]
    for key in made:
        await directory.principal(key.key)
    assert len(directory._standings) == 2
    with statements() as seen:
        await directory.principal(made[2].key)
        await directory.principal(made[1].key)
        await directory.principal(made[0].key)
    assert len(seen) == 1


async def test_last_use_is_written_in_one_statement_and_survives_a_failure(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = house.new_key()
    directory = house.directory()
    await directory.principal(house.key.key)
    house.clock.now = NOW + 5
    await directory.principal(other.key)

    def refuse(_connection: Connection, *, used: object) -> None:
        raise Unavailable(f"{used} kept")

    with monkeypatch.context() as broken:
        broken.setattr(store, "touch", refuse)
        with pytest.raises(Unavailable):
            await directory.flush_last_used()
    house.clock.now = NOW + 6
    await directory.principal(house.key.key)
    with statements() as seen:
        await directory.flush_last_used()
        await directory.flush_last_used()
    assert len(seen) == 1
    listed = {key.key_id: key.last_used_at for key in house.change(store.list_keys)}
    assert listed == {house.key.key_id: NOW + 6, other.key_id: NOW + 5}


async def test_a_refused_key_was_not_used(house: House) -> None:
    directory = house.directory()
    with pytest.raises(PermissionDenied):
        await directory.principal(house.key.key, "ws_none")
    with statements() as seen:
        await directory.flush_last_used()
    assert seen == []


async def test_a_planted_key_leaves_no_trace(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    directory = house.directory()
    await directory.principal(house.key.key)
    said = []
    wrong = corrupted(house.key.key)
    for text, workspace in (
        (house.key.key, "ws_none"),
        (wrong, None),
        (house.key.key[:-1], None),
        (wrong + "x", None),
    ):
        with pytest.raises((Unauthenticated, PermissionDenied)) as caught:
            await directory.principal(text, workspace)
        said.append(f"{caught.value!r} {caught.value.envelope()!r}")
    house.revoke(house.key)
    with pytest.raises(Unauthenticated) as caught:
        await directory.principal(house.key.key, fresh=True)
    said.append(f"{caught.value!r} {caught.value.envelope()!r}")
    await directory.flush_last_used()
    _, _, secret, signature = house.key.key.split(".")
    remembered = repr((vars(directory), directory._standings, directory._keyring))
    places = [*said, remembered, caplog.text]
    if house.database.path is not None:
        files = house.database.path.parent.glob("writingmate.db*")
        places += [file.read_bytes().decode("latin-1") for file in files]
    for place in places:
        assert secret not in place
        assert signature not in place
    assert house.key.prefix in said[-1]


async def test_a_key_of_the_users_own_is_known_with_the_next_request(house: House, tmp_path: Path) -> None:
    box = Box(Keyring(tmp_path / "vault.keys"))
    directory = house.directory()
    assert not (await directory.principal(house.key.key)).byok
    house.change(lambda c: vault.put(c, box, house.ada.user_id, "sk-or-v1-0123456789abcdef", now=NOW))
    await directory.refresh()
    with statements() as seen:
        assert (await directory.principal(house.key.key)).byok
        asked = await directory.principal(house.key.key, house.ada.home_workspace_id)
    assert asked.byok
    assert len(seen) == 2, "it costs no query of its own"
    house.change(lambda c: vault.remove(c, house.ada.user_id))
    await directory.refresh()
    assert not (await directory.principal(house.key.key)).byok


async def test_another_users_key_or_another_providers_is_not_theirs(house: House, tmp_path: Path) -> None:
    box = Box(Keyring(tmp_path / "vault.keys"))
    secret = "sk-or-v1-0123456789abcdef"
    house.change(lambda c: vault.put(c, box, house.bob.user_id, secret, now=NOW))
    house.change(lambda c: vault.put(c, box, house.ada.user_id, secret, now=NOW, provider="openai"))
    assert not (await house.directory().principal(house.key.key)).byok
