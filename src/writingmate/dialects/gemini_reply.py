"""An answer of Gemini's as a chat completion, and its usage (WIRE §10.2)."""

from __future__ import annotations

from typing import Any

from writingmate.dialects import choices
from writingmate.dialects.chat_completion import ChatAnswer, usage_object
from writingmate.dialects.gemini_candidate import Candidate, Reading, message
from writingmate.dialects.gemini_logprobs import logprobs
from writingmate.errors import UpstreamBroken
from writingmate.types import Usage

_LONGEST_DETAIL = 300


def reply(body: bytes, answer: ChatAnswer, reading: Reading) -> bytes:
    """A chat completion. Raises UpstreamBroken if the body is no answer, or nothing but a fault."""
    said = choices.members(body)
    found = candidates(said)
    if not found and not blocked(said):
        raise UpstreamBroken(f"the answer has no candidates: {_excerpt(body)}")
    made, faulty = [], 0
    for place, each in found:
        candidate = Candidate(reading, place)
        written = message(candidate.deltas(each))
        faulty += candidate.faulty
        made.append(
            {
                "index": place,
                "message": written,
                "logprobs": logprobs(each),
                "finish_reason": candidate.finish_reason,
            }
        )
    if made and faulty == len(made):
        raise UpstreamBroken(f"the answer is a fault: {_excerpt(body)}")
    return answer.several(made or [_refused()], usage_of(said))


def candidates(said: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """The candidates of an answer or of a frame, with their places; Google leaves out what is 0."""
    listed = said.get("candidates")
    found = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    return [(choices.place(each), each) for each in found]


def blocked(said: dict[str, Any]) -> bool:
    """Whether the prompt was, so that there is no candidate."""
    feedback = said.get("promptFeedback")
    return isinstance(feedback, dict) and bool(feedback.get("blockReason"))


def usage_of(said: dict[str, Any]) -> dict[str, Any] | None:
    """The usage of an answer or of a frame as OpenAI's; None if it reports none."""
    found = usage(said.get("usageMetadata"))
    return None if found is None else usage_object(found)


def usage(reported: object) -> Usage | None:
    """Google's counts as OpenAI's; None if it does not say how long the prompt was.

    Thoughts are not among the candidates' tokens. What a tool of Google's own brought into the prompt is
    beside the prompt's. Counts that are 0 are left out, those of candidates sometimes when they are not:
    then the total knows better.
    """
    if not isinstance(reported, dict):
        return None
    prompt = reported.get("promptTokenCount")
    if type(prompt) is not int or prompt < 0:
        return None
    prompt += _tokens(reported, "toolUsePromptTokenCount")
    thought = _tokens(reported, "thoughtsTokenCount")
    completion = _tokens(reported, "candidatesTokenCount") + thought
    if not says_completion(reported):
        completion = max(completion, _tokens(reported, "totalTokenCount") - prompt)
    cached = min(prompt, _tokens(reported, "cachedContentTokenCount"))
    return Usage(prompt, completion, cached, thought)


def says_completion(reported: dict[str, Any]) -> bool:
    """Whether it says how much was written."""
    return _tokens(reported, "candidatesTokenCount") > 0


def _tokens(reported: dict[str, Any], name: str) -> int:
    value = reported.get(name)
    return value if type(value) is int and value > 0 else 0


def _refused() -> dict[str, Any]:
    """The choice of an answer whose prompt was blocked."""
    said = {"role": "assistant", "content": None, "refusal": None}
    return {"index": 0, "message": said, "logprobs": None, "finish_reason": "content_filter"}


def _excerpt(body: bytes) -> str:
    return body[:_LONGEST_DETAIL].decode("utf-8", "replace")
