from __future__ import annotations

import dataclasses

from tests.metering.examples import MIDDAY, limit
from writingmate.metering.refusals import limit_reached, rate_limited
from writingmate.metering.windows import Counters, key
from writingmate.types import Limit, Window

PRO = limit(10)
USER = limit(3, meter="messages:ultimate")


def counters(used: int, held: int) -> Counters:
    return Counters({key(PRO.window): (used, held)})


def test_a_request_fits_to_the_last_message() -> None:
    assert counters(6, 2).admit([PRO], 2, 2) == 2
    assert counters(6, 2).admit([PRO], 3, 3) == PRO


def test_less_than_wanted_is_granted_down_to_the_least_that_is_of_use() -> None:
    assert counters(6, 2).admit([PRO], 5, 1) == 2
    assert counters(6, 2).admit([PRO], 5, 2) == 2
    assert counters(6, 2).admit([PRO], 5, 3) == PRO
    assert counters(6, 0).admit([PRO, USER], 5, 1) == 3
    assert counters(9, 3).admit([PRO], 5, 1) == PRO


def test_a_window_that_nobody_counted_in_is_empty() -> None:
    assert Counters({}).admit([PRO], 10, 10) == 10
    assert Counters({}).admit([PRO], 11, 11) == PRO


def test_the_first_limit_without_room_is_named() -> None:
    assert counters(0, 0).admit([PRO, USER], 4, 4) == USER
    assert counters(9, 0).admit([PRO, USER], 4, 4) == PRO


def test_requests_are_not_counted_in_messages() -> None:
    rate = Limit(Window(PRO.window.workspace_id, "workspace", "requests", "minute"), 0, unit="requests")
    state = counters(0, 0)
    assert state.admit([rate], 5, 5) == 5
    state.hold([rate, PRO], 5)
    assert state.changes == {key(PRO.window): (0, 5)}
    assert state.room([rate]) is None
    assert state.room([rate, PRO]) == 5


def test_what_was_decided_counts_at_once() -> None:
    state = counters(0, 0)
    state.hold([PRO], 6)
    assert state.admit([PRO], 5, 5) == PRO
    assert state.room([PRO]) == 4
    state.settle([PRO], 6, 1)
    assert state.state(key(PRO.window)) == (1, 0)
    assert state.room([PRO]) == 9
    assert state.changes == {key(PRO.window): (1, 0)}


def test_room_is_that_of_the_tightest_limit_and_never_negative() -> None:
    assert counters(0, 0).room([]) is None
    assert counters(4, 4).room([PRO, USER]) == 2
    assert counters(40, 4).room([PRO, USER]) == 0


def test_a_refusal_says_which_limit_how_full_and_when_it_resets() -> None:
    error = limit_reached(PRO, (6, 2), 3, MIDDAY)
    assert error.message == (
        "This request may need 3 messages, more than is left of the limit of 10 on messages:pro for this "
        "workspace (6 used, 2 held by requests under way). It resets at 2026-11-23 00:00:00 UTC."
    )
    assert (error.status, error.type, error.code) == (429, "insufficient_quota", "daily_limit_reached")
    assert error.headers == {"retry-after": "43200", "x-should-retry": "false"}


def test_a_refusal_ends_with_what_would_help() -> None:
    helped = dataclasses.replace(PRO, advice="Upgrade the plan.")
    assert limit_reached(helped, (10, 0), 1, MIDDAY).message.endswith(" UTC. Upgrade the plan.")


def test_a_refusal_by_rate_says_when_to_come_back_and_lets_clients_do_so() -> None:
    rate = Limit(Window("ws", "key:k", "requests", "minute"), 20, unit="requests")
    error = rate_limited(rate, 12.3)
    assert error.message == "Rate limit reached for this key: 20 requests a minute. Try again in 13 seconds."
    assert (error.status, error.type, error.code) == (429, "rate_limit_error", "rate_limit_exceeded")
    assert error.headers["retry-after"] == "13"
    assert "x-should-retry" not in error.headers


def test_a_pool_for_life_does_not_promise_a_reset() -> None:
    pool = Limit(Window("ws", "user:u", "messages", "lifetime"), 5, None, "pool_exhausted")
    error = limit_reached(pool, (5, 0), 1, MIDDAY)
    assert "1 message, more" in error.message
    assert "for this member (5 used). It does not reset." in error.message
    assert error.code == "pool_exhausted"
    assert error.headers == {"x-should-retry": "false"}


def test_a_reset_in_the_past_still_asks_to_wait_a_second() -> None:
    assert limit_reached(PRO, (10, 0), 1, MIDDAY + 86_400).headers["retry-after"] == "1"
