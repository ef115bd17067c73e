"""Recorded conversations: ``cases/<codec>/<case>/``, read as bytes.

``client.json`` is the client's body, ``upstream-N.json`` what each leg must send, ``reply-N.json`` or
``reply-N.sse`` what the provider answered, ``answer.json`` or ``answer.sse`` what the client must get
(without the closing ``[DONE]``; of responses and messages with all that `ending` says), ``case.json`` the
route, and what must have been observed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from writingmate.dialects.exchange import DEFAULT_CAP, GRAMMARS, Exchange
from writingmate.errors import BadGateway
from writingmate.wire import document
from writingmate.wire.sse import Splitter

CASES = Path(__file__).parent / "cases"


@dataclass(frozen=True)
class Recording:
    folder: Path

    @property
    def codec(self) -> str:
        return self.folder.parent.name

    @property
    def translated(self) -> bool:
        """Whether there is a codec or a spoke, or both, between the client and the provider."""
        return "_over_" in self.codec

    @property
    def facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = msgspec.json.decode((self.folder / "case.json").read_bytes())
        return facts

    @property
    def streaming(self) -> bool:
        return (self.folder / "reply-0.sse").exists()

    @property
    def replies(self) -> list[bytes]:
        return [path.read_bytes() for path in sorted(self.folder.glob("reply-*"))]

    @property
    def sent(self) -> list[bytes]:
        return [path.read_bytes().strip() for path in sorted(self.folder.glob("upstream-*.json"))]

    @property
    def answer(self) -> bytes:
        name = "answer.sse" if self.streaming else "answer.json"
        path = self.folder / name
        return path.read_bytes() if path.exists() else b""

    def begin(self) -> Exchange:
        request = document.parse((self.folder / "client.json").read_bytes())
        GRAMMARS[self.facts["dialect"]].check(request)
        return Exchange.begin(
            self.facts["dialect"],
            request,
            self.facts["spoken"],
            model=self.facts["model"],
            slug=document.value(request["model"]),
            request_id="req1",
            stream_usage=self.facts.get("stream_usage", "option"),
            max_tokens=self.facts.get("max_tokens"),
            cap=self.facts.get("cap", DEFAULT_CAP),
            created=1_770_000_000,
        )


def ending(case: Recording, exchange: Exchange, *, broken: bool) -> bytes:
    """What ends a stream whose dialect has more to say at the end than that it is the end."""
    if not case.codec.startswith(("responses", "messages")):
        return b""
    return exchange.failure(BadGateway("The provider failed.")) if broken else exchange.closing()


def recordings() -> list[Recording]:
    return [Recording(path.parent) for path in sorted(CASES.glob("*/*/case.json"))]


def frames(stream: bytes) -> list[bytes]:
    return Splitter().feed(stream)
