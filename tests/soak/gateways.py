"""Gateways that are killed and started again: `writingmate serve` in processes of their own."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.chaos.processes import LAST_LINE, address, environment

START_SECONDS = 90  # of a machine that does much else
STOP_SECONDS = 60


@dataclass(eq=False)
class Gateway:
    """One process at a time, over the same folder and database each time."""

    folder: Path
    environ: dict[str, str]
    process: Process | None = None
    api: str = ""

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        await self.spawn()
        async with asyncio.timeout(START_SECONDS):
            api = address(await self._banner())
            if not await _answers(api):
                raise RuntimeError(f"A gateway did not start: see {self.folder / 'log.jsonl'}")
        self.api = api

    async def spawn(self) -> None:
        """Start it, and wait for nothing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log.jsonl").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "writingmate", "serve"),
                env=environment(self.folder, **self.environ),
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=log,
            )

    async def kill(self) -> None:
        """SIGKILL."""
        self.api = ""
        process, self.process = self.process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()

    async def stop(self) -> None:
        """SIGTERM, which it must survive with status 0."""
        self.api = ""
        process, self.process = self.process, None
        assert process is not None
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOP_SECONDS):
            assert await process.wait() == 0, f"a gateway did not stop well: see {self.folder / 'log.jsonl'}"

    async def _banner(self) -> str:
        assert self.process is not None
        assert self.process.stdout is not None
        lines: list[str] = []
        async for line in self.process.stdout:
            lines.append(line.decode())
            if lines[-1] == LAST_LINE:
                return "".join(lines)
        raise RuntimeError(f"A gateway did not start: see {self.folder / 'log.jsonl'}")


async def _answers(api: str) -> bool:
    """It listens before it serves: a first answer says that it does."""
    where = urlsplit(api)
    try:
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n")
        begun = await reader.read(15)
        writer.close()
    except OSError:
        return False
    return b" 200 " in begun
