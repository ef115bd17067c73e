"""A gateway with every provider that ships, each of them a fake which knows what its row says of it."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from tests.fakes import manners, openai_judge
from tests.fakes.anthropic_upstream import FakeAnthropic
from tests.fakes.gemini_upstream import FakeGemini
from tests.fakes.http_connection import ServedConnection
from tests.fakes.openai_answers import chat, refusal
from tests.fakes.openai_choices import Json, Wish
from tests.fakes.openai_response import Response
from tests.fakes.openai_script import Fault, RecordedCall
from tests.fakes.openai_upstream import FakeOpenAI
from tests.live import Live, serving, settings_for
from writingmate import app
from writingmate.local import rows as local_rows
from writingmate.local.manifest import LocalModel, manifest
from writingmate.local.runtime import Endpoint
from writingmate.local.upstream import LocalUpstream
from writingmate.local.weights import Weights
from writingmate.providers.rows import PATHS, ROWS, Row
from writingmate.settings import ProviderSection, Settings
from writingmate.types import DialectName
from writingmate.upstream.client import HttpClient

LOCAL = "local"
THOUGHT = Fault(wish=Wish(reasoning="Let me see. "))
_DIALECTS: dict[str, DialectName] = {f"/v1{path}": dialect for dialect, path in PATHS.items()}
#: What a row's model is called there; of the others that nobody knows anything about.
_MODELS = {"anthropic": "claude-haiku-4-5", "google": "gemini-2.5-flash"}


class FakeRows(FakeOpenAI):
    """All providers of OpenAI's kind at one address; each is known by its key, and is what its row says."""

    def _refused(self, call: RecordedCall) -> tuple[int, Json] | None:
        row = ROWS[call.headers["authorization"].removeprefix("Bearer ").partition("-")[0]]
        dialect = _DIALECTS.get(call.path)
        if dialect is None:
            return None
        if dialect not in row.dialects:
            return 404, refusal(f"Invalid URL ({call.method} {call.path})")
        if row.stream_usage == "always" and "stream_options" in call.document:
            return 422, refusal("Extra inputs are not permitted", param="stream_options")
        lacking = manners.fault(row.name, call.document) if dialect == "chat" else None
        if lacking is not None:
            return 400, refusal(f"'{lacking}' is not supported.", param=lacking)
        fault = openai_judge.fault(dialect, call.document) if row.name == "openai" else None
        return None if fault is None else (400, fault)


class FakeChild(FakeOpenAI):
    """The child process of an embedded model, on its socket: it has one model and is told no name of it."""

    async def _respond(self, served: ServedConnection, call: RecordedCall) -> None:
        fault = self._fault(call)
        answer = chat({"model": "child", **call.document}, call.request_id, fault.wish)
        await Response(served, call, fault, self._released).stream(answer.chunks)


class _There:
    """Weights that are there."""

    async def begin(self, _model: LocalModel) -> None: ...

    async def served(self, model: LocalModel) -> tuple[LocalModel, Path]:
        return model, Path("weights.gguf")

    async def close(self) -> None: ...


class _Child:
    """A child that runs already."""

    def __init__(self, socket: Path) -> None:
        self._socket = str(socket)

    async def endpoint(self, _weights: Path) -> Endpoint:
        return Endpoint(self._socket, "k")

    async def close(self) -> None: ...


@dataclass(frozen=True)
class Stage:
    """``models`` is a slug for each provider, in the order of the documentation."""

    live: Live
    fakes: tuple[FakeOpenAI, ...]
    models: dict[str, str]

    @property
    def calls(self) -> list[RecordedCall]:
        """What the providers were asked since `forget`."""
        return [call for fake in self.fakes for call in fake.calls]

    def forget(self) -> None:
        """Before another run."""
        for fake in self.fakes:
            fake.calls.clear()
            fake.recover()

    def think(self) -> None:
        """The models reason from now on, until `forget`."""
        for fake in self.fakes:
            fake.script(THOUGHT)


def spoken(call: RecordedCall) -> DialectName:
    """The dialect that a provider was asked in."""
    return _DIALECTS.get(call.path, "gemini")  # whose paths hold the model's name


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """The gateway and its providers, in a folder of their own."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wm-")))
        rows = await stack.enter_async_context(FakeRows())
        anthropic = await stack.enter_async_context(FakeAnthropic(key=_key("anthropic")))
        child = await stack.enter_async_context(FakeChild(socket=folder / "child.sock"))
        google = await stack.enter_async_context(FakeGemini(key=_key("google")))
        where = {"messages": anthropic.base_url, "gemini": f"{google.host}/v1beta"}
        sections = {
            row.name: _section(row, where.get(row.dialects[0], rows.base_url)) for row in ROWS.values()
        }
        stack.enter_context(_embedded(folder / "child.sock"))
        live = stack.enter_context(serving(settings_for(folder, providers=sections, local=True)))
        models = {name: f"{name}/{section.models[0]}" for name, section in sections.items()}
        yield Stage(live, (rows, anthropic, google, child), {**models, LOCAL: manifest()[0].slug})


def _key(name: str) -> str:
    return f"{name}-0123456789abcdef"


def _section(row: Row, base_url: str) -> ProviderSection:
    return ProviderSection(
        base_url=base_url,
        api_key=_key(row.name),
        dialects=row.dialects,
        models=(_MODELS.get(row.name, "m"),),
        discover=False,
    )


@contextmanager
def _embedded(socket: Path) -> Iterator[None]:
    """The embedded models as they are, but for their weights and their child."""

    def local(settings: Settings, network: HttpClient) -> LocalUpstream:
        upstream = LocalUpstream(network, Weights.of(settings), settings.data_dir / "run")
        upstream._pulls = _There()  # type: ignore[assignment]  # there is no other way in
        upstream._children = {model.id: _Child(socket) for model in manifest()}  # type: ignore[misc]  # the same
        return upstream

    installed = mock.patch.object(local_rows, "available", return_value=True)
    with mock.patch.object(app, "_local", local), installed:
        yield
