"""Content blocks of Anthropic's Messages as parts of a chat message (WIRE §10.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from writingmate.dialects import faults
from writingmate.dialects.unsupported import beyond_chat

Part: TypeAlias = dict[str, Any]

_PDF = "application/pdf"
_ADVICE = "Send text, pictures or documents."


def parts(content: object, param: str, *, marks: bool = False) -> Iterator[Part]:
    """The parts of what a user or a tool says: ``text``, ``image_url`` and ``file``.

    With ``marks`` a block's ``cache_control`` stays with it.

    Raises InvalidRequest for a block without a shape, UnsupportedParameter for one that chat does not have.
    """
    for block, where in blocks(content, param):
        for part in _parts(block, where):
            mark = block.get("cache_control") if marks else None
            yield part if mark is None else {**part, "cache_control": mark}


def blocks(content: object, param: str) -> Iterator[tuple[dict[str, Any], str]]:
    """The blocks of a ``content``, each with its place; text is one block."""
    if isinstance(content, str):
        yield {"type": "text", "text": content}, param
        return
    if not isinstance(content, list):
        raise faults.invalid_type(param, "a string or an array of objects", content)
    for at, block in enumerate(content):
        where = f"{param}[{at}]"
        if not isinstance(block, dict):
            raise faults.invalid_type(where, "an object", block)
        if not isinstance(block.get("type"), str):
            raise faults.missing(f"{where}.type")
        yield block, where


def text(block: dict[str, Any], param: str) -> str:
    """The words of a text block."""
    return _string(block.get("text"), f"{param}.text")


def _parts(block: dict[str, Any], param: str) -> Iterator[Part]:
    form = block["type"]
    if form == "text":
        yield _text(text(block, param))
    elif form == "image":
        yield {"type": "image_url", "image_url": {"url": _image(block, param)}}
    elif form == "document":
        yield from _document(block, param)
    elif form == "search_result":
        yield from _found(block, param)
    elif form == "tool_reference":
        yield _text(f"The tool {block.get('tool_name')} can be called.")
    else:
        raise beyond_chat(f"{param}.type", f"of '{faults.shown(form)}'", advice=_ADVICE)


def _image(block: dict[str, Any], param: str) -> str:
    if block.get("transformations"):
        raise beyond_chat(f"{param}.transformations")
    kind, source, where = _source(block, param)
    if kind == "url":
        return _string(source.get("url"), f"{where}.url")
    if kind == "base64":
        return _data(source, where)
    raise beyond_chat(f"{where}.type", f"of '{faults.shown(kind)}'", advice="Send the picture itself.")


def _document(block: dict[str, Any], param: str) -> Iterator[Part]:
    _uncited(block, param)
    kind, source, where = _source(block, param)
    title, context = block.get("title"), block.get("context")
    if isinstance(context, str) and context:
        yield _text(context)
    named = isinstance(title, str) and title
    if kind in ("base64", "url"):
        data = _data(source, where) if kind == "base64" else _string(source.get("url"), f"{where}.url")
        yield {"type": "file", "file": {"filename": title if named else "document.pdf", "file_data": data}}
    elif kind in ("text", "content"):
        if named:
            yield _text(f"{title}:")
        inner = source.get("data" if kind == "text" else "content")
        yield from parts(inner, f"{where}.{'data' if kind == 'text' else 'content'}")
    else:
        raise beyond_chat(f"{where}.type", f"of '{faults.shown(kind)}'", advice="Send the document itself.")


def _found(block: dict[str, Any], param: str) -> Iterator[Part]:
    _uncited(block, param)
    yield _text(f"{block.get('title')} ({block.get('source')}):")
    yield from parts(block.get("content"), f"{param}.content")


def _uncited(block: dict[str, Any], param: str) -> None:
    """Refuse citations, which change the answer."""
    asked = block.get("citations")
    if isinstance(asked, dict) and asked.get("enabled"):
        raise beyond_chat(f"{param}.citations")


def _source(block: dict[str, Any], param: str) -> tuple[str, dict[str, Any], str]:
    where = f"{param}.source"
    source = block.get("source")
    if not isinstance(source, dict):
        raise faults.missing(where) if source is None else faults.invalid_type(where, "an object", source)
    return _string(source.get("type"), f"{where}.type"), source, where


def _data(source: dict[str, Any], param: str) -> str:
    kind = _string(source.get("media_type", _PDF), f"{param}.media_type")
    return f"data:{kind};base64,{_string(source.get('data'), f'{param}.data')}"


def _string(value: object, param: str) -> str:
    if value is None:
        raise faults.missing(param)
    if not isinstance(value, str):
        raise faults.invalid_type(param, "a string", value)
    return value


def _text(said: str) -> Part:
    return {"type": "text", "text": said}
