from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.metering.books_machine import BooksMachine
from writingmate.metering.windows import Counters
from writingmate.storage.engine import Database

SETTINGS = settings(
    max_examples=15,
    stateful_step_count=20,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


@pytest.fixture
def machine(database: Database) -> type[BooksMachine]:
    class Machine(BooksMachine):
        pass

    Machine.database = database
    return Machine


def test_no_limit_is_overshot_and_no_count_is_lost(machine: type[BooksMachine]) -> None:
    run_state_machine_as_test(machine, settings=SETTINGS)


def test_without_the_guard_the_same_test_fails(
    machine: type[BooksMachine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counters, "admit", lambda _, __, wanted, ___: wanted)
    once = settings(SETTINGS, phases=[Phase.generate], report_multiple_bugs=False, derandomize=True)
    with pytest.raises(AssertionError, match=r"over its limit|a false refusal"):
        run_state_machine_as_test(machine, settings=once)
