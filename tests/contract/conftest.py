"""One gateway for all the tests of a file: what they do to it leaves nothing behind."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from openai import AsyncOpenAI

from tests.contract.setting import PROVIDER_KEY, Setting, staged
from tests.fakes.openai_upstream import FakeOpenAI


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def setting(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Setting]:
    async with FakeOpenAI(key=PROVIDER_KEY) as fake:
        with staged(fake, tmp_path_factory.mktemp("gateway")) as running:
            yield running


@pytest_asyncio.fixture(loop_scope="module")
async def client(setting: Setting) -> AsyncIterator[AsyncOpenAI]:
    """The SDK as it comes, but for its retries."""
    async with AsyncOpenAI(base_url=setting.base_url, api_key=setting.key, max_retries=0) as sdk:
        yield sdk
