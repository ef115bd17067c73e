"""The parts of an input item's content, as chat has them (WIRE §7.1)."""

from __future__ import annotations

from typing import Any

from writingmate.dialects import faults
from writingmate.dialects.responses_tools import named
from writingmate.errors import UnsupportedParameter

_TEXTS = frozenset(("input_text", "output_text", "text"))

#: Marks of where a provider's cache may end, which chat's parts have too.
_MARKS = ("prompt_cache_breakpoint", "cache_control")


def parts(param: str, content: Any, role: str) -> list[dict[str, Any]]:  # noqa: ANN401  # any JSON value
    """Chat parts: ``text``; the user's may also be pictures, files and sound, the assistant's refusals.

    A tool's output may hold pictures and files, which chat has no place for in a message of a tool.


    Raises InvalidRequest, naming the part; UnsupportedParameter for what chat has no part for.
    """
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, list):
        raise faults.invalid_type(param, "one of a string or array of objects", content)
    return [_part(f"{param}[{at}]", part, role) for at, part in enumerate(content)]


def joined(found: list[dict[str, Any]], between: str) -> str | list[dict[str, Any]]:
    """The text of parts, as the one string that every provider reads; as parts if one has a mark."""
    texts = [part for part in found if part["type"] == "text"]
    if any(len(part) > len(("type", "text")) for part in texts):
        return texts
    return between.join(part["text"] for part in texts)


def attached(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The parts that are no text."""
    return [part for part in found if part["type"] != "text"]


def _part(param: str, part: Any, role: str) -> dict[str, Any]:  # noqa: ANN401  # any JSON value
    if not isinstance(part, dict):
        raise faults.invalid_type(param, "an object", part)
    form = named(param, part, "type")
    if form in _TEXTS:
        return {"type": "text", "text": _text(param, part, "text")} | _marks(part)
    if form == "refusal" and role == "assistant":
        return {"type": "refusal", "refusal": _text(param, part, "refusal")}
    if role in ("user", "tool"):
        if form == "input_image":
            return _image(param, part) | _marks(part)
        if form == "input_file":
            return _file(param, part) | _marks(part)
    if role == "user" and form == "input_audio":
        return {"type": form, "input_audio": _recording(param, part)}
    whose = "a tool's output" if role == "tool" else f"a message of role '{role}'"
    raise UnsupportedParameter(
        f"Unsupported parameter: parts of type '{faults.shown(form)}' are not supported in {whose}.",
        param=f"{param}.type",
    )


def _marks(part: dict[str, Any]) -> dict[str, Any]:
    return {name: part[name] for name in _MARKS if part.get(name) is not None}


def _text(param: str, part: dict[str, Any], name: str) -> str:
    value = part.get(name)
    if value is None:
        raise faults.missing(f"{param}.{name}")
    if not isinstance(value, str):
        raise faults.invalid_type(f"{param}.{name}", "a string", value)
    return value


def _image(param: str, part: dict[str, Any]) -> dict[str, Any]:
    _refuse(param, part, "file_id", "send its data or address as 'image_url'")
    image = {"url": named(param, part, "image_url")}
    if part.get("detail") is not None:
        image["detail"] = named(param, part, "detail")
    return {"type": "image_url", "image_url": image}


def _recording(param: str, part: dict[str, Any]) -> dict[str, Any]:
    recording = part.get("input_audio")
    if recording is None:
        raise faults.missing(f"{param}.input_audio")
    if not isinstance(recording, dict):
        raise faults.invalid_type(f"{param}.input_audio", "an object", recording)
    return recording


def _file(param: str, part: dict[str, Any]) -> dict[str, Any]:
    for name in ("file_id", "file_url"):
        _refuse(param, part, name, "send its data as 'file_data'")
    if part.get("detail") != "auto":
        _refuse(param, part, "detail", "leave it out")
    file = {"file_data": named(param, part, "file_data")}
    if part.get("filename") is not None:
        file["filename"] = named(param, part, "filename")
    return {"type": "file", "file": file}


def _refuse(param: str, part: dict[str, Any], name: str, advice: str) -> None:
    if part.get(name) is not None:
        raise UnsupportedParameter(
            f"Unsupported parameter: '{param}.{name}' is not supported here: {advice}.",
            param=f"{param}.{name}",
        )
