"""The parts of a message as content blocks of Anthropic's Messages (WIRE §10.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

from writingmate.dialects import faults
from writingmate.dialects.unsupported import unsupported

Block: TypeAlias = dict[str, Any]

_DATA = re.compile(r"data:([a-z]+/[a-z0-9.+-]+)(?:;[^,;]+)*;base64,", re.IGNORECASE)
_PDF = "application/pdf"
_URLS = ("https://", "http://")


def blocks(content: object, param: str) -> Iterator[Block]:
    """The blocks of a message's ``content``; empty text has none.

    Raises InvalidRequest for a part without a shape, UnsupportedParameter for sound and uploaded files.
    """
    if isinstance(content, str):
        yield from _text(content, {})
    elif isinstance(content, list):
        for at, part in enumerate(content):
            yield from _part(part, f"{param}[{at}]")
    elif content is not None:
        raise faults.invalid_type(param, "a string or an array of objects", content)


def _part(part: object, param: str) -> Iterator[Block]:
    if not isinstance(part, dict):
        raise faults.invalid_type(param, "an object", part)
    form = part.get("type")
    if form in ("text", "refusal"):
        yield from _text(part.get(form), part)
    elif form == "image_url":
        yield _cached({"type": "image", "source": _image(part.get(form), f"{param}.{form}")}, part)
    elif form == "file":
        yield _cached(_document(part.get(form), f"{param}.{form}"), part)
    else:
        raise unsupported(f"{param}.type", f"of '{faults.shown(str(form))}'", advice="Send text or pictures.")


def _text(text: object, part: dict[str, Any]) -> Iterator[Block]:
    if isinstance(text, str) and text.strip():
        yield _cached({"type": "text", "text": text}, part)


def _cached(block: Block, part: dict[str, Any]) -> Block:
    """The mark of a cache's end, which clients put where Anthropic does."""
    mark = part.get("cache_control")
    return block if mark is None else {**block, "cache_control": mark}


def _image(image: object, param: str) -> Block:
    url = image.get("url") if isinstance(image, dict) else image
    if not isinstance(url, str):
        raise faults.invalid_type(f"{param}.url", "a string", url)
    if url.startswith(_URLS):
        return {"type": "url", "url": url}
    return _data(url, f"{param}.url")


def _document(file: object, param: str) -> Block:
    file = file if isinstance(file, dict) else {}
    if file.get("file_id") is not None:
        raise unsupported(f"{param}.file_id", advice="Send the file itself, as file_data.")
    data = file.get("file_data")
    if not isinstance(data, str):
        raise faults.missing(f"{param}.file_data")
    source = {"type": "url", "url": data} if data.startswith(_URLS) else _data(data, f"{param}.file_data")
    if source.get("media_type", _PDF) != _PDF:
        raise unsupported(f"{param}.file_data", "that is no PDF", advice="Send a PDF, or its text.")
    name = file.get("filename")
    titled = {"title": name} if isinstance(name, str) and name else {}
    return {"type": "document", "source": source, **titled}


def _data(url: str, param: str) -> Block:
    head = _DATA.match(url)
    if head is None:
        raise faults.invalid_value(param, url, ("data:image/png;base64,…", "https://…"))
    return {"type": "base64", "media_type": head[1].lower(), "data": url[head.end() :]}
