"""No field is lost: it is carried, translated, shown in the answer, or refused by name.

What is without effect has its reason in `reasons`, or `answer_reasons` on the way back. Where this fails
because an SDK publishes a new field or a codec changed, look at the difference, decide, and write it:
``python -m tests.dialects.fates``.
"""

from __future__ import annotations

import pytest

from tests.dialects.fates import answer_reasons, reasons
from tests.dialects.fates.answers import ANSWERS, Answers
from tests.dialects.fates.pairs import CLIENTS, PROVIDERS, Client
from tests.dialects.fates.published import Walker
from tests.dialects.fates.table import FOLDER, Table, tables

TABLES = tables()


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_what_becomes_of_every_field(table: Table) -> None:
    assert table.text() == table.path.read_text(encoding="utf-8")


def test_there_is_a_table_for_each_pair_and_no_other() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {table.path.name for table in TABLES}
    assert len(TABLES) >= 8 * 3


@pytest.mark.parametrize("client", CLIENTS.values(), ids=lambda client: client.dialect)
def test_the_examples_are_what_the_vendor_publishes(client: Client) -> None:
    judge = PROVIDERS[client.dialect]
    for label, asked, _ in client.rows():
        fault = judge.fault(asked)
        assert fault is None, f"{label}: {fault}"


def test_no_reason_is_without_use() -> None:
    used = {each for table in TABLES for each in table.used()}
    assert not {*reasons.REASONS, *answer_reasons.REASONS} - used


@pytest.mark.parametrize("answers", [each for pair in ANSWERS.values() for each in pair])
def test_examples_of_answers_are_many(answers: Answers) -> None:
    assert len(answers.rows()) > len(list(Walker({}).least(answers.type, "")))
