from __future__ import annotations

import threading

from writingmate.storage import revisions
from writingmate.storage.engine import Database


def test_a_revision_counts_the_changes_to_its_subject(database: Database) -> None:
    with database.transaction() as connection:
        assert revisions.read(connection, "identity") == 0
        revisions.bump(connection, "identity")
        revisions.bump(connection, "identity")
        revisions.bump(connection, "other")
    with database.reading() as connection:
        assert (revisions.read(connection, "identity"), revisions.read(connection, "other")) == (2, 1)


def test_changes_to_one_subject_come_one_after_the_other(database: Database) -> None:
    begun, seen = threading.Event(), []

    def second() -> None:
        begun.set()
        with database.transaction() as connection:
            revisions.bump(connection, "identity")
            seen.append(revisions.read(connection, "identity"))

    thread = threading.Thread(target=second)
    with database.transaction() as connection:
        revisions.bump(connection, "identity")
        thread.start()
        begun.wait()
        seen.append(revisions.read(connection, "identity"))
    thread.join()
    assert seen == [1, 2]
