"""The documents in which Google answers: content, whole and in events, lists, errors. No sockets."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any

from tests.fakes.openai_answers import Answer, Chunk
from tests.fakes.openai_choices import Json, Wish, sample, words

SIGNATURE = base64.b64encode(b"what was thought before").decode()


def content(request: Json, model: str, request_id: str, wish: Wish, *, usage: bool = True) -> Answer:
    """The answer to ``:generateContent`` and to ``:streamGenerateContent``."""
    parts, reason = _parts(request, model, wish)
    count = request.get("generationConfig", {}).get("candidateCount", 1)
    written = sum(len(_pieces(part)) for part in parts if not part.get("thought")) * count
    thought = sum(len(_pieces(part)) for part in parts if part.get("thought")) * count
    counts = _usage(request, written, thought) | wish.usage
    about = {"modelVersion": model, "responseId": request_id}
    candidates = [_candidate(place, parts, reason, request) for place in range(count)]
    whole = {"candidates": candidates, "usageMetadata": counts, **about}
    chunks = list(_events(request, parts, reason, counts, about, count))
    if not usage:
        del whole["usageMetadata"]
        for chunk in chunks:
            del chunk.document["usageMetadata"]
    text = "".join(piece for part in parts for piece in _pieces(part)) * count
    return Answer(whole, tuple(chunks), {"completion_tokens": written + thought}, text)


def refusal(code: int, status: str, text: str, *details: Json) -> Json:
    """Google's error envelope."""
    error: Json = {"code": code, "message": text, "status": status}
    return {"error": error | ({"details": list(details)} if details else {})}


def key_refused() -> Json:
    """Its refusal of a key, which is a 400."""
    reason = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "API_KEY_INVALID",
        "domain": "googleapis.com",
        "metadata": {"service": "generativelanguage.googleapis.com"},
    }
    text = "API key not valid. Please pass a valid API key."
    return refusal(400, "INVALID_ARGUMENT", text, reason)


def exhausted(delay: str) -> Json:
    """Its refusal of one request too many."""
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    return refusal(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", retry)


def listed(names: Sequence[str]) -> Json:
    """The answer to ``GET /models``, with one that embeds and one that draws."""
    written = ["generateContent", "countTokens"]
    found = [_model(name, written) for name in (*names, "gemini-3.1-flash-image")]
    return {"models": [*found, _model("gemini-embedding-001", ["embedContent"])]}


def _model(name: str, methods: list[str]) -> Json:
    return {
        "name": f"models/{name}",
        "version": "001",
        "displayName": name.title(),
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": methods,
    }


def _parts(request: Json, model: str, wish: Wish) -> tuple[list[Json], str]:
    config = request.get("generationConfig", {})
    thinks = config.get("thinkingConfig", {}).get("includeThoughts")
    before: list[Json] = [{"text": "Let me see.", "thought": True}] if thinks else []
    calls = _calls(request, wish)
    if calls:
        calls[0]["thoughtSignature"] = SIGNATURE  # of calls made together the first one has it
        return [*before, {"text": "Looking."}, *calls], "STOP"
    said = words(wish.text if wish.text is not None else _said(request))
    limit = config.get("maxOutputTokens", len(said))
    text: Json = {"text": "".join(said[:limit])}
    if not model.startswith("gemini-2"):
        text["thoughtSignature"] = SIGNATURE
    return [*before, text], "STOP" if len(said) <= limit else "MAX_TOKENS"


def _calls(request: Json, wish: Wish) -> list[Json]:
    if wish.calls is not None:
        return [_call(name, at, given) for at, (name, given) in enumerate(wish.calls.items())]
    functions = [each for tool in request.get("tools", ()) for each in tool["functionDeclarations"]]
    config = request.get("toolConfig", {}).get("functionCallingConfig", {})
    answered = any("functionResponse" in part for part in request["contents"][-1]["parts"])
    if config.get("mode") == "NONE" or answered or not functions:
        return []
    names = config.get("allowedFunctionNames") or [each["name"] for each in functions]
    asked = [each for each in functions if each["name"] in names]
    wanted = [each for each in asked if each["name"] in _last_text(request)] or asked[:1]
    empty = {"type": "object"}
    return [
        _call(each["name"], at, sample(each.get("parametersJsonSchema", empty)))
        for at, each in enumerate(wanted)
    ]


def _call(name: str, at: int, given: object) -> Json:
    """Ids are a habit of the newest models only."""
    call: Json = {"name": name, "args": given}
    return {"functionCall": call if at else {"id": f"fc_{name}", **call}}


def _said(request: Json) -> str:
    config = request.get("generationConfig", {})
    if "responseJsonSchema" in config:
        return json.dumps(sample(config["responseJsonSchema"]))
    head, exactly, tail = _last_text(request).partition("Reply with exactly: ")
    said = tail if exactly else f"You said: {head}"
    return json.dumps({"text": said}) if "responseMimeType" in config else said


def _last_text(request: Json) -> str:
    return "".join(map(_text_of, request["contents"][-1]["parts"]))


def _text_of(part: Json) -> str:
    if "functionResponse" in part:
        return str(part["functionResponse"]["response"]["result"])
    return str(part.get("text", ""))


def _usage(request: Json, written: int, thought: int) -> Json:
    """Counts that are 0 are left out."""
    prompt = len(words(_last_text(request))) + 3
    counts = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": written,
        "thoughtsTokenCount": thought,
        "totalTokenCount": prompt + written + thought,
    }
    return {name: count for name, count in counts.items() if count}


def _pieces(part: Json) -> tuple[str, ...]:
    if "functionCall" in part:
        return words(json.dumps(part["functionCall"]["args"]))
    return words(part.get("text", ""))


def _candidate(place: int, parts: list[Json], reason: str, request: Json) -> Json:
    """A place of 0 is left out, as Google does."""
    said: Json = {"content": {"parts": parts, "role": "model"}, "finishReason": reason}
    said |= {"index": place} if place else {}
    if not request.get("generationConfig", {}).get("responseLogprobs"):
        return said
    tokens = [piece for part in parts for piece in words(part.get("text", ""))]
    return said | {"avgLogprobs": -0.25, "logprobsResult": _logprobs(tokens)}


def _logprobs(tokens: Sequence[str]) -> Json:
    chosen = [{"token": token, "tokenId": at + 1, "logProbability": -0.25} for at, token in enumerate(tokens)]
    return {"chosenCandidates": chosen, "topCandidates": [{"candidates": [each]} for each in chosen]}


def _events(
    request: Json, parts: list[Json], reason: str, counts: Json, about: Json, count: int
) -> Iterator[Chunk]:
    """A word an event, a call whole; counts grow, and the last event has them all."""
    pieces = [piece for part in parts for piece in _split(part)]
    written = 0
    for at, (piece, text, tokens) in enumerate(pieces):
        last = at == len(pieces) - 1
        written += 0 if piece.get("thought") else tokens * count
        for place in range(count):
            said = _candidate(place, [piece], reason, request)
            if not last:
                del said["finishReason"]
            ended = last and place == count - 1
            so_far = counts if ended else {**counts, "candidatesTokenCount": written}
            event = {"candidates": [said], "usageMetadata": so_far, **about}
            yield Chunk(event, text, tokens)


def _split(part: Json) -> Iterator[tuple[Json, str, int]]:
    if "functionCall" in part:
        yield part, "".join(_pieces(part)), len(_pieces(part))
        return
    thought: Any = {"thought": True} if part.get("thought") else {}
    for piece in _pieces(part):
        yield {"text": piece, **thought}, piece, 1
    if "thoughtSignature" in part:
        yield {"text": "", "thoughtSignature": part["thoughtSignature"]}, "", 0
