"""What the log says of an exception: enough to find its cause, nothing a caller or a key could be in."""

from __future__ import annotations

from pathlib import PurePath
from types import TracebackType

from writingmate.errors import ApiError, UpstreamRefused, WritingmateError
from writingmate.redaction import clean

LONGEST_DETAIL = 500
DEEPEST = 8


def described(error: BaseException) -> dict[str, object]:
    """``error`` (types, outermost first), ``where`` (innermost first), ``detail`` if the words are ours.

    An ApiError's words may quote the caller, a database's the row: of the first only the code is
    kept, of foreign errors only the type, and of the operating system its own short reason.
    """
    said: dict[str, object] = {"error": _types(error)}
    detail = _detail(error)
    if detail:
        said["detail"] = clean(detail, longest=LONGEST_DETAIL)
    if isinstance(error, UpstreamRefused):
        said["status"] = error.status
    places = _places(error.__traceback__)
    if places:
        said["where"] = places
    return said


def _types(error: BaseException) -> str:
    names: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(names) < DEEPEST:
        names.append(type(cause).__name__)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return " < ".join(names)


def _detail(error: BaseException) -> str | None:
    if isinstance(error, ApiError):
        return error.code
    if isinstance(error, WritingmateError):
        return str(error)
    return error.strerror if isinstance(error, OSError) else None


def _places(trace: TracebackType | None) -> str:
    places: list[str] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{_short(code.co_filename)}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return ", ".join(reversed(places[-DEEPEST:]))


def _short(filename: str) -> str:
    return "/".join(PurePath(filename).parts[-2:])
