"""The composition root: settings in, an ASGI application out. The only file that names concrete classes."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

from writingmate import __version__
from writingmate.api.application import DataPlane
from writingmate.api.asgi import AsgiChannel, Receive, Scope, Send
from writingmate.api.channel import Channel
from writingmate.api.clock import Clock
from writingmate.api.docs import Docs
from writingmate.api.endpoints import Endpoints, Operations
from writingmate.api.invitations import InvitationEndpoints
from writingmate.api.openapi import Description
from writingmate.api.probes import Probes, schema_check
from writingmate.api.request_id import new_request_id
from writingmate.api.routes import Routes
from writingmate.catalog.asking import Asking
from writingmate.catalog.discovery import Discovery
from writingmate.catalog.resolve import Catalog
from writingmate.identity.directory import Directory
from writingmate.identity.signing import REFRESH_SECONDS
from writingmate.jobs.runner import Job, Runner
from writingmate.local import progress, rows
from writingmate.local.upstream import LocalUpstream
from writingmate.local.weights import Weights
from writingmate.memory.conversation_store import ConversationStore
from writingmate.memory.queue_store import QueueStore
from writingmate.metering.answers import Answers
from writingmate.metering.ledger import Ledger
from writingmate.metering.retention import SECONDS as ROLL_UP_SECONDS
from writingmate.metering.retention import Retention
from writingmate.operations.anthropic_models import AnthropicModels
from writingmate.operations.attempts import Attempts, Node
from writingmate.operations.background import Background
from writingmate.operations.beforehand import Beforehand
from writingmate.operations.client import Client, Request
from writingmate.operations.conversations import Conversations
from writingmate.operations.failover import Failover
from writingmate.operations.follow import Following
from writingmate.operations.generate import Generate
from writingmate.operations.idempotency import Idempotency
from writingmate.operations.invitations import Invitations
from writingmate.operations.kept_responses import KeptResponses
from writingmate.operations.models import get_model, list_models
from writingmate.operations.orders import ENDPOINTS, Orders
from writingmate.operations.own_routes import OwnRoutes
from writingmate.operations.reports import Reports
from writingmate.operations.response_seal import Sealing
from writingmate.operations.token_counts import TokenCounts
from writingmate.providers.configured import asked, configured, for_own_keys, known_names, notes
from writingmate.settings import Settings, read_settings
from writingmate.storage.engine import Database
from writingmate.storage.schema import require
from writingmate.telemetry import log, metrics
from writingmate.types import DialectName, Principal, Provider
from writingmate.upstream.base import Timeouts
from writingmate.upstream.client import HttpClient
from writingmate.vault.box import Box
from writingmate.vault.credentials import Credentials
from writingmate.vault.keys import Keyring, keyring_file
from writingmate.workspaces.plans import REFRESH_SECONDS as PLANS_SECONDS
from writingmate.workspaces.plans import Plans
from writingmate.workspaces.store import require_sight

LAST_USED_SECONDS = 30.0
EXPIRED_SECONDS = 3600.0
BACKGROUND_SECONDS = 0.5
# Allocations before a round of the young, and rounds before those of the older.
COLLECTIONS = (50_000, 20, 50)


class Gateway:
    """The ASGI application; its parts live between the lifespan's start and end."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._parts = AsyncExitStack()
        self._answer: Callable[[Channel], Awaitable[None]] = _not_started

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request of any ASGI server, or run the lifespan."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await self._answer(AsgiChannel(scope, receive, send))

    def serve(self, channel: Channel) -> Awaitable[None]:
        """Answer one request of our own server."""
        return self._answer(channel)

    async def start(self) -> None:
        """Open the database, the ledger and all that stands on them. Raises ConfigurationError."""
        try:
            await self._start()
        except BaseException:
            await self._parts.aclose()
            raise
        _leave_alone_what_stays()

    async def close(self) -> None:
        """Close everything, last opened first; what is still under way is settled before the ledger ends."""
        await self._parts.aclose()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.start()
        except Exception as error:  # noqa: BLE001  the edge of the process: the server reports it and ends
            log.failure("start_failed", error)
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _start(self) -> None:
        settings, parts = self.settings, self._parts
        parts.callback(metrics.forget, os.getpid())
        database = Database.open(settings.database_url)
        parts.callback(database.close)
        require(database)
        plans = Plans(settings.plans)
        network = HttpClient()
        parts.push_async_callback(network.close)
        embedded = rows.models(settings)
        local = _local(settings, network)
        parts.push_async_callback(local.close)
        if embedded:
            local.prepare()
        providers = configured(settings)
        own = for_own_keys(settings)
        catalog = Catalog(
            settings, providers, known=known_names(settings), local=embedded, plans=plans.all, own=own
        )
        directory = Directory(database)
        ledger = Ledger(database, lease_seconds=settings.lease_seconds)
        await ledger.start()
        parts.push_async_callback(ledger.close)
        parts.push_async_callback(directory.flush_last_used)
        answers = Answers(database)
        runner = Runner(
            [
                Job("signing keys", REFRESH_SECONDS, directory.refresh),
                Job("last used", LAST_USED_SECONDS, directory.flush_last_used),
                Job("plans", PLANS_SECONDS, plans.refresh),
                Job("roll-up", ROLL_UP_SECONDS, Retention(database, settings.retention_days).run),
                Job("expired answers", EXPIRED_SECONDS, answers.delete_expired),
            ],
            [_discovery(settings, catalog, asked(providers, own), network).run],
        )
        runner.start()
        parts.push_async_callback(runner.close)
        box = Box(Keyring(keyring_file(settings)))
        conversations = Conversations(
            ConversationStore(database), Sealing(box), settings.responses_days, settings.max_body_bytes
        )
        orders = Orders(catalog, plans.of, OwnRoutes(catalog, Credentials(database, box)), conversations)
        generate = Generate(orders, ledger, network, {rows.PROVIDER.name: local}, _failover(settings))
        node = Node(ledger.node_id, new_request_id, directory.of_key, settings.background_at_once)
        background = Behind(database, box, generate, node, conversations)
        background.start(parts)
        idempotency = Idempotency(answers, box, settings.idempotency_hours * 3600)
        operations = replace(
            _operations(database, catalog, plans, generate, background),
            generate=_once(idempotency, generate, background.taking),
        )
        self._serve(database, directory, operations, background)
        for note in notes(settings):
            log.event("notice", detail=note)

    def _serve(
        self, database: Database, directory: Directory, operations: Operations, background: Behind
    ) -> None:
        description = Description(self.settings.public_url)
        endpoints = Endpoints(directory, operations)
        probes = Probes([schema_check(database)])
        clock = Clock()
        clock.start()
        self._parts.callback(clock.stop)
        invitations = InvitationEndpoints(directory, Invitations(database))
        routes = Routes(endpoints, invitations, description, Docs(description), probes)
        plane = DataPlane(routes, clock, self.settings)
        self._parts.push_async_callback(_drained, plane, background, self.settings.drain_seconds)
        self._answer = plane.serve


class Behind:
    """The background of this process."""

    def __init__(
        self, database: Database, box: Box, generate: Generate, node: Node, conversations: Conversations
    ) -> None:
        self.store = store = QueueStore(database)
        sealing = Sealing(box)
        self.following = Following(store, sealing)
        self.attempts = Attempts(generate.run, store, sealing, self.following, node)
        self.taking = Background(generate.run, self.attempts, store, sealing, self.following, conversations)
        self.kept = KeptResponses(ConversationStore(database), conversations, self.attempts, self.following)

    def start(self, parts: AsyncExitStack) -> None:
        """Look for responses that nobody runs, until ``parts`` are closed."""
        runner = Runner(
            [
                Job("background", BACKGROUND_SECONDS, self.attempts.look),
                Job("expired responses", EXPIRED_SECONDS, self.store.delete_expired),
            ]
        )
        runner.start()
        parts.push_async_callback(runner.close)


async def _drained(plane: DataPlane, background: Behind, seconds: float) -> None:
    """What is under way gets the same seconds to end, with a client or without."""
    await asyncio.gather(plane.drained(seconds), background.attempts.drained(seconds))


def _leave_alone_what_stays() -> None:
    """Take what start-up made out of the garbage collector's rounds, and let it come round less often.

    Requests leave few cycles behind. Walking a hundred thousand lasting objects for them again and
    again was a tenth of the CPU under load and half of the 99th percentile's latency.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTIONS)


def create(settings: Settings | None = None) -> Gateway:
    """The application, from ``settings`` or the process's environment; the server's factory."""
    log.start()
    log.event("starting", version=__version__, pid=os.getpid())
    return Gateway(settings or read_settings(os.environ))


def _operations(  # each is a part that something is asked of
    database: Database,
    catalog: Catalog,
    plans: Plans,
    generate: Generate,
    background: Behind,
) -> Operations:
    async def models(principal: Principal, _: Request, client: Client) -> None:
        await client.reply(200, {}, list_models(catalog, principal, plans.of(principal)))

    async def model(slug: str, principal: Principal, _: Request, client: Client) -> None:
        await client.reply(200, {}, get_model(catalog, principal, plans.of(principal), slug))

    async def sight(principal: Principal, user_id: str) -> None:
        """A member sees their own usage, an owner everybody's."""
        workspace_id, by = principal.workspace_id, principal.user_id
        await database.read(partial(require_sight, workspace_id=workspace_id, of=user_id, by=by))

    anthropic = AnthropicModels(catalog, plans.of)
    reports = Reports(database, plans.of, sight)
    beforehand = Beforehand(generate.orders, database)
    return Operations(
        generate.run,
        models,
        model,
        reports.usage,
        reports.receipt,
        beforehand.run,
        background.following.show,
        background.following.resume,
        background.taking.cancel,
        TokenCounts(generate.orders, generate.network).run,
        anthropic.page,
        anthropic.one,
        background.kept.delete,
        background.kept.input_items,
    )


def _once(
    idempotency: Idempotency, generate: Generate, background: Background
) -> Callable[[DialectName, Principal, Request, Client], Awaitable[None]]:
    """The generation of text, once for each Idempotency-Key."""
    posts = {
        dialect: idempotency.once(
            endpoint, background.run if dialect == "responses" else partial(generate.run, dialect)
        )
        for dialect, endpoint in ENDPOINTS.items()
    }
    return lambda dialect, *asked: posts[dialect](*asked)


def _failover(settings: Settings) -> Failover:
    limits = settings.timeouts
    timeouts = Timeouts(limits.connect, min(limits.first, limits.deadline), limits.idle)
    return Failover(timeouts, limits.tries, limits.deadline, limits.hedge)


def _local(settings: Settings, network: HttpClient) -> LocalUpstream:
    folder = settings.data_dir / "run"
    return LocalUpstream(network, Weights.of(settings), folder, progress=progress.shown)


def _discovery(
    settings: Settings, catalog: Catalog, providers: tuple[Provider, ...], network: HttpClient
) -> Discovery:
    discovery = Discovery(catalog, providers, settings.data_dir / "catalog", Asking(network).fetch)
    discovery.load()
    return discovery


async def _not_started(_channel: Channel) -> None:
    raise RuntimeError("The application has not been started: its lifespan comes before requests.")
