"""The arithmetic of one request as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from writingmate.cli import output

if TYPE_CHECKING:
    from writingmate.metering.receipts import Explanation, LimitThen


def show(explanation: Explanation) -> str:
    """Who and what, the count step by step, then flags and limits where there are any."""
    parts = [_about(explanation), _count(explanation)]
    if explanation.flags:
        parts.append("\n".join(f"{flag.name}: {flag.meaning}".rstrip(": ") for flag in explanation.flags))
    if explanation.limits:
        parts.append("\n".join(map(_limit, explanation.limits)))
    return "\n\n".join(parts)


def _about(it: Explanation) -> str:
    """Names to the left, what they are to the right."""
    rows = {
        "request": it.request_id,
        "workspace": it.workspace_id + (f", plan {it.plan}" if it.plan else ""),
        "user": it.user_id,
        "key": it.key_id,
        "endpoint": it.endpoint,
        "model asked for": it.model + (f", tier {it.tier}" if it.tier else ""),
        "served by": f"{it.provider}, {it.upstream_model}",
        "provider's id": it.upstream_request_id or "none",
        "counts on": it.day,
        "began": output.moment(it.started_at),
        "settled": f"{output.moment(it.settled_at)}, {it.settled_at - it.started_at:.3f} s later",
    }
    return "\n".join(f"{name:<18}{value}" for name, value in rows.items())


def _count(it: Explanation) -> str:
    per = it.tokens_per_message
    failed = any(flag.name == "failed" for flag in it.flags)
    rounded = "nothing usable came of it" if failed else f"max(1, ceil({it.total_tokens:,} / {per:,}))"
    rows: list[tuple[str, int, str]] = [
        ("prompt tokens", it.prompt_tokens, f"{it.cached_tokens:,} of them cached"),
        ("cached discount", it.cached_discount, f"floor({it.cached_tokens:,} * 0.5)"),
        ("effective input", it.effective_input, f"max(0, {it.prompt_tokens:,} - {it.cached_discount:,})"),
        ("completion tokens", it.completion_tokens, f"{it.reasoning_tokens:,} of them reasoning"),
        ("total", it.total_tokens, f"{it.effective_input:,} + {it.completion_tokens:,}"),
        ("messages", it.messages, rounded),
        ("held", it.held_messages, "messages, before the provider was called"),
    ]
    return "\n".join(f"{name:<18}{figure:>15,}  {how}" for name, figure, how in rows)


def _limit(limit: LimitThen) -> str:
    name = f"limit on {limit.meter} of {limit.subject} in {limit.period}"
    if limit.allowed is None:
        return name
    left = "" if limit.left is None else f", {limit.left:,} left after it"
    return f"{name}: {limit.allowed:,} allowed{left}"
