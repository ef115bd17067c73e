from __future__ import annotations

from typing import Any

import pytest

from writingmate.errors import InvalidRequest
from writingmate.local.schemas import check_strict

KEPT: list[Any] = [
    {
        "type": "object",
        "properties": {"not": {"type": "string"}},
        "required": ["not"],
        "additionalProperties": False,
    },
    {"type": "array", "items": {"anyOf": [{"const": 1}, {"enum": ["if"]}]}, "minItems": 1},
    {"type": "string", "pattern": "^[a-z]{3}$"},
    {"type": "integer", "minimum": 1},
    {"$defs": {"x": True}, "$ref": "#/$defs/x"},
]
NOT_KEPT: list[tuple[Any, str]] = [
    ({"properties": {"a": {"not": {}}}}, "In properties.a, 'not' is not permitted"),
    ({"anyOf": [{"multipleOf": 2}]}, "In anyOf.0, 'multipleOf' is not permitted"),
    ({"items": {"uniqueItems": True}}, "In items, 'uniqueItems'"),
    ({"type": "string", "pattern": "a"}, "'pattern' must begin with"),
    ({"type": "number", "minimum": 1}, "bounds are only permitted"),
    ({"items": 1}, "In items, it is not a schema"),
]


@pytest.mark.parametrize("schema", KEPT)
def test_what_can_be_held_is_accepted(schema: Any) -> None:
    check_strict(schema, "response_format", "x")


@pytest.mark.parametrize(("schema", "reason"), NOT_KEPT)
def test_what_cannot_be_held_is_named(schema: Any, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason) as caught:
        check_strict(schema, "response_format", "x")
    assert caught.value.param == "response_format"


def test_a_schema_has_a_bottom() -> None:
    schema: Any = {}
    for _ in range(500):
        schema = {"items": schema}
    with pytest.raises(InvalidRequest, match="too deep"):
        check_strict(schema, "response_format", "x")
