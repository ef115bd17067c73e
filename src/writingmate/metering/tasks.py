"""The statements that put a background response into its table and end it, alike in both databases."""

from __future__ import annotations

from dataclasses import dataclass

from writingmate.metering.commands import Ending, QueuedRow, Task


@dataclass(frozen=True, slots=True)
class TaskStatements:
    """SQL with ``mark`` for each value: ``?`` or ``%s``.

    ``queue`` and ``event`` take `queued` and `first_events`. ``end`` takes `ended`; it changes nothing
    where the response is not this attempt's any more, or was cancelled.
    """

    queue: str
    event: str
    end: str


def statements(mark: str) -> TaskStatements:
    """The three statements."""
    names = QueuedRow._fields[:-1]
    queue = (
        f"INSERT INTO responses ({', '.join(names)}, status, background, attempts)"  # noqa: S608  # names from our own types
        f" VALUES ({', '.join(mark for _ in names)}, 'queued', TRUE, 1)"
    )
    event = (
        "INSERT INTO response_events (workspace_id, response_id, first, sealed)"  # noqa: S608  # our own text
        f" VALUES ({mark}, {mark}, 0, {mark})"
    )
    end = (
        f"UPDATE responses SET status = {mark}, response = {mark}, request = NULL, node_id = NULL"  # noqa: S608  # the same
        f" WHERE workspace_id = {mark} AND response_id = {mark} AND request_id = {mark}"
        " AND status IN ('queued', 'in_progress')"
    )
    return TaskStatements(queue, event, end)


def queued(row: QueuedRow) -> tuple[str | float | bytes | None, ...]:
    """The values of ``queue``."""
    return row[:-1]


def ended(task: Task, ending: Ending) -> tuple[str | bytes, ...]:
    """The values of ``end``."""
    return (*ending, *task[:3])
