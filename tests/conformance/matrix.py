"""Runs every trial for every provider, and says of each how it was served."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import anthropic
import openai
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from tests.conformance.endpoints import ENDPOINTS, FEATURES, Endpoint
from tests.conformance.stage import Stage, spoken, stage
from tests.conformance.trials import PICTURE, Run

NATIVE, TRANSLATED, NOT_OFFERED = "native", "translated", "-"
_NAMED = re.compile(r"'([^']+)'")
_REFUSALS = ("unsupported_parameter", "unsupported_value")
_EFFORTS = (b'"reasoning_effort":"low"', b'"effort":"low"', b'"thinking":{', b'"thinkingBudget":')


@dataclass(frozen=True)
class Cell:
    """What came of one trial, plain and streamed."""

    endpoint: str
    provider: str
    feature: str
    plain: str
    streamed: str

    def __str__(self) -> str:
        return self.plain if self.plain == self.streamed else f"{self.plain} / {self.streamed}"


async def cells() -> list[Cell]:
    """All of them, each run for real. Raises AssertionError where an answer is wrong."""
    async with stage() as built, _openai(built) as client, _anthropic(built) as other:
        return [
            Cell(
                endpoint.path,
                provider,
                feature,
                await _outcome(built, (client, other), endpoint, provider, feature, stream=False),
                await _outcome(built, (client, other), endpoint, provider, feature, stream=True),
            )
            for endpoint, provider, feature in _places(built)
        ]


def _places(built: Stage) -> Iterator[tuple[Endpoint, str, str]]:
    for endpoint in ENDPOINTS:
        for provider in built.models:
            for feature in FEATURES:
                yield endpoint, provider, feature


def _anthropic(built: Stage) -> AsyncAnthropic:
    return AsyncAnthropic(
        base_url=f"{built.live.url}/api/anthropic", api_key=built.live.key, max_retries=0,
        _strict_response_validation=True,
    )  # fmt: skip


def _openai(built: Stage) -> AsyncOpenAI:
    return AsyncOpenAI(
        base_url=built.live.api, api_key=built.live.key, max_retries=0, _strict_response_validation=True
    )


async def _outcome(
    built: Stage,
    clients: tuple[AsyncOpenAI, AsyncAnthropic],
    endpoint: Endpoint,
    provider: str,
    feature: str,
    *,
    stream: bool,
) -> str:
    trial = endpoint.trials.get(feature)
    if trial is None:
        return NOT_OFFERED
    built.forget()
    if feature == "reasoning":
        built.think()
    where = f"{endpoint.path} by {provider}: {feature}{', streamed' if stream else ''}"
    try:
        await trial(Run(*clients, built.models[provider], stream))
    except openai.BadRequestError as refusal:
        if refusal.code not in _REFUSALS or built.calls:
            refusal.add_note(where)
            raise
        return f"refused: `{refusal.param}`"
    except anthropic.BadRequestError as refusal:
        said = str(refusal.body)
        if isinstance(refusal.body, dict):
            said = refusal.body["error"]["message"]  # which has no place of its own for the field
        named = _NAMED.search(said)
        if named is None or "nsupported" not in said or built.calls:
            refusal.add_note(where)
            raise
        return f"refused: `{named[1]}`"
    except Exception as error:
        error.add_note(where)
        raise
    _look(built, feature, where)
    (dialect,) = {spoken(call) for call in built.calls}
    return NATIVE if dialect == endpoint.dialect else TRANSLATED


def _look(built: Stage, feature: str, where: str) -> None:
    """At what the provider got: a picture and an effort must have arrived."""
    body = built.calls[-1].body.replace(b": ", b":")
    if feature == "vision":
        assert PICTURE.encode() in body, where
    if feature == "reasoning":
        assert any(effort in body for effort in _EFFORTS), where
