"""The parts of an input item's content, as chat has them (WIRE §7.1)."""

from __future__ import annotations

from typing import Any

from writingmate.dialects import faults
from writingmate.dialects.responses_tools import named
from writingmate.errors import UnsupportedParameter

_TEXTS = frozenset(("input_text", "output_text", "text"))


def parts(param: str, content: Any, role: str) -> list[dict[str, Any]]:  # noqa: ANN401  # any JSON value
    """Chat parts: ``text``; the user's may also be pictures, files and sound, the assistant's refusals.

    Raises InvalidRequest, naming the part; UnsupportedParameter for what chat has no part for.
    """
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, list):
        raise faults.invalid_type(param, "one of a string or array of objects", content)
    return [_part(f"{param}[{at}]", part, role) for at, part in enumerate(content)]


def joined(found: list[dict[str, Any]], between: str) -> str:
    """The text of parts, as the one string that every provider reads."""
    return between.join(part["text"] for part in found if part["type"] == "text")


def _part(param: str, part: Any, role: str) -> dict[str, Any]:  # noqa: ANN401  # any JSON value
    if not isinstance(part, dict):
        raise faults.invalid_type(param, "an object", part)
    form = named(param, part, "type")
    if form in _TEXTS:
        return {"type": "text", "text": _text(param, part, "text")}
    if form == "refusal" and role == "assistant":
        return {"type": "refusal", "refusal": _text(param, part, "refusal")}
    if role == "user":
        if form == "input_image":
            return _image(param, part)
        if form == "input_file":
            return _file(param, part)
        if form == "input_audio":
            return {"type": form, "input_audio": _recording(param, part)}
    whose = "a tool's output" if role == "tool" else f"a message of role '{role}'"
    raise UnsupportedParameter(
        f"Unsupported parameter: parts of type '{faults.shown(form)}' are not supported in {whose}.",
        param=f"{param}.type",
    )


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
