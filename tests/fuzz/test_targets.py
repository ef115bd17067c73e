"""A few hundred examples of every target."""

from __future__ import annotations

import pytest

from tests.fuzz.target import Target
from tests.fuzz.targets import everything

EXAMPLES = 200


@pytest.mark.parametrize("target", everything(), ids=lambda target: target.name)
def test_nothing_is_found(target: Target) -> None:
    target.run(EXAMPLES)
    assert target.ran >= 1
