"""One request on the books, from its hold to its settlement."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Final, Self

from writingmate.errors import Unavailable
from writingmate.metering.books import Answer
from writingmate.metering.commands import Closing, Command, Ending, Keep, Opening
from writingmate.storage.writer import Uncertain, Writer
from writingmate.types import Admission, Rate, Receipt, Usage

MOST_TOKENS: Final = 10**12  # more is a provider's mistake, and would not fit the columns for long


class Hold:
    """One request on the books. Tell it what was observed; leaving it settles exactly once."""

    __slots__ = (
        "_estimated",
        "_flags",
        "_opened",
        "_opening",
        "_row",
        "_settlement",
        "_upstream_request_id",
        "_usage",
        "_writer",
        "rate",
    )

    def __init__(self, writer: Writer[Command, Answer], opening: Opening) -> None:
        self._writer = writer
        self._opening = opening
        self._row = opening.row
        self.rate: Rate | None = None
        self._usage: Usage | None = None
        self._estimated = False
        self._opened = False
        self._flags: set[str] = set()
        self._upstream_request_id: str | None = None
        self._settlement: asyncio.Future[Answer] | None = None

    @property
    def request_id(self) -> str:
        """The request that this holds for."""
        return self._row.request_id

    @property
    def messages(self) -> int:
        """Messages held."""
        return self._row.messages

    @property
    def completion_tokens(self) -> int:
        """Tokens of the answer that are held; fewer than were asked for where no more was left."""
        return self._row.completion_tokens

    @property
    def clamped(self) -> bool:
        """Less is held than was asked for."""
        return "clamped" in self._flags

    def observe(self, usage: Usage, *, estimated: bool = False) -> None:
        """What the request has used so far; the last word wins. ``estimated``: we counted, not they."""
        self._usage = _plausible(usage)
        self._estimated = estimated

    def mark(self, flag: str) -> None:
        """Note a fact in the entry: ``cancelled``, ``broken``, ``byok``."""
        self._flags.add(flag)

    def served_by(self, upstream_request_id: str | None) -> None:
        """Note the provider's own id of the request."""
        self._upstream_request_id = _printable(upstream_request_id)

    def rerouted(self, provider: str, upstream_model: str) -> None:
        """Note that another route than the held one is called: the entry will name it."""
        self._row = self._row._replace(provider=provider, upstream_model=upstream_model)

    async def settle(self, answer: bytes | Ending | None = None, keep: Keep | None = None) -> Receipt:
        """Write the entry and release the rest; the receipt, once it is on disk.

        ``answer`` is stored with it for the request's claim, if it has one, and so is what is to ``keep``
        of a response. Nothing observed costs nothing (``failed``). Further calls give the same receipt.
        Raises Unavailable if the database is out of reach: then it is written as soon as it is back.
        """
        if self._settlement is None or _unanswered(self._settlement):
            self._settlement = self._writer.submit(self._closing(answer, keep), owed=True)
        receipt = await self._settlement
        if not isinstance(receipt, Receipt):
            raise TypeError(f"A settlement was answered {receipt!r}.")
        return receipt

    async def open(self) -> Self:
        """Hold, as entering does; whoever has opened it enters it next, with nothing awaited between."""
        try:
            answer = await self._writer.submit(self._opening)
        except BaseException as reason:
            if isinstance(reason, Uncertain) or not isinstance(reason, Exception):
                self._release()  # it may have been written, and nobody will settle it: if it was, it goes
            raise
        self._opened = True
        if isinstance(answer, Admission):
            self._admitted(answer)
        return self

    async def __aenter__(self) -> Self:
        return self if self._opened else await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._settlement is not None:
            return
        try:
            await self.settle()
        except Unavailable:  # it is owed; what went wrong before it says more
            if kind is None:
                raise

    def _admitted(self, admission: Admission) -> None:
        self.rate = admission.rate
        if admission.messages != self._row.messages:
            self._row = self._row._replace(
                messages=admission.messages, completion_tokens=admission.completion_tokens
            )
            self._flags.add("clamped")

    def _release(self) -> None:
        with contextlib.suppress(Unavailable):  # the writer is closed: the sweep settles it
            self._writer.post(self._closing())

    def _closing(self, answer: bytes | Ending | None = None, keep: Keep | None = None) -> Closing:
        opening = self._opening
        flags = frozenset({*self._flags, "estimated"} if self._estimated else self._flags)
        return Closing(
            self._row,
            self._usage,
            flags,
            self._upstream_request_id,
            opening.limits,
            opening.claim,
            answer,
            keep,
        )


def _unanswered(settlement: asyncio.Future[Answer]) -> bool:
    """Whether to ask again: it is written once, and answered from the entry after that."""
    return settlement.done() and (settlement.cancelled() or settlement.exception() is not None)


def _plausible(usage: Usage) -> Usage:
    """Providers have reported negative and absurd figures; the books take neither."""
    figures = (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, usage.reasoning_tokens)
    if min(figures) >= 0 and max(figures) <= MOST_TOKENS:
        return usage
    return Usage(*(min(max(figure, 0), MOST_TOKENS) for figure in figures))


def _printable(text: str | None) -> str | None:
    """A provider's id as a column takes it."""
    return text[:200].encode("ascii", "replace").decode().replace("\x00", "") if text else None
