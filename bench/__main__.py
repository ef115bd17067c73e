"""Run the bench: ``python -m bench [--quick] [--rounds N] [--seconds S] [--json FILE]``.

Upstream, nginx and gateway run side by side on loopback for the whole time; each round loads them in
turn. Every request carries a real developer key, is held before and settled durably (SQLite,
``synchronous=FULL``) after its answer. CPU is user plus system time of all of a party's processes,
settlement included. Absolute figures belong to the machine; ratios to nginx travel.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench import machine, parties
from bench.report import Table, compare_all
from bench.rounds import LOADS, Rounds

_WARM_SECONDS = 1.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="one short round: a smoke test, not a measure")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each load in each round")
    parser.add_argument("--json", type=Path, help="also write our figures here")
    parser.add_argument("--without-gateway", action="store_true", help="check the bench itself")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.seconds = 1, 1.0
    return arguments


def _measure(folder: Path, arguments: argparse.Namespace) -> Table:
    with ExitStack() as stack:
        upstream = stack.enter_context(parties.upstream(folder, interval_ms=5, events=200))
        nginx = stack.enter_context(parties.nginx(folder, upstream.port))
        taking = [upstream, nginx]
        gateway = None
        if not arguments.without_gateway:
            gateway = stack.enter_context(parties.gateway(folder, upstream.port))
            taking.append(gateway.party)
        key, model = (gateway.key, gateway.model) if gateway else ("none", "instant")
        requests = {
            "whole": parties.request(key, model),
            "stream": parties.request(key, model, stream=True),
        }
        rounds = Rounds(folder, requests, seconds=arguments.seconds)
        idle = {party.name: machine.resident_mb(party.pid) for party in taking if party.pid}
        for party in taking:
            rounds.fire(party, LOADS[0], min(_WARM_SECONDS, arguments.seconds))
        clocks = machine.busy_seconds(), machine.own_seconds()
        began = time.monotonic()
        for number in range(arguments.rounds):
            rounds.run(taking[number % len(taking) :] + taking[: number % len(taking)])
        others = machine.others_share(*clocks, time.monotonic() - began)
        table = Table(gateway.party.name if gateway else None)
        compare_all(table, rounds)
        after = {party.name: machine.resident_mb(party.pid) for party in taking if party.pid}
        table.compare("resident memory idle, MB", idle.__getitem__, direct=False)
        table.compare("resident memory after the load, MB", after.__getitem__, direct=False)
        if gateway:
            table.ours_only("start to first 200, s", gateway.start_seconds, digits=2)
            table.ours_only("import writingmate.app, s", parties.import_seconds(), digits=2)
            table.line("audit", parties.audit(folder, upstream.port))
        table.line("share of the machine others used meanwhile", f"{others:.0%}")
    return table


def main() -> None:
    """Measure, print, and print the ledger's own figures after it."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        table = _measure(Path(name), arguments)
        print("\n".join(table.lines), flush=True)
        if not arguments.without_gateway:
            table.figures.update(_ledger(Path(name) / "ledger.json", quick=arguments.quick))
    if arguments.json:
        arguments.json.write_text(json.dumps(table.figures, indent=1, ensure_ascii=False) + "\n")


def _ledger(figures: Path, *, quick: bool) -> dict[str, float]:
    """What holding and settling add to a request, measured in a process of its own."""
    command = [sys.executable, "-m", "bench.ledger", "--json", str(figures), *(["--quick"] if quick else [])]
    subprocess.run(command, check=True)
    added: dict[str, float] = json.loads(figures.read_text())
    return added


if __name__ == "__main__":
    main()
