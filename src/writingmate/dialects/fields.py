"""Rules for single fields: numbers in a range, words from a list, arrays and objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from writingmate.dialects import faults
from writingmate.dialects.grammar import Accept, Rule
from writingmate.errors import InvalidRequest

_METADATA_PROPERTIES = 16
_METADATA_NAME = 64
_METADATA_VALUE = 512
_STOPS = 4
_BIAS = 100


def _typed(of: Any, *, null: bool) -> Accept:  # noqa: ANN401  # a type, built here
    return msgspec.json.Decoder(of | None if null else of).decode


def integer(least: int | None = None, most: int | None = None, *, null: bool = True) -> Rule:
    """A whole number, ``least`` and ``most`` included."""
    of: Any = Annotated[int, msgspec.Meta(ge=least, le=most)]

    def explain(param: str, value: Any) -> InvalidRequest:  # noqa: ANN401  # any JSON value
        if type(value) is not int:
            return faults.invalid_type(param, "an integer", value)
        return _out_of_range(param, value, least, most)

    return Rule(_typed(of, null=null), explain)


def decimal(least: float, most: float, *, null: bool = True) -> Rule:
    """A number with or without a fraction, ``least`` and ``most`` included."""
    of: Any = Annotated[float, msgspec.Meta(ge=least, le=most)]

    def explain(param: str, value: Any) -> InvalidRequest:  # noqa: ANN401  # any JSON value
        if type(value) not in (int, float):
            return faults.invalid_type(param, "a decimal", value)
        return _out_of_range(param, value, least, most, word="decimal")

    return Rule(_typed(of, null=null), explain)


def _out_of_range(
    param: str, value: float, least: float | None, most: float | None, word: str = "integer"
) -> InvalidRequest:
    if least is not None and value < least:
        return faults.below_minimum(param, value, least, word)
    if most is not None:
        return faults.above_maximum(param, value, most, word)
    raise AssertionError("a number was refused that is in its range")


def _plain(of: Any, expected: str, *, null: bool) -> Rule:  # noqa: ANN401  # a type
    def explain(param: str, value: Any) -> InvalidRequest:  # noqa: ANN401  # any JSON value
        return faults.invalid_type(param, expected, value)

    return Rule(_typed(of, null=null), explain)


def boolean(*, null: bool = True) -> Rule:
    """``true`` or ``false``."""
    return _plain(bool, "a boolean", null=null)


def string(*, null: bool = True) -> Rule:
    """Any text."""
    return _plain(str, "a string", null=null)


def mapping(*, null: bool = True) -> Rule:
    """An object; what is in it is the provider's business."""
    return _plain(dict[str, msgspec.Raw], "an object", null=null)


def choice(*words: str, also: Sequence[str] = (), null: bool = True) -> Rule:
    """One of OpenAI's words, or of those that other vendors added (``also``)."""
    of: Any = Annotated[str, msgspec.Meta(pattern=rf"^(?:{'|'.join((*words, *also))})\Z")]

    def explain(param: str, value: Any) -> InvalidRequest:  # noqa: ANN401  # any JSON value
        if isinstance(value, str):
            return faults.invalid_value(param, value, words)
        return faults.invalid_type(param, f"one of {faults.listed(words, 'or')}", value)

    return Rule(_typed(of, null=null), explain)


def words(expected: str = "an array of strings", *, null: bool = True) -> Rule:
    """An array of strings."""

    def explain(param: str, value: Any) -> InvalidRequest:  # noqa: ANN401  # any JSON value
        if not isinstance(value, list):
            return faults.invalid_type(param, expected, value)
        return _first_not_text(param, value)

    return Rule(_typed(list[str], null=null), explain)


def stops() -> Rule:
    """``stop``: a string, or up to four."""
    of: Any = str | Annotated[list[str], msgspec.Meta(max_length=_STOPS)]

    def explain(param: str, value: Any) -> InvalidRequest:  # noqa: ANN401  # any JSON value
        if not isinstance(value, list):
            return faults.invalid_type(param, "one of a string or array of strings", value)
        if len(value) > _STOPS:
            return faults.long_array(param, _STOPS, len(value))
        return _first_not_text(param, value)

    return Rule(_typed(of, null=True), explain)


def _first_not_text(param: str, values: list[Any]) -> InvalidRequest:
    at = next(at for at, value in enumerate(values) if not isinstance(value, str))
    return faults.invalid_type(f"{param}[{at}]", "a string", values[at])


def biases() -> Rule:
    """``logit_bias``: token ids to numbers from -100 to 100."""
    of: Any = dict[str, Annotated[float, msgspec.Meta(ge=-_BIAS, le=_BIAS)]]

    def explain(param: str, value: Any) -> InvalidRequest:  # noqa: ANN401  # any JSON value
        if not isinstance(value, dict):
            return faults.invalid_type(param, "an object", value)
        for token, bias in value.items():
            if type(bias) not in (int, float):
                return faults.invalid_type(f"{param}.{token}", "a decimal", bias)
            if not -_BIAS <= bias <= _BIAS:
                return _out_of_range(f"{param}.{token}", bias, -_BIAS, _BIAS, word="decimal")
        raise AssertionError("biases were refused that are all in their range")

    return Rule(_typed(of, null=True), explain)


def metadata() -> Rule:
    """``metadata``: at most 16 names of at most 64 characters, with values of at most 512."""
    short = Annotated[str, msgspec.Meta(max_length=_METADATA_NAME)]
    text = Annotated[str, msgspec.Meta(max_length=_METADATA_VALUE)]
    of: Any = Annotated[dict[short, text], msgspec.Meta(max_length=_METADATA_PROPERTIES)]
    return Rule(_typed(of, null=True), _explain_metadata)


def _explain_metadata(param: str, value: Any) -> InvalidRequest:  # noqa: ANN401  # any JSON value
    if not isinstance(value, dict):
        return faults.invalid_type(param, "an object", value)
    if len(value) > _METADATA_PROPERTIES:
        return faults.many_properties(param, _METADATA_PROPERTIES, len(value))
    for name, text in value.items():
        if len(name) > _METADATA_NAME:
            return faults.long_name(param, name, _METADATA_NAME)
        if not isinstance(text, str):
            return faults.invalid_type(f"{param}.{name}", "a string", text)
        if len(text) > _METADATA_VALUE:
            return faults.long_string(f"{param}.{name}", _METADATA_VALUE, len(text))
    raise AssertionError("metadata was refused that is within every limit")


def stream_options() -> Rule:
    """``stream_options``: an object of booleans; what other vendors put there passes."""

    class Options(msgspec.Struct):
        include_usage: bool | None = None
        include_obfuscation: bool | None = None

    def explain(param: str, value: Any) -> InvalidRequest:  # noqa: ANN401  # any JSON value
        if not isinstance(value, dict):
            return faults.invalid_type(param, "an object", value)
        names = ("include_usage", "include_obfuscation")
        name = next(name for name in names if not isinstance(value.get(name), bool | None))
        return faults.invalid_type(f"{param}.{name}", "a boolean", value[name])

    return Rule(_typed(Options, null=True), explain)
