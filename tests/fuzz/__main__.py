"""``python -m tests.fuzz [CODEC…] [--seconds S] [--jobs N]``: every codec's targets, or those of these.

Exit 1: something was found; the smallest example of it is printed with its traceback.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tests.fuzz.target import Target
from tests.fuzz.targets import everything

#: Examples of one run, after which it is looked at the clock; each run draws others.
ROUND = 200


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="tests.fuzz")
    seconds = float(os.environ.get("FUZZ_SECONDS", "600"))
    parser.add_argument("codecs", nargs="*", help="called like their folders of cases, or wire; all if none")
    parser.add_argument("--seconds", type=float, default=seconds, help="for each codec; FUZZ_SECONDS, or 600")
    parser.add_argument("--jobs", type=int, default=2, help="codecs at a time")
    return parser.parse_args()


def fuzz(target: Target, seconds: float) -> bool:
    """Draw until the time is over. Whether nothing was found."""
    until = time.monotonic() + seconds
    found = ""
    while time.monotonic() < until and not found:
        try:
            target.run(ROUND)
        except Exception:  # noqa: BLE001  # whatever it is, it is what was looked for
            found = traceback.format_exc()
    print(
        f"{target.name}: {target.ran} examples, {'a fault' if found else 'no fault'}\n{found}",
        end="",
        flush=True,
    )
    return not found


def codec(name: str, seconds: float) -> tuple[int, int]:
    """All targets of one, each for its share of the time: how many examples were run and faults found."""
    targets = [target for target in everything() if target.codec == name]
    faults = [target for target in targets if not fuzz(target, seconds / len(targets))]
    return sum(target.ran for target in targets), len(faults)


def names(asked: list[str]) -> Iterator[str]:
    """Of codecs, in the order of their targets."""
    known = sorted(everything(), key=lambda target: target.codec)
    for name, _ in itertools.groupby(known, key=lambda target: target.codec):
        if not asked or name in asked:
            yield name


def main() -> int:
    """Run what was asked for."""
    asked = arguments()
    chosen = list(names(asked.codecs))
    with ProcessPoolExecutor(asked.jobs) as pool:
        found = list(pool.map(partial(codec, seconds=asked.seconds), chosen))
    examples, faults = (sum(column) for column in zip((0, 0), *found, strict=True))
    print(f"{len(chosen)} codecs, {examples} examples, {faults} faults")
    return 1 if faults or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
