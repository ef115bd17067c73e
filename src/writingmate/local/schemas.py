"""JSON schemas as grammars: what the runtime can hold a model to, and how several become one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from writingmate.errors import InvalidRequest

# Keywords that the runtime's grammar enforces, and those that say nothing about the value.
_KNOWN = frozenset(
    {"type", "properties", "required", "additionalProperties", "items", "prefixItems", "minItems", "maxItems"}
    | {"enum", "const", "anyOf", "oneOf", "allOf", "$ref", "$defs", "definitions"}
    | {"pattern", "minLength", "maxLength", "format"}
    | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
    | {"title", "description", "default", "examples", "$schema", "$id", "$comment"}
)
_SCHEMAS = frozenset({"items", "additionalProperties"})
_LISTS = frozenset({"prefixItems", "anyOf", "oneOf", "allOf"})
_MAPS = frozenset({"properties", "$defs", "definitions"})
_BOUNDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
_DEEPEST = 64


def check_strict(schema: Any, param: str, name: str) -> None:  # noqa: ANN401  # any JSON value
    """Raise InvalidRequest if a schema that must be kept to says what no grammar here can hold."""
    _check(schema, (), param, name)


def _check(schema: Any, path: tuple[str, ...], param: str, name: str) -> None:  # noqa: ANN401  # as above
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict) or len(path) > _DEEPEST:
        raise _invalid(param, name, path, "it is not a schema" if len(path) <= _DEEPEST else "it is too deep")
    for keyword in schema:
        if keyword not in _KNOWN:
            raise _invalid(param, name, path, f"'{keyword[:64]}' is not permitted")
    _check_values(schema, path, param, name)
    for keyword, value in schema.items():
        for step, inner in _inner(keyword, value):
            _check(inner, (*path, keyword, *step), param, name)


def _check_values(schema: Mapping[str, Any], path: tuple[str, ...], param: str, name: str) -> None:
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and not (pattern.startswith("^") and pattern.endswith("$")):
        raise _invalid(param, name, path, "'pattern' must begin with '^' and end with '$'")
    if _BOUNDS & schema.keys() and schema.get("type") != "integer":
        raise _invalid(param, name, path, "bounds are only permitted with the type 'integer'")


def _inner(keyword: str, value: Any) -> list[tuple[tuple[str, ...], Any]]:  # noqa: ANN401  # as above
    if keyword in _SCHEMAS:
        return [((), value)]
    if keyword in _LISTS and isinstance(value, list):
        return [((str(at),), item) for at, item in enumerate(value)]
    if keyword in _MAPS and isinstance(value, dict):
        return [((key,), item) for key, item in value.items()]
    return []


def _invalid(param: str, name: str, path: tuple[str, ...], reason: str) -> InvalidRequest:
    place = f"In {'.'.join(path)}, " if path else ""
    return InvalidRequest(f"Invalid schema for {param} '{name}': {place}{reason}.", param=param)


def any_of(alternatives: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """One schema of several; ``definitions`` are whole schemas that `reference` points to."""
    return {
        "$defs": {name: _moved(schema, f"#/$defs/{name}") for name, schema in definitions.items()},
        "anyOf": list(alternatives.values()),
    }


def reference(name: str) -> dict[str, str]:
    """The schema that was given to `any_of` as the definition ``name``."""
    return {"$ref": f"#/$defs/{name}"}


def _moved(schema: Any, root: str) -> Any:  # noqa: ANN401  # as above
    """The schema with its references to its own root pointing to where it stands now."""
    if isinstance(schema, dict):
        return {key: _moved_member(key, value, root) for key, value in schema.items()}
    return [_moved(item, root) for item in schema] if isinstance(schema, list) else schema


def _moved_member(key: str, value: Any, root: str) -> Any:  # noqa: ANN401  # as above
    if key == "$ref" and isinstance(value, str) and value.startswith("#"):
        return root + value[1:]
    return _moved(value, root)
