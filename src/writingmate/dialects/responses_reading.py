"""A responses request as what reads prompts and limits understands it, whoever will be able to serve it.

Where chat cannot express a request, what it holds is still known: its words, by their bytes; pictures
and files, by what they are; tools that a vendor hosts, by their number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from writingmate.dialects.grammar import given
from writingmate.dialects.responses_codec import translated
from writingmate.dialects.responses_echo import encoded
from writingmate.errors import UnsupportedParameter
from writingmate.wire import document
from writingmate.wire.document import Document

_PICTURES = ("input_image", "computer_screenshot")


def read(request: Document) -> Document:
    """The chat document that it comes to, or one that asks for as much.

    Raises InvalidRequest for what makes no sense in either.
    """
    try:
        return translated(request)
    except UnsupportedParameter:
        return _as_much(request)


def _as_much(request: Document) -> Document:
    found: Document = {"model": request["model"]}
    messages = []
    if given(request, "instructions"):
        messages.append({"role": "system", "content": request["instructions"]})
    messages.append({"role": "user", "content": list(_parts(request))})
    found["messages"] = encoded("input", messages)
    for ours, theirs in (
        ("max_output_tokens", "max_completion_tokens"), ("text", "response_format"), ("tools", "tools"),
    ):  # fmt: skip
        if given(request, ours):
            found[theirs] = request[ours]
    return found


def _parts(request: Document) -> Iterator[dict[str, Any]]:
    if not given(request, "input"):
        return
    raw = request["input"]
    if memoryview(raw)[0] != ord("["):
        yield {"type": "text", "text": raw}
        return
    for item in document.elements(raw):
        value = document.value(item)
        held = list(_attached(value))
        yield from held
        # What is attached has been looked at for itself; the item's other words count by their bytes.
        text = bytes(item if not held else encoded("input", value)).decode("utf-8", "replace")
        yield {"type": "text", "text": text}


def _attached(value: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401  # any JSON value
    """The pictures and files of an item, taken out of it."""
    if not isinstance(value, dict):
        return
    for name in ("content", "output"):
        inner = value.get(name)
        for part in inner if isinstance(inner, list) else [inner]:
            if isinstance(part, dict):
                yield from _lifted(part)


def _lifted(part: dict[str, Any]) -> Iterator[dict[str, Any]]:
    form = part.get("type")
    if form in _PICTURES:
        url = part.pop("image_url", None)
        yield {"type": "image_url", "image_url": {"url": url if isinstance(url, str) else ""}}
    elif form == "input_file":
        held = {name: part.pop(name, None) for name in ("file_data", "filename", "file_id", "file_url")}
        yield {"type": "file", "file": {name: value for name, value in held.items() if value is not None}}
