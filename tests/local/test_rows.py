from __future__ import annotations

import pytest

from writingmate.local import rows
from writingmate.settings import Settings


def test_rows_of_the_catalog() -> None:
    first, second = rows.models(Settings())
    assert (first.slug, second.slug) == ("local/qwen2.5-coder-0.5b", "local/smollm2-135m")
    assert (first.owned_by, first.tier, first.context_length) == ("local", "basic", 4096)
    assert first.pricing is not None
    assert (first.pricing.input, first.pricing.output) == ("0", "0")
    assert (first.routes[0].provider.name, first.routes[0].model) == ("local", "qwen2.5-coder-0.5b")


def test_no_rows_if_switched_off_or_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rows.models(Settings(local=False)) == []
    monkeypatch.setattr(rows, "RUNTIME", "a_runtime_that_nobody_has")
    assert rows.models(Settings()) == []
