"""Messages for providers that speak them: the client's own bytes, and the provider's (WIRE §10.1)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from writingmate.dialects import anthropic_errors, anthropic_thoughts
from writingmate.dialects.grammar import given
from writingmate.dialects.messages_models import LEAST_BUDGET
from writingmate.dialects.watch import Watch
from writingmate.errors import ApiError, UnsupportedParameter
from writingmate.types import DialectName
from writingmate.wire import document, sse
from writingmate.wire.document import Document

#: What names something of the operator's account, which is not for those who only have a key of ours.
OPERATORS = ("user_profile_id", "workspace_id")

STOP = sse.event(b'{"type":"message_stop"}', b"message_stop")


class AnthropicNative:
    """One request as it came, but for the model's name and a limit that is lowered to ``max_tokens``.

    Raises UnsupportedParameter when made.
    """

    target: DialectName = "messages"

    def __init__(self, request: Document, *, request_id: str, max_tokens: int | None) -> None:
        for name in OPERATORS:
            if given(request, name):
                raise UnsupportedParameter(
                    f"Unsupported parameter: '{name}' is not supported here: it names something of the "
                    "operator's account. Leave it out.",
                    param=name,
                )
        self._request = request
        self._request_id = request_id
        self._clamped = {} if max_tokens is None else _clamped(request, max_tokens)

    def requests(self) -> list[Document]:
        """One leg: the request without the thinking of other models, whose signatures mean nothing there."""
        sent = self._request | self._clamped
        if bytes(sent["messages"]).find(anthropic_thoughts.MARK) >= 0:
            sent["messages"] = document.raw(anthropic_thoughts.without(document.value(sent["messages"])))
        return [sent]

    def reply(self, bodies: Sequence[bytes], watches: Sequence[Watch]) -> bytes:
        """The very body."""
        watches[0].body(bodies[0])
        return bodies[0]

    def stream(self, leg: int, watches: Sequence[Watch]) -> AnthropicRelay:
        """The very frames."""
        return AnthropicRelay(watches[leg], self._request_id)


class AnthropicRelay:
    """Passes events on; ``message_stop`` waits until the request is settled."""

    __slots__ = ("_request_id", "_watch")

    def __init__(self, watch: Watch, request_id: str) -> None:
        self._watch = watch
        self._request_id = request_id

    def feed(self, frames: Sequence[bytes]) -> bytes:
        """The frames that are for the client, as they came."""
        kept = self._watch.passing(frames)
        return kept[0] if len(kept) == 1 else b"".join(kept)

    def end(self) -> bytes:
        """Nothing; raises UpstreamBroken if the message is not complete."""
        self._watch.finish()
        return b""

    def closing(self) -> bytes:
        """``message_stop``."""
        return self._watch.over or STOP

    def failure(self, error: ApiError) -> bytes:
        """An ``error`` event, and nothing after it."""
        return anthropic_errors.event(error, self._request_id)


def _clamped(request: Document, most: int) -> Document:
    """The fields that a lower limit changes: a budget for thinking has to stay below it."""
    asked = document.value(request["max_tokens"])
    changed = {"max_tokens": document.raw(min(most, asked))}
    thinking = document.value(request["thinking"]) if given(request, "thinking") else {}
    budget = thinking.get("budget_tokens")
    # A budget above the limit is the client's own wish: it is for thinking between calls of tools.
    if type(budget) is not int or not most <= budget < asked:
        return changed
    if most <= LEAST_BUDGET:
        raise UnsupportedParameter(
            f"Unsupported parameter: 'thinking' needs more than {LEAST_BUDGET} tokens of an answer, and your "
            f"limits leave {most}. Send the request without it, or a shorter one.",
            param="thinking.budget_tokens",
        )
    changed["thinking"] = msgspec.Raw(msgspec.json.encode(thinking | {"budget_tokens": most - 1}))
    return changed
