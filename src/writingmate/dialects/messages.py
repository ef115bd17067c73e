"""Anthropic's Messages for clients that chat: a spoke of the star (WIRE §10.1).

What changes an answer is translated or refused by name, what only helps a provider of OpenAI's (where
an answer is stored, how a prompt is cached, who is served first) is left out. Every field of chat's
grammar is in one of the tables below, and so is what Anthropic has beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from writingmate.dialects import faults, messages_models, messages_reply, messages_tools
from writingmate.dialects.chat import GRAMMAR
from writingmate.dialects.chat_completion import ChatAnswer
from writingmate.dialects.grammar import given
from writingmate.dialects.messages_conversation import Conversation
from writingmate.dialects.messages_models import Family
from writingmate.dialects.messages_stream import MessagesStream
from writingmate.dialects.unsupported import unsupported
from writingmate.types import DialectName
from writingmate.wire import document
from writingmate.wire.document import Document

#: Fields that mean the same on both sides; the last two are Anthropic's own.
CARRIED = ("model", "stream", "top_k", "thinking")

TRANSLATED = frozenset((
    "max_completion_tokens", "max_tokens", "messages", "parallel_tool_calls", "reasoning_effort",
    "response_format", "safety_identifier", "service_tier", "stop", "temperature", "tool_choice", "tools",
    "top_p", "user",
))  # fmt: skip

#: Fields without which the answer is the same, or that have had their effect before it.
IGNORED = frozenset((
    "metadata", "prediction", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "store",
    "stream_options",
))  # fmt: skip

#: Fields that may only say what is so anyway; everything else is refused.
NEUTRAL: Mapping[str, object] = {
    "frequency_penalty": 0,
    "logit_bias": {},
    "logprobs": False,
    "modalities": ["text"],
    "n": 1,
    "presence_penalty": 0,
    "verbosity": "medium",
}
_TIERS = ("auto", "standard_only")


class MessagesSpoke:
    """One request and its answer.

    Args:
        slug: what the client calls the model.
        request_id: ids of ours are made from it.
        cap: tokens that the model writes at most, for those who set no limit: Anthropic needs one.
        created: UNIX seconds that the answer says it was made at, which Anthropic does not; None for now.
    """

    dialect: DialectName = "messages"

    def __init__(self, *, slug: str, request_id: str, cap: int, created: int | None = None) -> None:
        self._cap = cap
        self._answer = ChatAnswer(reply_id=f"chatcmpl-{request_id}", model=slug, created=created)

    def request(self, chat: Document) -> Document:
        """The same request in Anthropic's words. Raises UnsupportedParameter: refused by name.

        And InvalidRequest, if a field has no shape: one of another endpoint's may come unchecked.
        """
        GRAMMAR.check(chat)
        given_fields = [name for name in chat if name not in IGNORED and given(chat, name)]
        asked = {name: document.value(chat[name]) for name in given_fields}
        _refuse(asked)
        said = {name: asked[name] for name in CARRIED if name in asked}
        said |= _translated(asked, messages_models.family(asked["model"]), self._cap)
        return {name: document.raw(value) for name, value in said.items()}

    def place(self, _model: str, *, streaming: bool) -> str:  # noqa: ARG002  # both are in the body
        """Nothing: the path says it all."""
        return ""

    def reply(self, body: bytes) -> bytes:
        """A chat completion. Raises UpstreamBroken if the body is no message of Anthropic's."""
        return messages_reply.reply(body, self._answer)

    def stream(self, *, reports: bool = False) -> MessagesStream:
        """The state of one stream."""
        return MessagesStream(self._answer.reporting() if reports else self._answer)


def _refuse(asked: dict[str, Any]) -> None:
    for name, value in asked.items():
        if name in NEUTRAL:
            if value != NEUTRAL[name]:
                raise unsupported(name, f"other than {_json(NEUTRAL[name])}")
        elif name not in CARRIED and name not in TRANSLATED:
            raise unsupported(name)


def _json(value: object) -> str:
    return bytes(document.raw(value)).decode()


def _translated(asked: dict[str, Any], family: Family, cap: int) -> dict[str, Any]:
    conversation = Conversation(asked["messages"])
    most = asked.get("max_completion_tokens", asked.get("max_tokens", cap))
    said: dict[str, Any] = {"max_tokens": most, "messages": conversation.turns}
    if conversation.system:
        said["system"] = conversation.system
    said |= _tools(asked, family)
    forced = messages_tools.is_forced(said.get("tool_choice"))
    thinking = _thinking(asked, family, conversation, forced=forced, most=most)
    output = _output(asked) | thinking.pop("output_config", {})
    said |= thinking | _sampling(asked, family, thinking) | _about(asked)
    return said | {"output_config": output} if output else said


def _tools(asked: dict[str, Any], family: Family) -> dict[str, Any]:
    if "tools" not in asked:
        return {}
    choice = asked.get("tool_choice")
    said: dict[str, Any] = {"tools": messages_tools.tools(asked["tools"], choice)}
    chosen = messages_tools.tool_choice(choice, parallel=asked.get("parallel_tool_calls", True))
    if messages_tools.is_forced(chosen) and not family.forces:
        raise unsupported("tool_choice", "that forces a call", advice="Send 'auto' and ask for it in words.")
    return said if chosen is None else said | {"tool_choice": chosen}


def _thinking(
    asked: dict[str, Any], family: Family, conversation: Conversation, *, forced: bool, most: int
) -> dict[str, Any]:
    native = asked.get("thinking", {})
    if not isinstance(native, dict):
        raise faults.invalid_type("thinking", "an object", native)
    effort = asked.get("reasoning_effort", "default")
    if "thinking" in asked or (effort == "default" and not (forced and family.off)):
        return {}
    if effort in ("none", "default"):
        if family.off is None:
            raise unsupported("reasoning_effort", "of 'none'", advice="Send 'minimal'.")
        return {"thinking": family.off} if family.off else {}
    if forced:
        raise unsupported("tool_choice", "that forces a call, together with 'reasoning_effort',")
    if family.budgets is None:
        return {
            "thinking": messages_models.ADAPTIVE,
            "output_config": {"effort": family.efforts[effort]},
        }
    if conversation.resumes_unthought():
        return {}
    return {"thinking": {"type": "enabled", "budget_tokens": _budget(family.budgets[effort], most)}}


def _budget(wanted: int, most: int) -> int:
    """Tokens for thinking: at most half of those for all, unless they are few."""
    if most <= messages_models.LEAST_BUDGET:
        raise unsupported(
            "reasoning_effort",
            f"with at most {most} tokens",
            advice=f"Set max_completion_tokens above {messages_models.LEAST_BUDGET}.",
        )
    return max(messages_models.LEAST_BUDGET, min(wanted, most // 2))


def _sampling(asked: dict[str, Any], family: Family, thinking: dict[str, Any]) -> dict[str, Any]:
    """Temperature and top_p where they are not 1, which is how Anthropic samples unless told."""
    wanted = {name: min(1, asked[name]) for name in ("temperature", "top_p") if asked.get(name, 1) < 1}
    name = next(iter(wanted), "")
    if wanted and not family.samples:
        raise unsupported(name, "other than 1")
    thinks = thinking.get("thinking", asked.get("thinking", {})).get("type") in ("enabled", "adaptive")
    if wanted and thinks:
        raise unsupported(name, "other than 1, together with reasoning,")
    if len(wanted) > 1:
        raise unsupported("top_p", "together with 'temperature'", advice="Send one of them.")
    return wanted


def _output(asked: dict[str, Any]) -> dict[str, Any]:
    form = asked.get("response_format", {"type": "text"})
    if form["type"] == "text":
        return {}
    if form["type"] != "json_schema":
        advice = "Send a json_schema."
        raise unsupported("response_format", f"of '{faults.shown(form['type'])}'", advice=advice)
    described = form.get("json_schema")
    schema = described.get("schema") if isinstance(described, dict) else None
    if not isinstance(described, dict) or not isinstance(schema, dict):
        raise faults.missing("response_format.json_schema.schema")
    if described.get("description"):
        schema = {"description": described["description"], **schema}
    return {"format": {"type": "json_schema", "schema": schema}}


def _about(asked: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    user = asked.get("user") or asked.get("safety_identifier")
    if user:
        said["metadata"] = {"user_id": user}
    if asked.get("service_tier") in _TIERS:
        said["service_tier"] = asked["service_tier"]
    stops = asked.get("stop", [])
    stops = [stops] if isinstance(stops, str) else stops
    if any(not stop.strip() for stop in stops):
        raise unsupported("stop", "of nothing but spaces")
    return said | {"stop_sequences": stops} if stops else said
