"""A JSON schema for the answer, for providers that have no place beside it for what it is for."""

from __future__ import annotations

from typing import Any

from writingmate.dialects import faults


def described(form: dict[str, Any]) -> dict[str, Any]:
    """The schema of a ``response_format``, with the format's own description unless it has one.

    Raises InvalidRequest if there is no schema.
    """
    given = form.get("json_schema")
    schema = given.get("schema") if isinstance(given, dict) else None
    if not isinstance(given, dict) or not isinstance(schema, dict):
        raise faults.missing("response_format.json_schema.schema")
    about = given.get("description")
    if not isinstance(about, str) or not about or "description" in schema:
        return schema
    return {**schema, "description": about}
