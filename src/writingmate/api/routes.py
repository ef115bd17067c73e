"""The whole URL table.

Paths are matched as they were sent, percent-encoding and all; only a model's id is decoded, so that
``google/gemini-2.5-flash`` and ``google%2Fgemini-2.5-flash`` are the same model (WIRE §1.2).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias
from urllib.parse import unquote

from writingmate.api.connection import Connection
from writingmate.api.docs import Docs
from writingmate.api.endpoints import Endpoints
from writingmate.api.invitations import InvitationEndpoints
from writingmate.api.openapi import Description
from writingmate.api.probes import Probes
from writingmate.api.responder import Responder

API: Final = b"/api/openai/v1"
MODELS: Final = API + b"/models/"
ANTHROPIC: Final = b"/api/anthropic"
"""Anthropic's dialect: what its clients take for the address of its API, without the version."""
ANTHROPIC_MODELS: Final = ANTHROPIC + b"/v1/models/"
USAGE: Final = API + b"/usage/"
RESPONSES: Final = API + b"/responses/"
INVITATIONS: Final = b"/invitations/"

Endpoint: TypeAlias = Callable[[Connection, Responder], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Route:
    """One path: its name in logs and metrics, and an endpoint for each method.

    ``public`` routes may be called from web pages of any origin. ``quiet`` ones are left out of the log.
    ``shown`` stands for the path where an error names it and the path itself holds a secret.
    """

    name: str
    methods: Mapping[str, Endpoint]
    public: bool = True
    quiet: bool = False
    shown: str | None = None

    def allowed(self) -> str:
        """The value of ``allow``."""
        return ", ".join([*self.methods, "OPTIONS"] if self.public else self.methods)


class Routes:
    """Finds the route of a path."""

    def __init__(
        self,
        endpoints: Endpoints,
        invitations: InvitationEndpoints,
        description: Description,
        docs: Docs,
        probes: Probes,
    ) -> None:
        self._model = endpoints.model
        self._anthropic_model = endpoints.anthropic_model
        self._receipt = endpoints.receipt
        self._response = endpoints.response
        self._cancel = endpoints.cancel
        self._delete = endpoints.delete
        self._items = endpoints.input_items
        self._invitations = invitations
        self._table: dict[bytes, Route] = {
            API + b"/chat/completions": _write("chat.completions", endpoints.chat),
            API + b"/completions": _write("completions", endpoints.completions),
            API + b"/responses": _write("responses", endpoints.responses),
            API + b"/models": _read("models", endpoints.models),
            API + b"/usage": _read("usage", endpoints.usage),
            API + b"/estimate/chat/completions": _write("estimate", partial(endpoints.estimate, "chat")),
            API + b"/estimate/completions": _write("estimate", partial(endpoints.estimate, "completions")),
            API + b"/estimate/responses": _write("estimate", partial(endpoints.estimate, "responses")),
            ANTHROPIC + b"/v1/messages": _write("messages", endpoints.messages),
            ANTHROPIC + b"/v1/messages/count_tokens": _write("messages.count_tokens", endpoints.count_tokens),
            ANTHROPIC + b"/v1/models": _read("anthropic.models", endpoints.anthropic_models),
            **{
                ANTHROPIC + path: _own("anthropic.hello", probes.health)
                for path in (b"", b"/", b"/api/hello")
            },
            API + b"/openapi.yaml": _read("openapi", description.yaml),
            API + b"/openapi.json": _read("openapi", description.json),
            API + b"/docs": _read("docs", docs.page),
            **{API + b"/docs/" + name: _read("docs", docs.file(name)) for name in docs.names},
            b"/healthz": _own("healthz", probes.health),
            b"/readyz": _own("readyz", probes.readiness),
            b"/metrics": _own("metrics", probes.metrics),
        }

    def find(self, path: bytes) -> Route | None:
        """The route of a path as it was sent; None where there is none."""
        route = self._table.get(path)
        if route is None and path.startswith(MODELS) and len(path) > len(MODELS):
            slug = unquote(path[len(MODELS) :])
            return _read("models.one", partial(self._model, slug))
        if route is None and path.startswith(ANTHROPIC_MODELS) and len(path) > len(ANTHROPIC_MODELS):
            name = unquote(path[len(ANTHROPIC_MODELS) :])
            return _read("anthropic.models.one", partial(self._anthropic_model, name))
        if route is None and path.startswith(USAGE) and len(path) > len(USAGE):
            return _read("usage.one", partial(self._receipt, unquote(path[len(USAGE) :])))
        if route is None and path.startswith(RESPONSES) and len(path) > len(RESPONSES):
            return self._of_response(path[len(RESPONSES) :])
        if route is None and path.startswith(INVITATIONS) and len(path) > len(INVITATIONS):
            return self._invitation(path[len(INVITATIONS) :].decode("latin-1"))
        return route

    def _of_response(self, rest: bytes) -> Route | None:
        name, slash, what = rest.partition(b"/")
        identity = unquote(name)
        if not slash:
            show = partial(self._response, identity)
            methods = {"GET": show, "HEAD": show, "DELETE": partial(self._delete, identity)}
            return Route("responses.one", methods)
        if what == b"cancel":
            return _write("responses.cancel", partial(self._cancel, identity))
        if what == b"input_items":
            return _read("responses.items", partial(self._items, identity))
        return None

    def _invitation(self, secret: str) -> Route:
        show = partial(self._invitations.show, secret)
        methods = {"GET": show, "HEAD": show, "POST": partial(self._invitations.accept, secret)}
        return Route("invitations", methods, public=False, shown=f"{INVITATIONS.decode()}…")


def _write(name: str, endpoint: Endpoint) -> Route:
    return Route(name, {"POST": endpoint})


def _read(name: str, endpoint: Endpoint) -> Route:
    return Route(name, {"GET": endpoint, "HEAD": endpoint})


def _own(name: str, endpoint: Endpoint) -> Route:
    return Route(name, {"GET": endpoint, "HEAD": endpoint}, public=False, quiet=True)
