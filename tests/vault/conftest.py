from __future__ import annotations

from pathlib import Path

import pytest

from writingmate.vault.box import Box
from writingmate.vault.keys import Keyring


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """A box whose master keys are in a file of this test's own."""
    return Box(Keyring(tmp_path / "vault.keys"))
