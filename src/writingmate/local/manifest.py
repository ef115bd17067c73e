"""Which embedded models there are: ``manifest.toml``, checked and typed."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Annotated

import msgspec
from msgspec import Meta

_Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
_Pin = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.]* --hash=sha256:[0-9a-f]{64}$")]


class LocalModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One embedded model. ``size`` in bytes; ``context``, of one answer, and ``max_output`` in tokens.

    ``official`` is the address of the file in its makers' repository; ``wheels`` are pip requirements
    with hashes; ``slots`` is how many answers are written at a time; ``system`` is what it is told when
    a conversation has no system message; ``stand_in`` is the id of the model that serves when this
    one cannot be had.
    """

    id: Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9.-]*$")]
    name: str
    created: int
    license: str
    file: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.gguf$")]
    size: Annotated[int, Meta(gt=0)]
    sha256: _Digest
    official: str
    wheels: tuple[_Pin, ...]
    context: Annotated[int, Meta(gt=0)]
    slots: Annotated[int, Meta(ge=1, le=16)]
    max_output: Annotated[int, Meta(gt=0)]
    system: str
    temperature: Annotated[float, Meta(ge=0, le=2)]
    stand_in: str | None = None

    @property
    def slug(self) -> str:
        """What callers name it: ``local/ID``."""
        return f"local/{self.id}"


class _Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    models: Annotated[tuple[LocalModel, ...], Meta(min_length=1)]


@cache
def manifest() -> tuple[LocalModel, ...]:
    """The shipped models; the first is the default."""
    return parse(resources.files(__package__).joinpath("manifest.toml").read_text(encoding="utf-8"))


def parse(text: str) -> tuple[LocalModel, ...]:
    """Read a manifest. Raises ValueError if it is not one."""
    models = msgspec.convert(tomllib.loads(text), _Manifest).models
    ids = [model.id for model in models]
    if len(set(ids)) != len(ids):
        raise ValueError("two models have one id")
    if unknown := {model.stand_in for model in models} - {None, *ids}:
        raise ValueError(f"no model stands behind {unknown}")
    return models


def named(name: str) -> LocalModel | None:
    """The model of an id or slug."""
    return next((model for model in manifest() if name in {model.id, model.slug}), None)
