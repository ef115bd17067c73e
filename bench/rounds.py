"""The load, round by round: each measure of each party in turn, so that a noisy minute hits all alike."""

from __future__ import annotations

import json
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import machine
from bench.parties import Party

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Load:
    """One way to load a party.

    ``rate`` 0 is as fast as it goes, else requests a second; connections begin ``stagger_ms`` apart;
    ``unit`` is what CPU is divided by.
    """

    name: str
    request: str
    connections: int
    rate: int
    stagger_ms: float
    unit: str


LOADS = (
    Load("full", "whole", connections=64, rate=0, stagger_ms=0, unit="requests"),
    Load("low", "whole", connections=32, rate=1000, stagger_ms=0, unit="requests"),
    Load("stream", "stream", connections=16, rate=0, stagger_ms=61, unit="events"),
)


class Rounds:
    """Runs loads against parties and keeps every figure; `median` over the rounds."""

    def __init__(self, folder: Path, requests: Mapping[str, bytes], *, seconds: float) -> None:
        self._program = machine.compiled("load", folder)
        self._files = {name: folder / f"{name}.http" for name in requests}
        for name, content in requests.items():
            self._files[name].write_bytes(content)
        self._seconds = seconds
        self._kept: dict[tuple[str, str], list[Figures]] = {}

    def fire(self, party: Party, load: Load, seconds: float) -> Figures:
        """One load on one party; raises SystemExit if any request failed."""
        timing = (seconds, load.rate, load.stagger_ms)
        arguments = (party.port, load.connections, *timing, self._files[load.request])
        before = machine.cpu_seconds(party.pid) if party.pid else 0.0
        done = subprocess.run(
            [str(self._program), *map(str, arguments)], check=True, capture_output=True, text=True
        )
        after = machine.cpu_seconds(party.pid) if party.pid else 0.0
        figures: Figures = json.loads(done.stdout)
        if figures["errors"] or not figures[load.unit]:
            raise SystemExit(f"bench: {party.name}, {load.name}: {done.stdout}{done.stderr}")
        figures["cpu"] = (after - before) / figures[load.unit] * 1e6
        figures["rps"] = figures["requests"] / figures["seconds"]
        return figures

    def run(self, parties: Sequence[Party]) -> None:
        """One round: each load on each party."""
        for load in LOADS:
            for party in parties:
                figures = self.fire(party, load, self._seconds)
                self._kept.setdefault((party.name, load.name), []).append(figures)

    def median(self, party: str, load: str, figure: str) -> float:
        """The median over the rounds of a figure as it is (microseconds, counts)."""
        return statistics.median(row[figure] for row in self._kept[party, load])

    def added(self, party: str, load: str, figure: str) -> float:
        """The median over the rounds of what a party adds to going direct in the same round."""
        pairs = zip(self._kept[party, load], self._kept["direct", load], strict=True)
        return statistics.median(through[figure] - straight[figure] for through, straight in pairs)
