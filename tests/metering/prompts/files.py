"""Tiny files whose headers are real: pictures of a size, PDFs of some pages, WAV of some seconds."""

from __future__ import annotations

import base64
import struct
import zlib


def png(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(head)) + b"IHDR" + head + b"\0" * 4


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0)


def jpeg(width: int, height: int, *, notes: int = 40_000) -> bytes:
    app = b"\xff\xe1" + struct.pack(">H", notes + 2) + b"x" * notes
    frame = b"\xff\xc2" + struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\1\x11\0"
    return b"\xff\xd8" + app + b"\xff\xff\xdb\x00\x04ab" + frame


def webp(form: bytes, width: int, height: int) -> bytes:
    bodies = {
        b"VP8X": b"\0\0\0\0" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little"),
        b"VP8L": b"\x2f" + struct.pack("<I", width - 1 | height - 1 << 14),
        b"VP8 ": b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height),
    }
    body = bodies[form]
    return b"RIFF" + struct.pack("<I", 12 + len(body)) + b"WEBP" + form + struct.pack("<I", len(body)) + body


def wav(seconds: int, rate: int = 16_000) -> bytes:
    size = seconds * rate * 2
    head = b"RIFF" + struct.pack("<I", size + 36) + b"WAVELIST" + struct.pack("<I", 3) + b"abc\0"
    return (
        head + b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, rate, rate * 2, 2, 16) + b"data"
        + struct.pack("<I", size) + b"\0" * size
    )  # fmt: skip


def pdf(
    pages: int, text: bytes = b"Hello", *, packed: bool = False, filters: bytes = b"/FlateDecode"
) -> bytes:
    """``packed`` puts the pages' descriptions into an object stream, as most writers do now."""
    listed = b"".join(b"%d 0 obj <</Type /Page /Parent 1 0 R>> endobj\n" % (10 + at) for at in range(pages))
    if packed:
        listed = stream(b"/Type /ObjStm /N %d" % pages, listed, filters)
    drawn = stream(b"", b"BT (" + text + b") Tj <48656c6c6f> Tj ET", filters)
    silent = stream(b"/Type /XObject /Subtype /Image", b"(((not text", b"/DCTDecode") + stream(
        b"/Length1 900", b"(a font)", filters
    )
    return (
        b"%PDF-1.7\n1 0 obj <</Type /Pages /Count 9>> endobj\n" + listed + drawn * pages + silent + b"%%EOF"
    )


def stream(described: bytes, content: bytes, filters: bytes) -> bytes:
    packed = zlib.compress(content) if filters == b"/FlateDecode" else content
    dictionary = b"<<%s /Filter %s /Length %d>>" % (described, filters, len(packed))
    return b"7 0 obj " + dictionary + b"\nstream\r\n" + packed + b"\nendstream endobj\n"


def url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
