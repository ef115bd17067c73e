from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.api.served import Served, Way, served


@pytest.fixture
def way() -> Way:
    """How requests reach the data plane; a file that tests more than one way names them."""
    return "ours"


@pytest.fixture
async def api(way: Way) -> AsyncIterator[Served]:
    async with served(way=way) as running:
        yield running
