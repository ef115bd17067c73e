"""Log probabilities: Gemini's two lists as chat's one (WIRE §10.2)."""

from __future__ import annotations

from typing import Any


def logprobs(said: dict[str, Any]) -> dict[str, Any] | None:
    """A candidate's ``logprobsResult`` as a choice's ``logprobs``; None if there is none."""
    result = said.get("logprobsResult")
    if not isinstance(result, dict):
        return None
    chosen = _objects(result.get("chosenCandidates"))
    steps = [_objects(step.get("candidates")) for step in _objects(result.get("topCandidates"))]
    steps += [[]] * (len(chosen) - len(steps))
    tokens = [
        _token(each) | {"top_logprobs": list(map(_token, top))}
        for each, top in zip(chosen, steps, strict=False)
    ]
    return {"content": tokens, "refusal": None} if tokens else None


def _token(candidate: dict[str, Any]) -> dict[str, Any]:
    """Google leaves out what is 0 or empty."""
    token = candidate.get("token")
    text = token if isinstance(token, str) else ""
    logprob = candidate.get("logProbability", 0)
    likelihood = logprob if isinstance(logprob, (int, float)) and not isinstance(logprob, bool) else 0
    return {"token": text, "logprob": float(likelihood), "bytes": list(text.encode("utf-8", "replace"))}


def _objects(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
