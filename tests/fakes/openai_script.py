"""What `FakeOpenAI` is told to do wrong, and what it has recorded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tests.fakes.openai_choices import Json, Wish


@dataclass(frozen=True, slots=True)
class Fault:
    """How calls are answered instead of well; members may be combined.

    ``status``, ``headers``, ``content_type`` and ``body`` replace those of the answer (an error
    status without a body gets OpenAI's envelope). ``cut`` closes the connection after that many
    bytes of the response, head included; ``reset`` does it with a RST. ``silent`` sends nothing,
    ``stall`` stops after that many events of a stream (0: after the head, of whole replies too),
    both until `FakeOpenAI.release`. ``delay`` and ``pace`` are seconds before the first byte and
    between events. ``error_after`` sends an error event after that many and ends the body, OpenAI's or
    ``error``.
    ``wish`` changes what is said.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str | None = None
    body: bytes | None = None
    cut: int | None = None
    reset: bool = False
    silent: bool = False
    stall: int | None = None
    delay: float = 0.0
    pace: float = 0.0
    error_after: int | None = None
    error: Json | None = None
    malformed: bool = False
    usage: bool = True
    done: bool = True
    comment: str = ""
    framing: Literal["length", "chunked", "close"] | None = None
    wish: Wish = field(default_factory=Wish)


WELL = Fault()
HTML_502 = Fault(
    status=502,
    content_type="text/html",
    body=b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>",
)


@dataclass(slots=True)
class RecordedCall:
    """One request as it arrived, and what became of it.

    ``usage`` is what the client was told, None if it was told none. ``produced`` and
    ``produced_tokens`` are what the model had said when the answer ended, well or not.
    ``over`` is set when nothing more will be written.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    request_id: str
    status: int = 0
    usage: Json | None = None
    produced: str = ""
    produced_tokens: int = 0
    sent: int = 0
    finished: bool = False
    hung_up: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def document(self) -> Json:
        """The request's body, decoded."""
        document: Json = json.loads(self.body)
        return document

    @property
    def model(self) -> str | None:
        """The model that was asked for, if the body is a document that names one."""
        try:
            name = self.document.get("model")
        except (ValueError, AttributeError):
            return None
        return name if isinstance(name, str) else None


@dataclass(slots=True)
class Scripted:
    """A fault and the calls that it is for."""

    fault: Fault
    model: str | None
    path: str | None
    times: int | None

    def fits(self, call: RecordedCall) -> bool:
        """Is this call one of them?"""
        return (
            self.times != 0
            and self.path in {None, call.path}
            and (self.model is None or self.model == call.model)
        )
