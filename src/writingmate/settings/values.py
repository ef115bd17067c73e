"""Checking single values: errors say where the value stands, what is wrong and what would do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints
from urllib.parse import urlsplit

import msgspec

from writingmate.errors import ConfigurationError
from writingmate.settings.fields import ModelSection, RouteSection
from writingmate.types import Pricing

_NESTED: dict[type, dict[str, type]] = {ModelSection: {"pricing": Pricing, "routes": RouteSection}}
_SWITCH = {
    "on": True,
    "yes": True,
    "true": True,
    "1": True,
    "off": False,
    "no": False,
    "false": False,
    "0": False,
}
_Section = TypeVar("_Section")


def annotated(kind: type) -> dict[str, Any]:
    """Field → annotation, bounds included."""
    return get_type_hints(kind, include_extras=True)


def table(raw: object, where: str) -> dict[str, Any]:
    """``raw`` if it is a TOML table."""
    if not isinstance(raw, dict):
        raise ConfigurationError(f"{where}: must be a table, like [{where.rpartition(': ')[2]}].")
    return raw


def section(kind: type[_Section], raw: object, where: str) -> _Section:
    """Decode one TOML table strictly: unknown keys and wrong types are errors that name ``where``."""
    _refuse_unknown(kind, table(raw, where), where)
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{where}{_reason(error)}") from None


def strict(value: object, annotation: object, where: str) -> Any:  # noqa: ANN401  # of the annotation's type
    """A value from TOML, which has types of its own."""
    return _converted(value, annotation, where, strict=True)


def lenient(value: object, annotation: object, where: str) -> Any:  # noqa: ANN401  # of the annotation's type
    """A value from the environment or the command line, where everything is text."""
    if isinstance(value, str):
        value = value.strip()
        if _plain(annotation) is bool:
            value = _SWITCH.get(value.lower(), value)
    return _converted(value, annotation, where, strict=False)


def refuse_unknown_keys(keys: Iterable[str], known: Iterable[str], where: str) -> None:
    """Raise for the first key that is not known, naming the nearest that is."""
    known = list(known)
    for key in keys:
        if key not in known:
            raise ConfigurationError(f"{where}: unknown key {key!r}; {nearest(key, known)}")


def nearest(word: str, known: Iterable[str]) -> str:
    """What to write instead of an unknown ``word``: the nearest that is known, else all of them.

    >>> nearest("prot", ["port", "host"]), nearest("x", ["port", "host"])
    ("did you mean 'port'?", 'known are port, host.')
    """
    known = list(known)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}."


def checked_url(text: str, where: str) -> str:
    """An http(s) URL with no credentials, query or fragment; slashes at its end are taken off.

    Raises:
        ConfigurationError: names ``where``, and does not repeat the URL, which may hold a password.
    """
    text = text.strip()
    if not _is_web_address(text):
        raise ConfigurationError(f"{where}: must be an http or https URL, like https://host/v1.")
    if "@" in urlsplit(text).netloc:
        raise ConfigurationError(f"{where}: must not hold a user name or password; set a key or headers.")
    if "?" in text or "#" in text:
        raise ConfigurationError(f"{where}: must end with its path; a query or fragment cannot be used.")
    return text.rstrip("/")


def _is_web_address(text: str) -> bool:
    try:
        url = urlsplit(text)
        named = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        return False
    return named and not re.search(r"[^\x21-\x7e]|\\", text)


def _refuse_unknown(kind: type, raw: Mapping[str, Any], where: str) -> None:
    refuse_unknown_keys(raw, [item.name for item in fields(kind)], where)
    for key, nested in _NESTED.get(kind, {}).items():
        values = raw.get(key, [])
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, dict):
                _refuse_unknown(nested, value, f"{where}.{key}")


def _converted(value: object, annotation: object, where: str, *, strict: bool) -> Any:  # noqa: ANN401  # as above
    try:
        return msgspec.convert(value, annotation, strict=strict, dec_hook=_path)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{where}{_reason(error)}") from None


def _path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str) and value:
        return Path(value)
    raise ValueError("expected a path")


def _plain(annotation: Any) -> object:  # noqa: ANN401  # an Annotated form or a type
    return getattr(annotation, "__origin__", annotation)


def _reason(error: msgspec.ValidationError) -> str:
    """``.key: reason.`` from msgspec's ``Reason - at `$.key` ``; it never repeats the value."""
    reason, _, place = str(error).partition(" - at `$")
    return f"{place.rstrip('`')}: {reason[:1].lower()}{reason[1:]}."
