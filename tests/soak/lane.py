"""One database, the gateways that share it, the provider behind them and the clients in front of them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, func, select

from tests.fakes.openai_upstream import FakeOpenAI
from tests.soak.clients import FAULTS, Heard, choose, send
from tests.soak.gateways import Gateway
from tests.soak.verdict import Tally, judge, judge_limits
from writingmate.identity import store as identity
from writingmate.identity.keys import MintedKey
from writingmate.identity.records import KeyOptions
from writingmate.storage.engine import Database
from writingmate.storage.tables import holds
from writingmate.workspaces import store as workspaces

CLIENTS = 8
LEASE_SECONDS = 5  # longer than a process of an overloaded machine stands still
LOOK_SECONDS = 0.05  # between two looks at a database, which cannot wake us
SETTLED_LOOKS = 600
LIFE = (0.05, 2.0)  # seconds under load before a kill
USED_UP = frozenset({"daily_limit_reached", "pool_exhausted", "rate_limit_exceeded"})
REQUESTS_PER_MINUTE = 120
PLANS = f"""
[plans.soak]
tiers = ["basic"]
daily_messages = {{ basic = 150 }}
requests_per_minute = {REQUESTS_PER_MINUTE}
pool_messages = 140
scope = "workspace"
"""
STARTING = 0.1  # of all kills come while a gateway starts
START = (0.1, 1.5)  # seconds after which


@dataclass
class Lane:
    """See the module. When a limit of its workspace or key is used up, work goes on with a new one."""

    name: str
    gateways: list[Gateway]
    database: Database
    fake: FakeOpenAI
    chance: random.Random
    tally: Tally = field(default_factory=Tally)
    heard: list[Heard] = field(default_factory=list)
    key: str = field(default="", repr=False)
    sent: int = 0
    ended: bool = False

    async def run(self, kills: int, deadline: float) -> Tally:
        """Kill ``kills`` times, or until ``deadline`` (monotonic), and judge what is left."""
        await self._new_key("")
        clients = [asyncio.create_task(self._client()) for _ in range(CLIENTS)]
        try:
            while self.tally.kills < kills and time.monotonic() < deadline:
                await self._kill_one()
            await asyncio.sleep(LIFE[0])
        finally:
            self.ended = True
            await asyncio.gather(*clients)
        await self._settled()
        for gateway in self.gateways:
            await gateway.stop()
        await self.database.read(lambda books: judge(self.tally, books, self.fake.calls, self.heard))
        return self.tally

    async def _kill_one(self) -> None:
        victim = self.chance.choice(self.gateways)
        if victim.process is None:
            await victim.spawn()
            await asyncio.sleep(self.chance.uniform(*START))
        else:
            await asyncio.sleep(self.chance.uniform(*LIFE))
        await victim.kill()
        self.tally.kills += 1
        await self.database.read(lambda books: judge_limits(self.tally, books, REQUESTS_PER_MINUTE))
        if self.chance.random() > STARTING:
            await victim.start()

    async def _client(self) -> None:
        while not self.ended:
            api = self._some_api()
            if not api:
                await asyncio.sleep(0.01)  # between two looks at processes that come up
                continue
            self.sent += 1
            key = self.key
            heard = await send(api, key, choose(self.chance, f"{self.name}-{self.sent}"))
            self.heard.append(heard)
            if heard.code in USED_UP:
                await self._new_key(key)

    def _some_api(self) -> str:
        running = [gateway.api for gateway in self.gateways if gateway.api]
        return self.chance.choice(running) if running else ""

    async def _new_key(self, used_up: str) -> None:
        """A new key of a new workspace, unless another client has replaced the one that is used up."""
        if self.key != used_up:
            return
        cap = self.chance.choice([None, self.chance.randint(3, 150)])
        minted = await self.database.write(lambda connection: _mint(connection, cap))
        if self.key == used_up:
            self.key = minted.key

    async def _settled(self) -> None:
        """Start what is not running; then the dead's holds are settled within a lease, a beat and a sweep."""
        for gateway in self.gateways:
            if gateway.process is None:
                await gateway.start()
        for _ in range(SETTLED_LOOKS):
            if not await self.database.read(_open_holds):
                return
            await asyncio.sleep(LOOK_SECONDS)


@asynccontextmanager
async def lane(
    name: str, folder: Path, database_url: str, gateways: int, chance: random.Random
) -> AsyncIterator[Lane]:
    """A lane whose gateways run; what is left of them at the end is killed."""
    async with AsyncExitStack() as stack:
        fake = await stack.enter_async_context(FakeOpenAI())
        for model, fault in FAULTS.items():
            fake.script(fault, model=model)
        environ = _environ(folder, database_url, fake.base_url)
        running = [Gateway(folder / f"gateway{number}", environ) for number in range(gateways)]
        for gateway in running:
            stack.push_async_callback(gateway.kill)
            await gateway.start()
        database = Database.open(database_url)
        stack.callback(database.close)
        yield Lane(name, running, database, fake, chance)


def _environ(folder: Path, database_url: str, provider: str) -> dict[str, str]:
    folder.mkdir(parents=True)
    settings = folder / "settings.toml"
    models = ", ".join(f'"{model}"' for model in FAULTS)
    settings.write_text(f'[providers.fake]\nbase_url = "{provider}"\nmodels = [{models}]\n')
    plans = folder / "plans.toml"
    plans.write_text(PLANS)
    return {
        "WRITINGMATE_PLANS": str(plans),
        "WRITINGMATE_SETTINGS": str(settings),
        "WRITINGMATE_DATABASE_URL": database_url,
        "WRITINGMATE_LEASE_SECONDS": str(LEASE_SECONDS),
        "WRITINGMATE_TIMEOUTS_TRIES": "1",  # so that what reaches the provider twice was run twice
    }


def _mint(connection: Connection, cap: int | None) -> MintedKey:
    """A key pinned to a new workspace on the plan."""
    owner = identity.find_user(connection, "owner@localhost")
    assert owner is not None
    now = time.time()
    workspace = workspaces.create(connection, "soak", owner_id=owner.user_id, plan="soak", now=now)
    options = KeyOptions("soak", workspace.workspace_id, daily_cap=cap)
    return identity.create_key(connection, owner, options, now=now)


def _open_holds(connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(holds)) or 0
