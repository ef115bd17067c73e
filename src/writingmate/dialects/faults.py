"""What is wrong with a field, in the words that OpenAI uses (WIRE §2.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from writingmate.errors import InvalidRequest

_LONGEST_QUOTE = 64
_LONGEST_PARAM = 256


def kind(value: Any) -> str:  # noqa: ANN401  # any JSON value
    """A JSON value's type, with its article."""
    return _KINDS[type(value)]


_KINDS = {
    type(None): "null",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal number",
    str: "a string",
    list: "an array",
    dict: "an object",
}


def listed(words: Sequence[str], conjunction: str) -> str:
    """'a', 'b', and 'c'."""
    quoted = [f"'{word}'" for word in words]
    if len(quoted) < 3:  # noqa: PLR2004  # two need no comma
        return f" {conjunction} ".join(quoted)
    return f"{', '.join(quoted[:-1])}, {conjunction} {quoted[-1]}"


def shown(text: str) -> str:
    """The caller's own text, short enough for a message."""
    return text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "…"


def missing(param: str) -> InvalidRequest:
    """A required field is not there."""
    message = f"Missing required parameter: '{param}'."
    return InvalidRequest(message, param=param, code="missing_required_parameter")


def invalid_type(param: str, expected: str, value: Any) -> InvalidRequest:  # noqa: ANN401  # any JSON value
    """The field's value is of another type; ``expected`` has its article."""
    message = f"Invalid type for '{param}': expected {expected}, but got {kind(value)} instead."
    return InvalidRequest(message, param=param, code="invalid_type")


def invalid_value(param: str, value: str, supported: Sequence[str]) -> InvalidRequest:
    """A string that is not one of those supported."""
    message = f"Invalid value: '{shown(value)}'. Supported values are: {listed(supported, 'and')}."
    return InvalidRequest(message, param=param, code="invalid_value")


def below_minimum(param: str, value: float, least: float, word: str) -> InvalidRequest:
    """A number under its range; ``word`` is ``integer`` or ``decimal``."""
    message = (
        f"Invalid '{param}': {word} below minimum value. "
        f"Expected a value >= {least:g}, but got {value} instead."
    )
    return InvalidRequest(message, param=param, code=f"{word}_below_min_value")


def above_maximum(param: str, value: float, most: float, word: str) -> InvalidRequest:
    """A number over its range; ``word`` is ``integer`` or ``decimal``."""
    message = (
        f"Invalid '{param}': {word} above maximum value. "
        f"Expected a value <= {most:g}, but got {value} instead."
    )
    return InvalidRequest(message, param=param, code=f"{word}_above_max_value")


def empty_array(param: str) -> InvalidRequest:
    """An array without the one element it needs."""
    message = (
        f"Invalid '{param}': empty array. "
        "Expected an array with minimum length 1, but got an empty array instead."
    )
    return InvalidRequest(message, param=param, code="empty_array")


def long_array(param: str, most: int, length: int) -> InvalidRequest:
    """An array of too many elements."""
    message = (
        f"Invalid '{param}': array too long. "
        f"Expected an array with maximum length {most}, but got an array with length {length} instead."
    )
    return InvalidRequest(message, param=param, code="array_above_max_length")


def empty_string(param: str) -> InvalidRequest:
    """A string that must say something."""
    message = (
        f"Invalid '{param}': empty string. "
        "Expected a string with minimum length 1, but got an empty string instead."
    )
    return InvalidRequest(message, param=param, code="empty_string")


def long_string(param: str, most: int, length: int) -> InvalidRequest:
    """A string of too many characters."""
    message = (
        f"Invalid '{param}': string too long. "
        f"Expected a string with maximum length {most}, but got a string with length {length} instead."
    )
    return InvalidRequest(message, param=param, code="string_above_max_length")


def needs(param: str, other: str, state: str) -> InvalidRequest:
    """A field that means nothing without another one."""
    return InvalidRequest(f"The '{param}' parameter is only allowed when '{other}' is {state}.", param=param)


def many_properties(param: str, most: int, count: int) -> InvalidRequest:
    """An object of too many names."""
    message = (
        f"Invalid '{param}': too many properties. "
        f"Expected an object with at most {most} properties, "
        f"but got an object with {count} properties instead."
    )
    return InvalidRequest(message, param=param, code="object_above_max_properties")


def long_name(param: str, name: str, most: int) -> InvalidRequest:
    """A name in an object that has too many characters."""
    message = (
        f"Invalid property name in '{param}': '{name[:3]}...{name[-3:]}' is too long. "
        f"Expected a string with maximum length {most}, but got a string with length {len(name)} instead."
    )
    return InvalidRequest(
        message, param=f"{param}.{name[:_LONGEST_PARAM]}", code="property_name_above_max_length"
    )
