"""A document: a JSON object decoded one level deep, every value still the sender's own bytes.

What is not replaced reaches the other side unchanged, whatever it is; and a key that was sent twice
cannot mean two things: the last one counts, and it goes out once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import msgspec

from writingmate.errors import InvalidRequest

Document: TypeAlias = dict[str, msgspec.Raw]

T = TypeVar("T")

_SHALLOW = msgspec.json.Decoder(dict[str, msgspec.Raw])
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw] | None)
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])

_UNREADABLE = "We could not parse the JSON body of your request. "
_NOT_AN_OBJECT = _UNREADABLE + 'It must be a JSON object, such as {"model": "…", …}.'
_NOT_UTF8 = _UNREADABLE + "It is not valid UTF-8."
_TOO_DEEP = _UNREADABLE + "Its arrays and objects are nested too deeply."
_EMPTY = _UNREADABLE + "It is empty: send a JSON object and content-type: application/json."


def parse(body: bytes) -> Document:
    """The body's top level. Raises InvalidRequest (WIRE §2.3 "bad JSON") for anything but an object."""
    try:
        document = _SHALLOW.decode(body)
        if not body.isascii():
            body.decode()  # strings are skipped, not read, above: bytes that are no text stop here
    except msgspec.ValidationError:
        raise InvalidRequest(_NOT_AN_OBJECT) from None
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"{_UNREADABLE}{error}." if body.strip() else _EMPTY) from None
    except UnicodeDecodeError:
        raise InvalidRequest(_NOT_UTF8) from None
    except RecursionError:
        raise InvalidRequest(_TOO_DEEP) from None
    return document


def encode(document: Document) -> bytes:
    """The document's bytes: its values as they came, no spaces between them."""
    return msgspec.json.encode(document)


def raw(value: object) -> msgspec.Raw:
    """A value of ours, ready to stand in a document."""
    return msgspec.Raw(msgspec.json.encode(value))


def value(raw: msgspec.Raw) -> Any:  # noqa: ANN401  # JSON can be anything
    """A document's value, decoded whole: dict, list, str, int, float, bool or None.

    Raises InvalidRequest where the bytes name no value: a number of ten thousand digits, or nesting
    that this call's stack is too short for.
    """
    return _read(msgspec.json.decode, raw)


def members(raw: msgspec.Raw) -> Document:
    """An object inside a document, one level deep; null has no members. Raises like `value`."""
    return _read(_MEMBERS.decode, raw) or {}


def elements(raw: msgspec.Raw) -> list[msgspec.Raw]:
    """An array inside a document, one level deep. Raises like `value`."""
    return _read(_ELEMENTS.decode, raw)


def _read(decode: Callable[[msgspec.Raw], T], raw: msgspec.Raw) -> T:
    try:
        return decode(raw)
    except (msgspec.DecodeError, ValueError):
        raise InvalidRequest(_UNREADABLE + "One of its values has no meaning.") from None
    except RecursionError:
        raise InvalidRequest(_TOO_DEEP) from None
