"""What the books must say, kept beside them: the provider's own log and simple sums over it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from tests.metering.books_draws import Asked
from writingmate.errors import KeyClaimed, LimitReached, RateLimited, StalePrincipal
from writingmate.metering.commands import ClaimKey
from writingmate.metering.counting import MESSAGE_TOKENS, counted_messages
from writingmate.metering.hold import Hold
from writingmate.metering.windows import WindowKey
from writingmate.types import Usage

INTERRUPTED: Final = frozenset({"estimated", "interrupted"})
MINUTE: Final = 60.0


@dataclass
class Request:
    """A request that was admitted. ``node_id`` is who holds; ``open`` until an entry is written."""

    asked: Asked
    node_id: str
    messages: int
    hold: Hold | None
    open: bool = True


@dataclass(frozen=True)
class Entered:
    """The entry that a request must have; ``usage`` is what the provider's own log says."""

    asked: Asked
    usage: Usage
    messages: int
    held: int
    flags: frozenset[str]


@dataclass
class Claimed:
    """Which request an idempotency key stands for."""

    request: Request
    answer: bytes | None = None


class Model:
    """Requests under way, entries, windows, arrivals and claims, as they must be after each step."""

    def __init__(self) -> None:
        self.requests: dict[str, Request] = {}
        self.entries: dict[str, Entered] = {}
        self.used: Counter[WindowKey] = Counter()
        self.held: Counter[WindowKey] = Counter()
        self.arrivals: list[Asked] = []
        self.claims: dict[ClaimKey, Claimed] = {}
        # Since the last look at the books:
        self.admitted: list[Asked] = []
        self.overruns: Counter[WindowKey] = Counter()

    def admit(self, request: Request) -> None:
        """It holds."""
        asked = request.asked
        self.requests[asked.name] = request
        for window in asked.windows:
            self.held[window] += request.messages
        self.arrivals.append(asked)
        self.admitted.append(asked)
        if asked.claim is not None:
            assert not self.claimed(asked), f"a claim was granted twice: {asked.claim}"
            self.claims[asked.claim.key] = Claimed(request)

    def settle(
        self, request: Request, usage: Usage | None, flags: frozenset[str], answer: bytes | None = None
    ) -> None:
        """It ended; ``usage`` is None if nothing usable came of it."""
        messages = 0 if usage is None else counted_messages(usage)
        if usage is None:
            flags |= {"failed"}
        if messages > request.messages:
            flags |= {"overrun"}
        request.open = False
        asked = request.asked
        self.entries[asked.name] = Entered(asked, usage or Usage(), messages, request.messages, flags)
        for window in asked.windows:
            self.held[window] -= request.messages
            self.used[window] += messages
            self.overruns[window] += max(0, messages - request.messages)
        if asked.claim is not None and self.claims[asked.claim.key].request is request:
            self.claims[asked.claim.key].answer = answer

    def interrupt(self, request: Request) -> None:
        """Its node is gone: by the written rule, the prompt's bound is charged."""
        self.settle(request, Usage(request.asked.estimate.prompt_tokens), INTERRUPTED)

    def held_by(self, node_id: str) -> list[Request]:
        """The requests that are on a node's books."""
        return [each for each in self.requests.values() if each.node_id == node_id and each.open]

    def room(self, asked: Asked) -> int | None:
        """What the tightest window has left, below 0 in debt; None where none applies."""
        rooms = [allowed - self.used[key] - self.held[key] for key, allowed in asked.windows.items()]
        return min(rooms, default=None)

    def recent(self, asked: Asked, window: WindowKey) -> int:
        """How many requests of the window's subject came in the minute before this one, or after it."""
        workspace, subject, *_ = window
        return sum(
            other.principal.workspace_id == workspace
            and subject in {"workspace", f"user:{other.principal.user_id}"}
            and other.started_at > asked.started_at - MINUTE
            for other in self.arrivals
        )

    def claimed(self, asked: Asked) -> bool:
        """Its key stands for another request, which is under way or answered and not expired."""
        claim = asked.claim
        before = None if claim is None else self.claims.get(claim.key)
        if claim is None or before is None or before.request.asked.claim is None:
            return False
        answered = before.answer is not None and before.request.asked.claim.expires_at > claim.created_at
        return before.request.open or answered

    def grant(self, asked: Asked) -> int:
        """How many messages it may hold now; 0 for none."""
        estimate = asked.estimate
        wanted = counted_messages(Usage(estimate.prompt_tokens, estimate.completion_tokens))
        least = wanted
        if estimate.least_tokens is not None:
            least = counted_messages(Usage(estimate.prompt_tokens, estimate.least_tokens))
        room = self.room(asked)
        granted = wanted if room is None else min(wanted, room)
        return granted if granted >= least else 0

    def refusal(self, asked: Asked, revision: int) -> type[Exception] | None:
        """Why it must be refused now, if it must."""
        if asked.principal.revision != revision:
            return StalePrincipal
        if not self.grant(asked):
            return LimitReached
        if any(self.recent(asked, window) >= allowed for window, allowed in asked.rates.items()):
            return RateLimited
        return KeyClaimed if self.claimed(asked) else None

    def answer_room(self, asked: Asked, granted: int) -> int:
        """The tokens of an answer that so many messages leave room for."""
        estimate = asked.estimate
        return min(estimate.completion_tokens, granted * MESSAGE_TOKENS - estimate.prompt_tokens)
