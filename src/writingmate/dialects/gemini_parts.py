"""The parts of a message as parts of Gemini's contents (WIRE §10.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from writingmate.dialects import faults
from writingmate.dialects.unsupported import unsupported

Part: TypeAlias = dict[str, Any]

_DATA = re.compile(r"data:([a-z]+/[a-z0-9.+-]+)(?:;[^,;]+)*;base64,", re.IGNORECASE)
_URLS = ("https://", "http://", "gs://")
_SOUND = re.compile(r"[a-z0-9.+-]{1,20}", re.IGNORECASE)
_MEDIA = ("image_url", "video_url")

#: What an address says of the file behind it; for any other Google asks its server.
_NAMED = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp",
    ".gif": "image/gif", ".heic": "image/heic", ".pdf": "application/pdf", ".mp4": "video/mp4",
    ".webm": "video/webm", ".mov": "video/quicktime", ".mp3": "audio/mp3", ".wav": "audio/wav",
    ".txt": "text/plain",
}  # fmt: skip


def parts(content: object, param: str) -> Iterator[Part]:
    """The parts of a message's ``content``; empty text has none.

    Raises InvalidRequest for a part without a shape, UnsupportedParameter for files that only have an id.
    """
    if isinstance(content, str):
        yield from _text(content)
    elif isinstance(content, list):
        for at, part in enumerate(content):
            yield from _part(part, f"{param}[{at}]")
    elif content is not None:
        raise faults.invalid_type(param, "a string or an array of objects", content)


def texts(content: object, param: str) -> list[Part]:
    """The parts of a content that can only be text. Raises UnsupportedParameter for anything else."""
    found = list(parts(content, param))
    if any("text" not in part for part in found):
        raise unsupported(param, "with more than text", advice="Send it in a message of the user's.")
    return found


def _part(part: object, param: str) -> Iterator[Part]:
    if not isinstance(part, dict):
        raise faults.invalid_type(param, "an object", part)
    form = part.get("type")
    if form in ("text", "refusal"):
        yield from _text(part.get(form))
    elif form in _MEDIA:
        media = part.get(form)
        url = media.get("url") if isinstance(media, dict) else media
        yield _linked(url, f"{param}.{form}.url")
    elif form == "input_audio":
        yield _sound(part.get(form), f"{param}.{form}")
    elif form == "file":
        yield _file(part.get(form), f"{param}.{form}")
    else:
        raise unsupported(f"{param}.type", f"of '{faults.shown(str(form))}'", advice="Send text or files.")


def _text(text: object) -> Iterator[Part]:
    if isinstance(text, str) and text:
        yield {"text": text}


def _linked(url: object, param: str) -> Part:
    """A file in its own URL, or one that Google fetches."""
    if not isinstance(url, str):
        raise faults.invalid_type(param, "a string", url)
    if not url.startswith(_URLS):
        return _inline(url, param)
    kind = _kind(url)
    return {"fileData": {"fileUri": url} if kind is None else {"mimeType": kind, "fileUri": url}}


def _kind(url: str) -> str | None:
    try:
        path = urlsplit(url).path.lower()
    except ValueError:
        return None
    return next((kind for ending, kind in _NAMED.items() if path.endswith(ending)), None)


def _inline(url: str, param: str) -> Part:
    head = _DATA.match(url)
    if head is None:
        raise faults.invalid_value(param, url, ("data:image/png;base64,…", "https://…"))
    return {"inlineData": {"mimeType": head[1].lower(), "data": url[head.end() :]}}


def _sound(sound: object, param: str) -> Part:
    sound = sound if isinstance(sound, dict) else {}
    for name in ("data", "format"):
        if not isinstance(sound.get(name), str):
            raise faults.missing(f"{param}.{name}")
    if not _SOUND.fullmatch(sound["format"]):
        raise faults.invalid_value(f"{param}.format", sound["format"], ("wav", "mp3"))
    return {"inlineData": {"mimeType": f"audio/{sound['format'].lower()}", "data": sound["data"]}}


def _file(file: object, param: str) -> Part:
    file = file if isinstance(file, dict) else {}
    if file.get("file_id") is not None:
        raise unsupported(f"{param}.file_id", advice="Send the file itself, as file_data.")
    if not isinstance(file.get("file_data"), str):
        raise faults.missing(f"{param}.file_data")
    return _linked(file["file_data"], f"{param}.file_data")
