"""What an answer took: its provider's word as far as there is one, else our own count of what was seen."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from writingmate.dialects.exchange import Exchange
from writingmate.metering import tokens
from writingmate.metering.hold import Hold
from writingmate.types import Usage


async def observe(exchange: Exchange, hold: Hold) -> None:
    """Tell the hold what was used. Should a count be cancelled, a rough one stands: four bytes a token."""
    usage = exchange.usage
    if usage is not None:
        hold.observe(usage)
    elif (so_far := exchange.usage_so_far) is not None:
        hold.observe(so_far, estimated=True)
    elif (begun := exchange.begun) is not None:
        await _count_answer(begun, exchange.observed_text(), hold)
    else:
        await _count(*exchange.unreported(), hold)


async def _count_answer(begun: Usage, answer: str, hold: Hold) -> None:
    """Of the prompt the provider has told; what it wrote before it broke off it has not."""
    hold.observe(replace(begun, completion_tokens=len(answer) // 4), estimated=True)
    wrote = max(begun.completion_tokens, await asyncio.to_thread(tokens.count, answer))
    hold.observe(replace(begun, completion_tokens=wrote), estimated=True)


async def _count(reported: Usage, prompt: str, answer: str, hold: Hold) -> None:
    hold.observe(reported + Usage(len(prompt) // 4, len(answer) // 4), estimated=True)
    counted = await asyncio.to_thread(lambda: Usage(tokens.count(prompt), tokens.count(answer)))
    hold.observe(reported + counted, estimated=True)
