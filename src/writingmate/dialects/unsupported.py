"""Refusing by name what a provider's dialect has no words for."""

from __future__ import annotations

from writingmate.errors import UnsupportedParameter


def unsupported(param: str, when: str = "", *, advice: str = "Leave it out.") -> UnsupportedParameter:
    """The refusal of ``param``, or only of some values of it: ``when`` says which."""
    what = f"'{param}' {when}".rstrip()
    return UnsupportedParameter(
        f"Unsupported parameter: {what} is not supported with this model, whose provider does not speak "
        f"chat completions. {advice}",
        param=param,
    )
