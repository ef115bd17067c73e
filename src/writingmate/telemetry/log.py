"""The log: one JSON line for each request and notable event, on standard error.

``log.event("ready", port=8000)`` and ``log.failure("job_failed", error, job="sweep")`` may be called
anywhere; before `start` they do nothing. Only the fields that `events.EVENTS` lists are written.
"""

from __future__ import annotations

import atexit
import logging
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

import msgspec

from writingmate.redaction import clean
from writingmate.telemetry.events import EVENTS, FAILURE, Event
from writingmate.telemetry.failures import described
from writingmate.telemetry.sink import Sink

LONGEST_DETAIL = 500

_UNKNOWN = Event("warning", frozenset())


class _Log:
    """What `start` set up: where lines go and how they look."""

    def __init__(self) -> None:
        self.sink: Sink | None = None
        self.render: Callable[[dict[str, Any]], bytes] = _as_json
        self.second: tuple[int, str] = (0, "")
        self.libraries: logging.Handler | None = None


def event(name: str, /, **fields: object) -> None:
    """Log that something happened. Fields that the event does not list are left out."""
    if _log.sink is not None:
        known = EVENTS.get(name, _UNKNOWN)
        _put(name, known, fields if known.fields.issuperset(fields) else _listed(known.fields, fields))


def failure(name: str, error: BaseException, /, **fields: object) -> None:
    """Log that something failed: the error's type and place, and its words only where they are ours."""
    if _log.sink is not None:
        known = EVENTS.get(name, _UNKNOWN)
        _put(name, known, {**described(error), **_listed(known.fields | FAILURE, fields)})


def start(stream: TextIO | None = None, *, console: bool | None = None) -> None:
    """Begin writing, to standard error unless told otherwise, and take over the libraries' logging.

    Args:
        stream: a text stream over a binary buffer.
        console: lines for people instead of JSON; by default when the stream is a terminal.
    """
    stop()
    target = stream or sys.stderr
    for_people = target.isatty() if console is None else console
    _log.render = _as_words if for_people else _as_json
    _log.sink = Sink(_writer(target))
    _log.libraries = _Libraries()
    logging.getLogger().addHandler(_log.libraries)
    atexit.register(stop)


def flush() -> None:
    """Write what has been logged so far."""
    if _log.sink is not None:
        _log.sink.flush()


def stop() -> None:
    """Write the rest and end; later calls do nothing."""
    if _log.sink is not None:
        _log.sink.close()
        _log.sink = None
    if _log.libraries is not None:
        logging.getLogger().removeHandler(_log.libraries)
        _log.libraries = None
    atexit.unregister(stop)


def dropped() -> int:
    """How many lines could not be written."""
    return 0 if _log.sink is None else _log.sink.dropped


class _Libraries(logging.Handler):
    """What libraries log through the standard library: redacted, as events of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, object] = {"logger": record.name, "severity": record.levelname.lower()}
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            fields.update(described(error))
        fields["detail"] = _message(record)
        name = "library_failed" if record.levelno >= logging.ERROR else "library"
        _put(name, EVENTS[name], fields)


def _message(record: logging.LogRecord) -> str:
    try:
        return clean(record.getMessage(), longest=LONGEST_DETAIL)
    except (TypeError, ValueError):
        return "a message whose arguments do not fit"


def _put(name: str, known: Event, fields: dict[str, object]) -> None:
    sink = _log.sink
    if sink is not None:
        line = {"time": _stamp(), "level": known.level, "event": name, **fields}
        sink.put(_log.render(line), urgent=known.level == "error")


def _listed(allowed: frozenset[str], fields: dict[str, object]) -> dict[str, object]:
    """The fields that may be logged; the names of the others, so that the slip is seen."""
    kept = {name: value for name, value in fields.items() if name in allowed}
    if len(kept) < len(fields):
        kept["unlisted"] = sorted(fields.keys() - allowed)
    return kept


def _stamp() -> str:
    """Now, as ``2026-11-22T22:05:00.123Z``; the text of a second is made once."""
    now = time.time()
    second, text = _log.second
    if int(now) != second:
        second = int(now)
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        _log.second = (second, text)
    return f"{text}.{int((now - second) * 1000):03d}Z"


def _as_json(line: dict[str, Any]) -> bytes:
    return _encoder.encode(line) + b"\n"


def _as_words(line: dict[str, Any]) -> bytes:
    """``22:05:00 request status=200 ms=12`` for a terminal; warnings and errors say so."""
    moment, level = line.pop("time")[11:19], line.pop("level")
    mark = "" if level == "info" else f"{level}: "
    words = " ".join(f"{name}={_word(value)}" for name, value in line.items() if name != "event")
    return f"{moment} {mark}{line['event']} {words}".rstrip().encode("utf-8", "backslashreplace") + b"\n"


def _word(value: object) -> str:
    text = value if isinstance(value, str) else _encoder.encode(value).decode()
    return text if text.isprintable() and " " not in text else _encoder.encode(text).decode()


def _unknown(value: object) -> str:
    """Values that JSON has no form for are named by type: their text could be anything."""
    return type(value).__name__


def _writer(stream: TextIO) -> Callable[[bytes], object]:
    buffer = stream.buffer

    def write(lines: bytes) -> None:
        buffer.write(lines)
        buffer.flush()

    return write


_encoder = msgspec.json.Encoder(enc_hook=_unknown)
_log = _Log()
