"""The formula of the product, in integers (PRODUCT §4)."""

from __future__ import annotations

from typing import Final

from writingmate.types import Usage

MESSAGE_TOKENS: Final = 16_000


def messages_of(tokens: int) -> int:
    """One message per started 16,000 tokens, at least one."""
    return -(-tokens // MESSAGE_TOKENS) if tokens > 0 else 1


def effective_input(usage: Usage) -> int:
    """Prompt tokens after the discount: cached ones count half, rounded down in the user's favour."""
    return max(0, usage.prompt_tokens - usage.cached_tokens // 2)


def counted_messages(usage: Usage) -> int:
    """Messages charged for ``usage``. Reasoning tokens are completion tokens already."""
    return messages_of(effective_input(usage) + usage.completion_tokens)
