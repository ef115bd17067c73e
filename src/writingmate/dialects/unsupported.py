"""Refusing by name what a provider's dialect has no words for."""

from __future__ import annotations

from writingmate.errors import UnsupportedParameter


def unsupported(
    param: str, when: str = "", *, advice: str = "Leave it out.", speaks: str = "chat completions"
) -> UnsupportedParameter:
    """The refusal of ``param``, or only of some values of it: ``when`` says which.

    ``speaks`` is the dialect that has words for it, which the provider does not know.
    """
    what = f"'{param}' {when}".rstrip()
    return UnsupportedParameter(
        f"Unsupported parameter: {what} is not supported with this model, whose provider does not speak "
        f"{speaks}. {advice}",
        param=param,
    )


def beyond_chat(param: str, when: str = "", *, advice: str = "Leave it out.") -> UnsupportedParameter:
    """The refusal of something of Anthropic's where the provider only chats."""
    return unsupported(param, when, advice=advice, speaks="Anthropic's Messages")
