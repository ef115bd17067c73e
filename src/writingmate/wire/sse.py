"""Server-sent events as bytes: frames are split off a stream without being changed (WIRE §3).

A frame is one event with the blank line that ends it, exactly as received. The standard allows LF, CR
LF and CR as line ends, mixed; every split below gives the same frames however the stream is cut.
"""

from __future__ import annotations

import re

DONE = b"data: [DONE]\n\n"

#: Bytes. No provider sends an event of this size; one that grows past it is a fault or an attack.
LARGEST_EVENT = 16 * 1024 * 1024

# Atomic groups, so that CR LF is never taken for two line ends.
_BLANK_LINE = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_CR = ord("\r")
_LINE_END = re.compile(rb"\r\n|\n|\r")


class Splitter:
    """Cuts a byte stream into frames. Feed it chunks; what is unfinished waits inside."""

    __slots__ = ("_pending", "_searched")

    def __init__(self) -> None:
        self._pending = bytearray()
        self._searched = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The frames that this chunk completes. Raises ValueError if an event passes 16 MiB."""
        if self._pending or _CR in chunk:
            return self._split(chunk)
        frames = chunk.split(b"\n\n")
        rest = frames.pop()
        if rest:
            self._keep(bytearray(rest))
        return [frame + b"\n\n" for frame in frames] if rest or len(frames) != 1 else [chunk]

    def rest(self) -> bytes:
        """What has come of an event that is not complete yet."""
        return bytes(self._pending)

    def _split(self, chunk: bytes) -> list[bytes]:
        buffer = self._pending
        buffer += chunk
        frames: list[bytes] = []
        start = 0
        for match in _BLANK_LINE.finditer(buffer, self._searched):
            end = match.end()
            if end == len(buffer) and buffer[end - 1] == _CR:
                break  # a LF that belongs to this CR may be the next byte
            frames.append(bytes(buffer[start:end]))
            start = end
        self._keep(buffer[start:] if start else buffer)
        return frames

    def _keep(self, pending: bytearray) -> None:
        if len(pending) > LARGEST_EVENT:
            raise ValueError(f"an event is larger than {LARGEST_EVENT} bytes")
        self._pending = pending
        self._searched = max(0, len(pending) - 3)  # a blank line is at most four bytes


def data(frame: bytes) -> bytes:
    """What the event carries: the values of its data lines, joined by LF."""
    if frame.startswith(b"data: ") and frame.find(b"\n") == len(frame) - 2 and b"\r" not in frame:
        return frame[6:-2]
    return b"\n".join(_values(frame, b"data"))


def name(frame: bytes) -> bytes:
    """The event's name, b"" if it has none."""
    return b"".join(_values(frame, b"event")[-1:])


def is_comment(frame: bytes) -> bool:
    """Whether the frame holds comment lines and nothing else."""
    lines = [line for line in _LINE_END.split(frame) if line]
    return bool(lines) and all(line.startswith(b":") for line in lines)


def event(data: bytes, name: bytes | None = None) -> bytes:
    """A frame of ours."""
    head = b"" if name is None else b"event: " + name + b"\n"
    if b"\n" not in data and b"\r" not in data:
        return head + b"data: " + data + b"\n\n"
    return head + b"".join(b"data: " + line + b"\n" for line in _LINE_END.split(data)) + b"\n"


def comment(text: bytes) -> bytes:
    """A frame that every client skips: keep-alives and the count at the end."""
    return b"".join(b": " + line + b"\n" for line in _LINE_END.split(text)) + b"\n"


def _values(frame: bytes, field: bytes) -> list[bytes]:
    found = []
    for line in _LINE_END.split(frame):
        name, _, value = line.partition(b":")
        if name == field:
            found.append(value.removeprefix(b" "))
    return found
