"""What a client gets of a provider's bytes, cut anywhere, by the parts that a live gateway is made of."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from tests.dialects.recordings import Recording
from writingmate.dialects.exchange import Exchange
from writingmate.errors import UpstreamBroken, UpstreamError
from writingmate.operations.failures import as_answer
from writingmate.upstream.base import Timeouts
from writingmate.upstream.replies import StreamAnswer

#: How bytes stop: as the body's framing says, or by a connection that is closed.
Stop = Literal["framed", "closed"]
STOPS: tuple[Stop, ...] = ("framed", "closed")


class _Still:
    def pause(self) -> None: ...

    def resume(self) -> None: ...


@dataclass(frozen=True)
class Arrival:
    """The events of one leg, and whether they ended as a stream does."""

    frames: tuple[bytes, ...]
    lost: bool


async def arrived(body: bytes, stop: Stop) -> Arrival:
    """What our HTTP client hands on of a leg's bytes."""
    answer = StreamAnswer(_Still(), Timeouts(), asyncio.get_running_loop())
    answer.head(200, {"content-type": "text/event-stream"})
    if body:
        answer.add(body)
    answer.end(framed=stop == "framed")
    frames: list[bytes] = []
    try:
        while (more := await answer.more()) is not None:
            frames += more
    except UpstreamError:
        return Arrival(tuple(frames), lost=True)
    return Arrival(tuple(frames), lost=False)


def delivered(exchange: Exchange, arrivals: Iterable[Arrival]) -> bytes | None:
    """All that the client is sent; None where it would get an HTTP error instead of a stream."""
    out: list[bytes] = []
    started = False
    try:
        for leg, arrival in zip(exchange.legs, arrivals, strict=True):
            for frame in arrival.frames:
                out.append(exchange.feed(leg, [frame]))
                started = True
            if arrival.lost:
                raise UpstreamBroken("the connection was lost")
            out.append(exchange.end(leg))
        out.append(exchange.closing())
    except UpstreamError as error:
        return b"".join([*out, exchange.failure(as_answer(error))]) if started else None
    return b"".join(out)


async def cuts(case: Recording) -> set[tuple[Arrival, ...]]:
    """What arrives if the recording is cut at every byte of every leg, however it stops; each once."""
    whole = [await arrived(reply, "framed") for reply in case.replies]
    found: set[tuple[Arrival, ...]] = set()
    for leg, reply in enumerate(case.replies):
        for length in range(len(reply)):
            for stop in STOPS:
                stopped = await arrived(reply[:length], stop)
                # A lost connection leaves the events that were complete, however much came of the next.
                for each in (stopped, replace(stopped, lost=True)):
                    found.add((*whole[:leg], each, *whole[leg + 1 :]))
    return found


def batches(frames: tuple[bytes, ...], sizes: Iterable[int]) -> Iterator[list[bytes]]:
    """The frames in groups of these sizes."""
    at = 0
    for size in sizes:
        yield list(frames[at : at + size])
        at += size
