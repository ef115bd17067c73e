"""The link of an invitation on a real server, with real keys and a real database behind it."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import quote, urlencode

import pytest

from tests.api.raw import Answer, ask, dial
from tests.api.served import served
from tests.workspaces.people import ADA, BOB, CAT, NOW, Team
from tests.workspaces.people import team as made
from writingmate.api.invitations import FORM, LONGEST_FORM, InvitationEndpoints
from writingmate.identity.directory import Directory
from writingmate.operations.invitations import Invitations
from writingmate.storage.engine import Database
from writingmate.telemetry import log
from writingmate.workspaces import invitation_store, member_store, store
from writingmate.workspaces.invitations import DAY

UNKNOWN = "wm_inv_" + "A" * 43


@dataclass
class Clock:
    now: float = NOW

    def __call__(self) -> float:
        return self.now


@dataclass
class Door:
    """A server, a team, and a clock that a test may turn."""

    port: int
    team: Team
    clock: Clock

    def invite(self, email: str = BOB, *, by_operator: bool = False) -> str:
        by = None if by_operator else self.team.ada.user_id
        with self.team.database.transaction() as connection:
            return invitation_store.invite(connection, self.team.id, email, "MEMBER", by=by, now=NOW)[1]

    async def get(self, secret: str, method: str = "GET") -> Answer:
        return await ask(self.port, method, f"/invitations/{secret}")

    async def submit(self, secret: str, key: str) -> Answer:
        """As a browser sends the page's form."""
        body = urlencode({"key": key}).encode()
        return await self.post(secret, body=body, content_type=FORM.decode())

    async def post(self, secret: str, *, body: bytes = b"", **headers: str) -> Answer:
        return await ask(self.port, "POST", f"/invitations/{secret}", body=body, **headers)


@pytest.fixture
async def door(database: Database) -> AsyncIterator[Door]:
    clock = Clock()
    team = made(database)
    endpoints = InvitationEndpoints(Directory(database, clock=clock), Invitations(database, clock))
    async with served(invitations=endpoints) as running:
        yield Door(running.port, team, clock)


class Page(HTMLParser):
    """What a page says: its text, and its elements with their attributes."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        self.words: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(answer.body.decode())
        self.text = re.sub(r"[ \n]+", " ", "".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements[-1:] and self.elements[-1][0] != "style":
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


async def test_the_page_says_who_invites_whom_to_what_and_until_when(door: Door) -> None:
    answer = await door.get(door.invite())
    page = Page(answer)
    assert answer.status == 200
    assert f"{ADA} invites you to a workspace" in page.text
    for words in ("Join Team", BOB, "a member", "22 January 2027, 08:00\N{NO-BREAK SPACE}UTC"):
        assert words in page.text
    (field,) = page.all("input")
    assert (field["type"], field["name"], field["autocomplete"]) == ("password", "key", "off")
    assert page.all("label") == [{"for": field["id"]}]
    assert page.all("form") == [{"method": "post"}]  # to the same address
    assert (
        "The operator of this server invites you" in Page(await door.get(door.invite(by_operator=True))).text
    )


async def test_the_page_loads_and_runs_nothing_and_is_kept_nowhere(door: Door) -> None:
    answer = await door.get(door.invite())
    page = Page(answer)
    assert not page.all("script") + page.all("link") + page.all("img") + page.all("iframe") + page.all("a")
    style = re.search(rb"<style>(.*?)</style>", answer.body, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1]).digest()).decode()
    assert answer.headers["content-security-policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    assert b"style=" not in answer.body
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert b"prefers-color-scheme: dark" in answer.body
    assert page.all("html") == [{"lang": "en"}]


async def test_looking_at_it_accepts_nothing(door: Door) -> None:
    secret = door.invite()
    await door.get(secret)
    head = await door.get(secret, "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert door.team.roles()[BOB] == "MEMBER INVITED"


async def test_the_form_accepts_with_the_keys_user(door: Door) -> None:
    secret, key = door.invite(), door.team.key(door.team.bob)
    answer = await door.submit(secret, f" {key.key}\n")
    assert answer.status == 200
    text = Page(answer).text
    assert "You are a member of Team" in text
    assert f"x-writingmate-workspace: {door.team.id}" in text
    assert door.team.roles()[BOB] == "MEMBER ACTIVE"
    again = await door.submit(secret, key.key)
    assert again.status == 410
    assert "used once" in Page(again).text


async def test_a_program_accepts_with_a_key_alone(door: Door) -> None:
    secret, key = door.invite(), door.team.key(door.team.bob)
    answer = await door.post(secret, authorization=f"Bearer {key.key}")
    assert answer.status == 200
    assert answer.json() == {
        "workspace": door.team.id,
        "name": "Team",
        "role": "MEMBER",
        "user": door.team.bob.user_id,
    }
    assert answer.headers["cache-control"] == "no-store"
    again = await door.post(secret, authorization=f"Bearer {key.key}")
    assert (again.status, again.error["code"]) == (410, "invitation_used")
    assert again.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("by_form", [True, False])
async def test_with_the_key_of_another_it_says_whose_it_is(door: Door, *, by_form: bool) -> None:
    secret, key = door.invite(), door.team.key(door.team.cat).key
    if by_form:
        answer = await door.submit(secret, key)
        page = Page(answer)
        assert f"for {BOB}; you are {CAT}" in page.text
        assert [alert["role"] for alert in page.all("p") if "role" in alert] == ["alert"]
        (field,) = page.all("input")  # another key may do
        assert (field["aria-invalid"], field["aria-describedby"]) == ("true", "why hint")
    else:
        answer = await door.post(secret, authorization=f"Bearer {key}")
        assert answer.error["code"] == "invitation_for_another"
        assert answer.error["type"] == "permission_error"
    assert answer.status == 403
    assert door.team.roles()[BOB] == "MEMBER INVITED"


@pytest.mark.parametrize("key", ["", "nonsense", "wm_v2.abc.def.ghi", "ключ", "\x00"])
async def test_what_is_no_key_is_refused_and_may_be_tried_again(door: Door, key: str) -> None:
    secret = door.invite()
    answer = await door.submit(secret, key)
    assert answer.status == 401
    assert Page(answer).all("input")
    refused = await door.post(secret)
    assert (refused.status, refused.error["code"]) == (401, "invalid_api_key")
    assert door.team.roles()[BOB] == "MEMBER INVITED"


@pytest.mark.parametrize(
    ("what", "status", "code", "words"),
    [
        ("unknown", 404, "invitation_not_found", "no such invitation"),
        ("expired", 410, "invitation_expired", "has expired"),
        ("withdrawn", 410, "invitation_withdrawn", "withdrawn"),
        ("used", 410, "invitation_used", "accepted already"),
        ("deleted", 404, "invitation_not_found", "no such invitation"),
    ],
)
async def test_a_link_of_no_use_says_exactly_why(
    door: Door, what: str, status: int, code: str, words: str
) -> None:
    secret, key = door.invite(), door.team.key(door.team.bob).key
    with door.team.database.transaction() as connection:
        if what == "withdrawn":
            (this,) = invitation_store.list_invitations(connection, door.team.id, by=None)
            invitation_store.withdraw(connection, door.team.id, this.invitation_id, by=None, now=NOW)
        elif what == "used":
            invitation_store.accept(connection, secret, door.team.bob.user_id, now=NOW)
        elif what == "deleted":
            store.remove(connection, door.team.id, by=None, now=NOW)
        elif what == "expired":
            door.clock.now += 7 * DAY
        else:
            secret = UNKNOWN
    for answer in (await door.get(secret), await door.submit(secret, key), await door.submit(secret, "x")):
        page = Page(answer)
        assert answer.status == status
        assert words in page.text.lower()
        assert not page.all("form")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    refused = await door.post(secret, authorization=f"Bearer {key}")
    assert (refused.status, refused.error["code"]) == (status, code)
    assert refused.headers["referrer-policy"] == "no-referrer"


async def test_without_an_account_it_says_whom_to_ask(door: Door) -> None:
    page = Page(await door.get(door.invite("dan@example.org")))
    assert "writingmate users create dan@example.org" in page.text
    assert not page.all("form")


async def test_a_key_that_acts_nowhere_any_more_is_no_help(door: Door) -> None:
    """A key pinned to the workspace that its user was removed from."""
    door.team.join(door.team.bob)
    key = door.team.key(door.team.bob, pinned=True).key
    with door.team.database.transaction() as connection:
        member_store.leave(connection, door.team.id, door.team.bob.user_id, now=NOW)
    answer = await door.submit(door.invite(), key)
    assert answer.status == 403
    assert "Use another of your keys" in Page(answer).text


async def test_what_people_wrote_is_escaped(door: Door) -> None:
    with door.team.database.transaction() as connection:
        store.rename(connection, door.team.id, '<script>alert("1")</script>&amp;`x`', by=None)
    secret, key = door.invite('"><img>@example.org'), door.team.key(door.team.cat).key
    answers = [await door.get(secret), await door.submit(secret, key)]
    answers += [await door.submit(door.invite(CAT), key)]
    for answer in answers:
        page = Page(answer)
        assert not page.all("script") + page.all("img")
        assert '<script>alert("1")</script>&amp;`x`' in page.text


@pytest.mark.parametrize(
    "path",
    ["short", "a/b", quote("<script>", safe=""), "..%2F..", UNKNOWN, f"{UNKNOWN}?key=1", f"{UNKNOWN}/"],
)
async def test_whatever_is_no_secret_is_an_unknown_invitation(door: Door, path: str) -> None:
    answer = await door.get(path)
    assert answer.status == 404
    assert path.encode() not in answer.body
    assert "no such invitation" in Page(answer).text.lower()


async def test_forms_are_small_and_of_known_length(door: Door) -> None:
    secret, kind = door.invite(), FORM.decode()
    long = await door.post(secret, body=b"key=" + b"x" * LONGEST_FORM, content_type=kind)
    assert (long.status, long.headers["content-type"]) == (413, "text/html; charset=utf-8")
    many = await door.post(secret, body=b"a=1&" * 20, content_type=kind)
    assert many.status == 400
    odd = await door.post(secret, body=b"key=\xff", content_type=f"{kind}; charset=utf-8")
    assert odd.status == 400
    async with dial(door.port) as line:
        await line.write(
            f"POST /invitations/{secret} HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\n"
            "transfer-encoding: chunked\r\n\r\n".encode()
        )
        assert (await line.answer()).status == 413


async def test_other_methods_are_refused_without_the_secret(door: Door) -> None:
    secret = door.invite()
    for method in ("DELETE", "PUT", "OPTIONS"):
        answer = await ask(door.port, method, f"/invitations/{secret}")
        assert answer.status == 405
        assert answer.headers["allow"] == "GET, HEAD, POST"
        assert secret not in answer.error["message"]


async def test_web_pages_of_others_may_not_read_it(door: Door) -> None:
    secret = door.invite()
    for method in ("GET", "POST", "OPTIONS"):
        answer = await ask(
            door.port, method, f"/invitations/{secret}", origin="https://evil.example",
            access_control_request_method="POST",
        )  # fmt: skip
        assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_neither_secret_nor_key_is_logged(door: Door) -> None:
    secret, key = door.invite(), door.team.key(door.team.bob).key
    written = io.TextIOWrapper(io.BytesIO())
    log.start(written, console=False)
    try:
        await door.get(secret)
        await door.submit(secret, key + "x")
        await door.submit(secret, key)
        await door.get(secret)
        await ask(door.port, "DELETE", f"/invitations/{secret}")
    finally:
        log.stop()
    logged = written.buffer.getvalue().decode()
    lines = [line for line in logged.splitlines() if '"event":"request"' in line]
    assert len(lines) == 5
    assert all('"endpoint":"invitations"' in line for line in lines)
    assert f'"workspace":"{door.team.id}"' in lines[2]
    assert '"code":"invitation_used"' in lines[3]
    for part in (secret, secret[10:30], *key.split(".")[2:]):
        assert part not in logged
