from __future__ import annotations

import pytest

from tests.workspaces.people import Team
from tests.workspaces.people import team as made
from writingmate.storage.engine import Database


@pytest.fixture
def team(database: Database) -> Team:
    return made(database)
