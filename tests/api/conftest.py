from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.api.served import Served, served


@pytest.fixture
async def api() -> AsyncIterator[Served]:
    async with served() as running:
        yield running
