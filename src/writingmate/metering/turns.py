"""The statements that keep a response and the conversation that it goes on, in either database."""

from __future__ import annotations

from dataclasses import dataclass

from writingmate.metering.commands import Renewal, TurnRow


@dataclass(frozen=True, slots=True)
class TurnStatements:
    """SQL with ``mark`` for each value: ``?`` or ``%s``.

    ``keep`` takes a `TurnRow`, ``name`` takes `naming`; both do nothing where it is there already, and
    nothing is named of a response that has been deleted. ``renew`` takes `renewed`.
    """

    keep: str
    name: str
    renew: str


def statements(mark: str, lock: str = "") -> TurnStatements:
    """The three statements. ``lock`` is said of rows before they change."""
    names = TurnRow._fields
    keep = (
        f"INSERT INTO responses ({', '.join(names)}, background, attempts)"  # noqa: S608  # names from our own types
        f" VALUES ({', '.join(mark for _ in names)}, FALSE, 1)"
        " ON CONFLICT (workspace_id, response_id) DO NOTHING"
    )
    name = (
        "INSERT INTO response_items (workspace_id, item_id, response_id)"  # noqa: S608  # our own text
        f" SELECT {mark}, {mark}, {mark} WHERE EXISTS"
        f" (SELECT 1 FROM responses WHERE workspace_id = {mark} AND response_id = {mark})"
        " ON CONFLICT (workspace_id, item_id, response_id) DO NOTHING"
    )
    renew = (
        "WITH RECURSIVE chain (response_id, previous_response_id) AS ("  # noqa: S608  # our own text
        "SELECT response_id, previous_response_id FROM responses"
        f" WHERE workspace_id = {mark} AND response_id = {mark} UNION ALL"
        " SELECT earlier.response_id, earlier.previous_response_id FROM chain JOIN responses AS earlier"
        f" ON earlier.workspace_id = {mark} AND earlier.response_id = chain.previous_response_id)"
        f" UPDATE responses SET expires_at = {mark} WHERE workspace_id = {mark} AND response_id IN ("
        "SELECT responses.response_id FROM responses JOIN chain ON chain.response_id = responses.response_id"
        f" WHERE responses.workspace_id = {mark} AND responses.expires_at < {mark}{lock})"
    )
    return TurnStatements(keep, name, renew)


def naming(row: tuple[str, str, str]) -> tuple[str, ...]:
    """The values of ``name``, for a row of `response_items`."""
    return (*row, row[0], row[2])


def renewed(renewal: Renewal) -> tuple[str | float, ...]:
    """The values of ``renew``."""
    workspace_id, response_id, least, expires_at = renewal
    return (workspace_id, response_id, workspace_id, expires_at, workspace_id, workspace_id, least)
