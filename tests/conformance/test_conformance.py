"""docs/conformance.md says what happens: it is made anew, and must be the same."""

from __future__ import annotations

from tests.conformance.endpoints import ENDPOINTS, FEATURES
from tests.conformance.matrix import NATIVE, Cell, cells
from tests.conformance.page import PATH, page
from writingmate.operations.orders import ENDPOINTS as SERVED
from writingmate.providers.rows import ROWS


def test_every_endpoint_for_text_is_tried() -> None:
    assert {endpoint.dialect for endpoint in ENDPOINTS} == set(SERVED)


async def test_the_page_is_what_happens() -> None:
    found = await cells()
    assert {cell.provider for cell in found} == {*ROWS, "local"}
    assert len(found) == (len(ROWS) + 1) * len(ENDPOINTS) * len(FEATURES)
    advice = "docs/conformance.md is stale: python -m tests.conformance --write"
    assert page(found) == PATH.read_text(encoding="utf-8"), advice


def test_a_cell_says_both_where_they_differ() -> None:
    cell = Cell("/x", "p", "text", NATIVE, "refused: `stream`")
    assert str(cell) == "native / refused: `stream`"
