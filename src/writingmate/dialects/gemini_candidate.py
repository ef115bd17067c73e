"""One of Gemini's candidates as deltas of a chat choice, whole or in pieces (WIRE §10.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from writingmate.dialects import gemini_thoughts

_FINISHES = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "ESCALATION": "content_filter",
}
#: What went wrong at the provider; what was said before it may still be of use.
_FAULTS = frozenset((
    "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE",
    "MALFORMED_RESPONSE", "IMAGE_OTHER", "NO_IMAGE", "PUP_LIMITED_DISABLED", "OTHER",
))  # fmt: skip
_NO_REASON = "FINISH_REASON_UNSPECIFIED"


@dataclass(frozen=True, slots=True)
class Reading:
    """What is to be known of a request to read its answer.

    Args:
        request_id: ids of calls are made from it, which Gemini often leaves out.
        parallel: whether there may be more than one call.
    """

    request_id: str
    parallel: bool = True


class Candidate:
    """One candidate's state. ``reason`` is why it ended, in Google's words, None while it goes on."""

    def __init__(self, reading: Reading, place: int) -> None:
        self.reason: str | None = None
        self._reading = reading
        self._place = place
        self._calls = 0
        self._details = 0
        self._said = False
        self._signed = False

    @property
    def faulty(self) -> bool:
        """Whether it ended by a fault of the provider's and with nothing of use."""
        return self.reason in _FAULTS and not self._said

    @property
    def finish_reason(self) -> str:
        """Why it ended, in OpenAI's words; for a reason that is new or a fault, as if it were done."""
        finish = _FINISHES.get(str(self.reason), "stop")
        return "tool_calls" if finish == "stop" and self._calls else finish

    def deltas(self, said: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """What a candidate of an answer or of a frame says, part by part."""
        content = said.get("content")
        parts = content.get("parts") if isinstance(content, dict) else None
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict):
                yield from self._part(part)
        reason = said.get("finishReason")
        if isinstance(reason, str) and reason != _NO_REASON:
            self.reason = reason

    def _part(self, part: dict[str, Any]) -> Iterator[dict[str, Any]]:
        signature = part.get("thoughtSignature")
        signature = signature if isinstance(signature, str) and signature else None
        call, text = part.get("functionCall"), part.get("text")
        if isinstance(call, dict):
            yield from self._call(call, signature)
        elif part.get("thought") is True:
            if isinstance(text, str) and text:
                yield {"reasoning_content": text}
        else:
            if isinstance(text, str) and text:
                self._said = True
                yield {"content": text}
            if signature is not None:
                # A message has room for one, and clients that join a stream would join two of them.
                extra = {} if self._signed else gemini_thoughts.carried(signature)
                self._signed = True
                yield extra | self._detail(signature, None)

    def _call(self, call: dict[str, Any], signature: str | None) -> Iterator[dict[str, Any]]:
        if self._calls and not self._reading.parallel:
            return
        at, self._calls, self._said = self._calls, self._calls + 1, True
        given, arguments = call.get("id"), call.get("args")
        call_id = given if isinstance(given, str) and given else self._minted(at)
        written = msgspec.json.encode(arguments if isinstance(arguments, dict) else {}).decode()
        made: dict[str, Any] = {
            "index": at,
            "id": call_id,
            "type": "function",
            "function": {"name": str(call.get("name", "")), "arguments": written},
        }
        if signature is None:
            yield {"tool_calls": [made]}
        else:
            made |= gemini_thoughts.carried(signature)
            yield {"tool_calls": [made]} | self._detail(signature, call_id)

    def _minted(self, at: int) -> str:
        place = f"{self._place}_{at}" if self._place else str(at)
        return f"call_{self._reading.request_id}_{place}"

    def _detail(self, signature: str, call_id: str | None) -> dict[str, Any]:
        entry = gemini_thoughts.detail(self._details, signature, call_id)
        self._details += 1
        return {"reasoning_details": [entry]}


def message(deltas: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """The message that the deltas of a whole answer make."""
    texts: dict[str, list[str]] = {"content": [], "reasoning_content": []}
    lists: dict[str, list[Any]] = {"reasoning_details": [], "tool_calls": []}
    extra: dict[str, Any] = {}
    for delta in deltas:
        for name, value in delta.items():
            if name in texts:
                texts[name].append(value)
            elif name in lists:
                lists[name] += value
            else:
                extra[name] = value
    calls = [{name: value for name, value in call.items() if name != "index"} for call in lists["tool_calls"]]
    text, thought = "".join(texts["content"]), "".join(texts["reasoning_content"])
    made: dict[str, Any] = {"role": "assistant", "content": text or (None if calls else ""), "refusal": None}
    further = {"reasoning_content": thought, "reasoning_details": lists["reasoning_details"]}
    further |= {"tool_calls": calls, **extra}
    return made | {name: value for name, value in further.items() if value}
