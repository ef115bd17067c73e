"""What reads many rows follows an index: nothing is sorted, nothing but the rows asked for is read."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, Select, Table, insert, select, text

from tests.metering.examples import entry_values
from writingmate.metering import scan
from writingmate.metering.scan import beyond, by_key, paged, workspaces_in
from writingmate.metering.usage import Scope, _of_entries
from writingmate.storage.engine import Database
from writingmate.storage.tables import daily_message_count, entries, windows

ROWS = 40_000


@pytest.fixture
def filled(database: Database) -> Database:
    """Enough rows that a planner would rather sort than look each one up; it knows how many there are."""
    ids = [{"workspace_id": f"ws_{number % 3}", "number": f"{number:06}"} for number in range(ROWS)]
    with database.transaction() as connection:
        connection.execute(insert(entries), [entry_values(number) for number in range(ROWS)])
        connection.execute(
            text("INSERT INTO windows VALUES (:workspace_id, :number, 'messages', 'lifetime', 0, 0)"), ids
        )
        connection.execute(
            text(
                "INSERT INTO daily_message_count VALUES (:workspace_id, '2026-11-22', :number, 'm', 0, 0, 0)"
            ),
            ids,
        )
    with database.transaction() as connection:
        connection.execute(text("ANALYZE"))
    return database


def plan(connection: Connection, query: Select[*tuple[Any, ...]]) -> str:
    compiled = query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    return "\n".join(
        str(row[-1]) for row in connection.exec_driver_sql(f"{explain} {compiled}".replace("%", "%%"))
    )


def sorts(found: str) -> bool:
    return "Sort" in found or "TEMP B-TREE" in found


@pytest.mark.parametrize("table", [entries, daily_message_count, windows], ids=lambda table: table.name)
def test_the_audit_reads_by_the_key_and_sorts_nothing(filled: Database, table: Table) -> None:
    first = paged(select(table), table)
    key = ["ws_1", "req_020000", "x", "x"][: len(table.primary_key)]
    with filled.reading() as connection:
        for query in (first, first.where(beyond(table, key))):
            found = plan(connection, query)
            assert not sorts(found), found
            assert f"pk_{table.name}" in found or "sqlite_autoindex" in found, found


def test_every_row_is_read_once_in_the_order_of_the_key(filled: Database) -> None:
    with filled.reading() as connection:
        found = [(row[0], row[1]) for row in by_key(connection, entries, ["workspace_id", "request_id"])]
    assert len(found) == ROWS
    assert found == sorted(set(found))


def test_workspaces_are_looked_up_and_not_scanned_for(filled: Database) -> None:
    each = workspaces_in(entries)
    with filled.reading() as connection:
        assert sorted(filter(None, connection.scalars(select(each.c.id)))) == ["ws_0", "ws_1", "ws_2"]
        found = plan(connection, select(each.c.id))
    assert "Seq Scan" not in found
    assert "SCAN entries" not in found.replace("SCAN entries_of", "")


def test_a_month_is_read_by_the_index_on_time(filled: Database) -> None:
    query = _of_entries("key_id", Scope(since="2026-11-22", until="2026-11-22"))
    with filled.reading() as connection:
        found = plan(connection, query.where(entries.c.started_at < 1_795_348_900.0))
    assert "ix_entries_workspace_id_started_at" in found, found


def test_an_empty_table_has_no_workspaces(database: Database) -> None:
    with database.reading() as connection:
        assert list(filter(None, connection.scalars(select(workspaces_in(entries).c.id)))) == []
        assert list(by_key(connection, entries)) == []


def test_a_page_is_what_it_says() -> None:
    assert scan.PAGE == 2_000
