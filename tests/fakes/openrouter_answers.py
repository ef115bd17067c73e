"""The documents in which OpenRouter answers, made of OpenAI's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.fakes.openai_answers import CREATED, Answer, Chunk
from tests.fakes.openai_choices import Json

PROVIDER = "Google AI Studio"
NATIVE = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP"}


def routed(answer: Answer) -> Answer:
    """An answer of chat completions as OpenRouter gives it, whole and streamed."""
    usage = answer.usage | {
        "cost": 0.0034,
        "is_byok": False,
        "cost_details": {
            "upstream_inference_cost": None,
            "upstream_inference_prompt_cost": 0.001,
            "upstream_inference_completions_cost": 0.0024,
        },
    }
    whole = _headed(answer.whole) | {"usage": usage}
    whole["choices"] = [_choice(choice, "message") for choice in whole["choices"]]
    chunks = [_chunk(chunk) for chunk in answer.chunks if chunk.document["choices"]]
    last = chunks[-1].document
    dummy = _choice({"index": 0, "delta": {"content": ""}, "finish_reason": None}, "delta")
    chunks.append(Chunk({**last, "choices": [dummy], "usage": usage}))
    return replace(answer, whole=whole, chunks=tuple(chunks), usage=usage)


def error(code: int, message: str, **metadata: Any) -> Json:
    """OpenRouter's envelope."""
    about = {"metadata": metadata} if metadata else {}
    return {"error": {"code": code, "message": message, **about}, "user_id": "user_2dHFtVWx2n56w6HkM"}


def interrupted(partial: str, said: Json) -> Json:
    """A whole answer whose model was cut off in the middle."""
    message = {"role": "assistant", "content": partial, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "error", "error": said}
    return _headed({"object": "chat.completion", "model": "google/gemini-2.5-flash"}) | {
        "system_fingerprint": None,
        "choices": [choice],
    }


def last_chunk(said: Json) -> Json:
    """The event that ends a stream that failed."""
    choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "error", "native_finish_reason": None}
    head = _headed({"object": "chat.completion.chunk", "model": "google/gemini-2.5-flash"})
    return head | {"error": said, "choices": [choice]}


def listing(slug: str, **members: Any) -> Json:
    """A model in the list; ``members`` replace those of its own."""
    return {
        "id": slug,
        "canonical_slug": f"{slug}-20250617",
        "hugging_face_id": None,
        "name": slug.partition("/")[2],
        "created": 1_750_172_488,
        "description": "A model.",
        "context_length": 1_048_576,
        "architecture": {
            "modality": "text+image->text",
            "input_modalities": ["text", "image"],
            "output_modalities": ["text"],
            "tokenizer": "Gemini",
            "instruct_type": None,
        },
        "pricing": {"prompt": "0.0000003", "completion": "0.0000025", "request": "0", "image": "0.001238"},
        "top_provider": {
            "context_length": 1_048_576,
            "max_completion_tokens": 65_535,
            "is_moderated": False,
        },
        "per_request_limits": None,
        "supported_parameters": [
            "include_reasoning", "max_tokens", "reasoning", "response_format", "seed", "stop",
            "structured_outputs", "temperature", "tool_choice", "tools", "top_p",
        ],
        "default_parameters": {"temperature": None, "top_p": None, "frequency_penalty": None},
        "supported_voices": None,
        "knowledge_cutoff": None,
        "expiration_date": None,
        "links": {"details": f"/api/v1/models/{slug}-20250617/endpoints"},
    } | members  # fmt: skip


def _chunk(chunk: Chunk) -> Chunk:
    document = _headed(chunk.document)
    document.pop("usage", None)  # null, which OpenRouter does not send
    document["choices"] = [_choice(choice, "delta") for choice in document["choices"]]
    return replace(chunk, document=document)


def _headed(document: Json) -> Json:
    said = {name: value for name, value in document.items() if name not in {"id", "service_tier", "created"}}
    return {"id": "gen-1764967976-x", "provider": PROVIDER, "created": CREATED, **said}


def _choice(choice: Json, member: str) -> Json:
    said = {"role": "assistant", **choice[member]}
    if thought := said.pop("reasoning_content", None):
        detail = {"type": "reasoning.text", "text": thought, "format": "google-gemini-v1", "index": 0}
        said |= {"reasoning": thought, "reasoning_details": [detail]}
    reason = choice["finish_reason"]
    return {"logprobs": None, **choice, member: said, "native_finish_reason": NATIVE.get(reason)}
