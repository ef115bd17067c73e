"""What a provider's list says of a model."""

from __future__ import annotations

from dataclasses import dataclass

from writingmate.settings import ModelSection


@dataclass(frozen=True, slots=True)
class Listed(ModelSection):
    """One entry, as it is kept.

    ``parameters`` are the names of OpenAI's fields that the model honours, None if the list does not say.
    ``expires`` is the day after which the provider may remove it, like ``2026-12-31``.
    """

    parameters: tuple[str, ...] | None = None
    expires: str | None = None
