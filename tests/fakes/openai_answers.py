"""The documents in which OpenAI answers: whole replies, stream chunks, lists, errors. No sockets.

Every key that OpenAI always sends is there (WIRE §2.1, §4, §5.2, §5.3, §6). A chat prompt costs
its words and `TOKENS_PER_MESSAGE` for each message, a completions prompt its words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tests.fakes.openai_choices import (
    Choice,
    Json,
    Wish,
    arguments,
    chat_choice,
    completion_choice,
    text_of,
    words,
)

CREATED = 1_700_000_000
TOKENS_PER_MESSAGE = 3


@dataclass(frozen=True, slots=True)
class Chunk:
    """One stream event's document; ``text`` and ``tokens`` are what the model says in it."""

    document: Json
    text: str = ""
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """One request answered both ways, with the usage and the words of it."""

    whole: Json
    chunks: tuple[Chunk, ...]
    usage: Json
    text: str


def chat(request: Json, request_id: str, wish: Wish) -> Answer:
    """The answer to ``POST /chat/completions``."""
    choices = [chat_choice(request, wish)] * int(request.get("n") or 1)
    texts = [text_of(message.get("content")) for message in request["messages"]]
    usage = _usage(sum(len(words(text)) + TOKENS_PER_MESSAGE for text in texts), choices, wish)
    base = {"id": f"chatcmpl-{request_id}", "created": CREATED, "model": request["model"]}
    base |= {"service_tier": "default", "system_fingerprint": "fp_0123456789"}
    logprobs = bool(request.get("logprobs"))
    rows = [_chat_row(index, choice, logprobs=logprobs) for index, choice in enumerate(choices)]
    whole = base | {"object": "chat.completion", "choices": rows, "usage": usage}
    deltas = _turns(choices, logprobs=logprobs)
    chunks = _chunks(base | {"object": "chat.completion.chunk"}, deltas, request, usage)
    return Answer(whole, chunks, usage, "".join(choice.text for choice in choices))


def completion(request: Json, request_id: str, wish: Wish) -> Answer:
    """The answer to ``POST /completions``: ``n`` choices for each prompt, prompt by prompt."""
    prompts = [request["prompt"]] if isinstance(request["prompt"], str) else request["prompt"]
    times = range(int(request.get("n") or 1))
    choices = [completion_choice(request, prompt, wish) for prompt in prompts for _ in times]
    usage = _usage(sum(len(words(prompt)) for prompt in prompts), choices, wish)
    base = {"id": f"cmpl-{request_id}", "object": "text_completion", "created": CREATED}
    base |= {"model": request["model"]}
    rows = [_completion_row(index, choice.text, choice.finish_reason) for index, choice in enumerate(choices)]
    chunks = _chunks(base, _completion_pieces(choices), request, usage)
    whole = base | {"choices": rows, "usage": usage}
    return Answer(whole, chunks, usage, "".join(choice.text for choice in choices))


def model(name: str) -> Json:
    """The answer to ``GET /models/{name}``."""
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "openai"}


def models(names: Sequence[str]) -> Json:
    """The answer to ``GET /models``."""
    return {"object": "list", "data": [model(name) for name in names]}


def refusal(
    message: str, *, type_: str = "invalid_request_error", param: str | None = None, code: str | None = None
) -> Json:
    """OpenAI's error envelope, all four keys."""
    return {"error": {"message": message, "type": type_, "param": param, "code": code}}


def _chunks(
    head: Json, deltas: Iterable[tuple[Json, str, int]], request: Json, usage: Json
) -> tuple[Chunk, ...]:
    asked = bool((request.get("stream_options") or {}).get("include_usage"))
    extra: Json = {"usage": None} if asked else {}
    chunks = [Chunk(head | {"choices": [row]} | extra, text, tokens) for row, text, tokens in deltas]
    if asked:
        chunks.append(Chunk(head | {"choices": [], "usage": usage}))
    return tuple(chunks)


def _usage(prompt: int, choices: Sequence[Choice], wish: Wish) -> Json:
    produced = sum(choice.tokens for choice in choices)
    reasoning = sum(len(choice.reasoning) for choice in choices)
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": produced,
        "total_tokens": prompt + produced,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
    return usage | wish.usage


def _chat_row(index: int, choice: Choice, *, logprobs: bool) -> Json:
    message: Json = {"role": "assistant", "content": choice.text, "refusal": None, "annotations": []}
    if choice.reasoning:
        message["reasoning_content"] = "".join(choice.reasoning)
    if choice.calls:
        message |= {"content": None, "tool_calls": list(choice.calls)}
    row = {"index": index, "message": message, "finish_reason": choice.finish_reason}
    return row | {"logprobs": _chances(choice.pieces) if logprobs else None}


def _chances(pieces: Iterable[str]) -> Json:
    chances = [
        {"token": piece, "logprob": -0.25, "bytes": list(piece.encode()), "top_logprobs": []}
        for piece in pieces
    ]
    return {"content": chances, "refusal": None}


def _turns(choices: Sequence[Choice], *, logprobs: bool) -> Iterator[tuple[Json, str, int]]:
    """Role, content and finish events; those of several choices take turns."""
    for index, choice in enumerate(choices):
        role = {"role": "assistant", "content": None if choice.calls else "", "refusal": None}
        yield _chat_delta(index, role), "", 0
    streams = [list(_chat_pieces(choice)) for choice in choices]
    for turn in range(max(len(stream) for stream in streams)):
        for index, stream in enumerate(streams):
            if turn < len(stream):
                delta, text, tokens = stream[turn]
                chances = _chances([text]) if logprobs and text else None
                yield _chat_delta(index, delta) | {"logprobs": chances}, text, tokens
    for index, choice in enumerate(choices):
        yield _chat_delta(index, {}, choice.finish_reason), "", 0


def _chat_pieces(choice: Choice) -> Iterator[tuple[Json, str, int]]:
    for piece in choice.reasoning:
        yield {"reasoning_content": piece}, piece, 1
    for piece in choice.pieces:
        yield {"content": piece}, piece, 1
    for index, call in enumerate(choice.calls):
        kind = call["type"]
        member = "arguments" if kind == "function" else "input"
        yield {"tool_calls": [{"index": index, **call, kind: call[kind] | {member: ""}}]}, "", 0
        for piece in words(arguments(call)):
            yield {"tool_calls": [{"index": index, kind: {member: piece}}]}, piece, 1


def _chat_delta(index: int, delta: Json, finish_reason: str | None = None) -> Json:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def _completion_pieces(choices: Sequence[Choice]) -> Iterator[tuple[Json, str, int]]:
    """The echo without a token, then the words; the last event of a choice says how it ended."""
    for index, choice in enumerate(choices):
        if choice.echo:
            yield _completion_row(index, choice.echo, None), choice.echo, 0
        for piece in choice.pieces[:-1]:
            yield _completion_row(index, piece, None), piece, 1
        last = "".join(choice.pieces[-1:])
        yield _completion_row(index, last, choice.finish_reason), last, len(choice.pieces[-1:])


def _completion_row(index: int, text: str, finish_reason: str | None) -> Json:
    return {"text": text, "index": index, "logprobs": None, "finish_reason": finish_reason}
