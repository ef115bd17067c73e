"""The real SmolLM2, pulled once by its digest and kept between runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from writingmate.local.manifest import LocalModel, named
from writingmate.local.mirror import Mirror
from writingmate.local.upstream import LocalUpstream
from writingmate.local.weights import Weights
from writingmate.upstream.client import HttpClient

CACHE = Path(__file__).parents[2] / ".cache" / "models"


@pytest.fixture(scope="session")
def smollm2() -> LocalModel:
    """The light model's row."""
    model = named("smollm2-135m")
    assert model is not None
    return model


@pytest.fixture(scope="session")
def weights(smollm2: LocalModel) -> Weights:
    """A store that has the light model's file."""
    store = Weights(CACHE, sources=(Mirror(),))
    store.pull(smollm2)
    return store


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def local(weights: Weights, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalUpstream]:
    """The real thing, with a real child process."""
    http = HttpClient()
    upstream = LocalUpstream(http, weights, tmp_path_factory.mktemp("run"))
    yield upstream
    await upstream.close()
    await http.close()
