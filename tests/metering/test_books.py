"""The stateful test of the books, and mutations of the ledger that it must notice.

``BOOKS_EXAMPLES`` is how many runs of it are drawn; `make soak` draws more.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.metering.books_draws import MOST_NODES
from tests.metering.books_machine import BooksMachine
from writingmate.metering import books, sweep
from writingmate.metering.books import Batch
from writingmate.metering.commands import Claim, Closing, HoldRow
from writingmate.metering.rates import Rates
from writingmate.metering.windows import Counters, keys
from writingmate.storage.engine import Database
from writingmate.types import Limit, Usage

EXAMPLES = int(os.environ.get("BOOKS_EXAMPLES", "20"))
SETTINGS = settings(
    max_examples=EXAMPLES,
    stateful_step_count=40,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
FOUND = settings(
    SETTINGS, max_examples=200, phases=[Phase.generate], report_multiple_bugs=False, derandomize=True
)


@pytest.fixture
def quiet_deaths(monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that is killed ends by SystemExit, which threads say nothing about; pytest would."""
    report = threading.excepthook

    def hook(arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_type is not SystemExit:
            report(arguments)

    monkeypatch.setattr(threading, "excepthook", hook)


@pytest.fixture
def machine(database_url: str, quiet_deaths: None) -> Iterator[type[BooksMachine]]:
    del quiet_deaths

    class Machine(BooksMachine):
        databases = [Database.open(database_url) for _ in range(MOST_NODES)]  # noqa: RUF012  # annotated above

    yield Machine
    for database in Machine.databases:
        database.close()


class Noticed(BaseException):
    """A mutant was noticed. Hypothesis lets it through: it would run the example again, in other threads'
    order, and call the machine flaky where a mutant needs that order.
    """


@pytest.fixture
def noticing(machine: type[BooksMachine]) -> type[BooksMachine]:
    class Noticing(machine):  # type: ignore[valid-type,misc]  # made by a fixture
        def teardown(self) -> None:
            error = sys.exc_info()[1]
            super().teardown()
            if isinstance(error, AssertionError):
                raise Noticed(str(error)) from error

    return Noticing


def test_no_limit_is_overshot_and_no_count_is_lost(machine: type[BooksMachine]) -> None:
    run_state_machine_as_test(machine, settings=SETTINGS)


def _settle_without_release(counters: Counters, limits: Iterable[Limit], held: int, used: int) -> None:
    del held
    for window in keys(limits):
        counters._change(window, used, 0)


def _admit_one_fewer(counters: Counters, limits: Iterable[Limit], wanted: int, least: int) -> int | Limit:
    tighter = [dataclasses.replace(limit, allowed=limit.allowed - 1) for limit in limits]
    return ADMIT(counters, tighter, wanted, least)


def _take_always(batch: Batch, claim: Claim) -> bool:
    return batch._rows.take_claim(claim) or True


def _charge_without_overrun(command: Closing, held: int) -> tuple[Usage, int, frozenset[str]]:
    usage, messages, flags = CHARGE(command, held)
    return usage, min(messages, held), flags - {"overrun"}


def _interrupt_for_nothing(row: HoldRow) -> Closing:
    return dataclasses.replace(INTERRUPTED(row), usage=None)


ADMIT, CHARGE, INTERRUPTED = Counters.admit, books._charge, sweep.interrupted
DIFFER = "not what was used|provider's log and the ledger differ"

# What is broken, by which mutant in place of what, and how that must be noticed.
MUTATIONS: dict[str, tuple[object, str, Callable[..., object], str]] = {
    "every request has room": (
        *(Counters, "admit", lambda _, __, wanted, ___: wanted),
        "over its limit|held against|a false admission",
    ),
    "the last message is not given": (Counters, "admit", _admit_one_fewer, "a false refusal|something else"),
    "no minute is full": (*(Rates, "refusal", lambda _, __: None), "in a minute|a false admission"),
    "a settlement forgets to release": (
        *(Counters, "settle", _settle_without_release),
        f"over its limit|{DIFFER}",
    ),
    "every claim is granted": (
        *(Batch, "_take", _take_always),
        "granted twice|a false admission",
    ),
    "no more than was held is charged": (books, "_charge", _charge_without_overrun, DIFFER),
    "the interrupted pay nothing": (books, "interrupted", _interrupt_for_nothing, DIFFER),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_it_notices_when(noticing: type[BooksMachine], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    where, method, mutant, found = MUTATIONS[name]
    monkeypatch.setattr(where, method, mutant)
    with pytest.raises(Noticed, match=found):
        run_state_machine_as_test(noticing, settings=FOUND)
