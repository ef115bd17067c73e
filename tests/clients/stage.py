"""A gateway with the reference page's models, and clients in processes that know nothing but loopback."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import RowMapping, select

from tests.fakes.openai_choices import Json
from tests.fakes.openai_upstream import FakeOpenAI, RecordedCall
from tests.live import Live
from writingmate.storage import tables

PAGE: Final = "https://writingmate.ai/api/openai/v1"
FLASH: Final = "google/gemini-2.5-flash"
PROVIDER_KEY: Final = "sk-or-operators-own-0123456789abcdef"
SECONDS: Final = 120


class Outside:
    """A proxy that lets nobody out and remembers who tried; clients get it as theirs."""

    def __init__(self) -> None:
        self.wanted: list[str] = []

    async def refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.wanted.append((await reader.readline()).decode(errors="replace").strip())
        writer.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()


@dataclass(frozen=True, slots=True)
class Ran:
    """What a program that ended well has printed."""

    out: str
    err: str

    @property
    def document(self) -> Any:
        """Its output, which is JSON."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Stage:
    """The gateway, the provider behind it, and a folder that is the client's home."""

    live: Live
    fake: FakeOpenAI
    outside: Outside
    proxy: str
    home: Path

    def environment(self, **more: str) -> dict[str, str]:
        """A client's whole environment: nothing of the machine's but where programs are."""
        kept = {name: value for name, value in os.environ.items() if name.startswith(("OPENBLAS_", "LANG"))}
        folders = {
            f"XDG_{kind}_HOME": self.home / kind.lower() for kind in ("CONFIG", "DATA", "CACHE", "STATE")
        }
        folders |= {"HOME": self.home, "TMPDIR": self.home}
        proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), self.proxy)
        proxies |= dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1")
        alone = {"PATH": os.environ["PATH"], "NO_COLOR": "1", "TERM": "dumb"}
        return kept | {name: str(folder) for name, folder in folders.items()} | proxies | alone | more

    async def run(self, *command: str | Path, cwd: Path | None = None, said: str = "", **environ: str) -> Ran:
        """Run a client to its end; ``said`` is its standard input."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *map(str, command),
            cwd=cwd or self.home,
            env=self.environment(**environ),
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(said.encode()), SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise
        assert process.returncode == 0, out.decode() + err.decode()
        return Ran(out.decode(), err.decode())

    def asked(self) -> list[RecordedCall]:
        """What has reached the provider for an answer."""
        return [call for call in self.fake.calls if call.method == "POST"]

    def documents(self) -> list[Json]:
        """The same, decoded: each for the page's model, with the operator's key."""
        for call in self.asked():
            assert call.headers["authorization"] == f"Bearer {PROVIDER_KEY}"
            assert call.path == "/v1/chat/completions"
            assert call.model == FLASH
        return [call.document for call in self.asked()]

    def settled(self) -> list[RowMapping]:
        """The ledger's entries in their order: one for each call, with what the provider said it used."""
        with self.live.database.reading() as connection:
            query = select(tables.entries).order_by(tables.entries.c.started_at)
            entries = list(connection.execute(query).mappings())
            assert not connection.execute(select(tables.holds)).all()
        calls = self.asked()
        assert calls
        assert len(entries) == len(calls)
        counted = sorted((entry["prompt_tokens"], entry["completion_tokens"]) for entry in entries)
        assert counted == sorted(
            (call.usage["prompt_tokens"], call.usage["completion_tokens"]) for call in calls if call.usage
        )
        assert {(entry["model"], entry["key_id"]) for entry in entries} == {(FLASH, self.live.key_id)}
        assert all(entry["messages"] == 1 for entry in entries)
        return entries
