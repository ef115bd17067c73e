"""The table: one line a figure, direct, nginx, us, and how many times nginx that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bench.rounds import Rounds

_WIDTHS = (46, 10, 10, 13, 9)


@dataclass(slots=True)
class Table:
    """Lines of text, built up figure by figure; ``figures`` keeps our numbers by their label."""

    ours: str | None
    lines: list[str] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)

    def line(self, label: str, *cells: str) -> None:
        """A row: the label to the left, cells to the right."""
        padded = [*cells, *[""] * (len(_WIDTHS) - 1 - len(cells))]
        widths = zip(padded, _WIDTHS[1:], strict=True)
        self.lines.append((label.ljust(_WIDTHS[0]) + "".join(cell.rjust(w) for cell, w in widths)).rstrip())

    def compare(
        self, label: str, figure: Callable[[str], float], *, digits: int = 1, direct: bool = True
    ) -> None:
        """A row of the same figure for each party, with our ratio to nginx."""
        nginx = figure("nginx")
        cells = [f"{figure('direct'):,.{digits}f}" if direct else "", f"{nginx:,.{digits}f}"]
        if self.ours:
            us = figure(self.ours)
            self.figures[label] = us
            cells += [f"{us:,.{digits}f}", f"{us / nginx:.1f}x" if nginx > 0 else "-"]
        self.line(label, *cells)

    def ours_only(self, label: str, value: float, *, digits: int = 1) -> None:
        """A row that only we have."""
        self.figures[label] = value
        self.line(label, "", "", f"{value:,.{digits}f}")


def compare_all(table: Table, rounds: Rounds) -> None:
    """Every figure that all parties have."""
    m, added = rounds.median, rounds.added
    table.line("", "direct", "nginx", table.ours or "", "x nginx" if table.ours else "")
    table.compare("requests per second, 64 connections", lambda p: m(p, "full", "rps"), digits=0)
    table.compare("CPU µs per request, 64 connections", lambda p: m(p, "full", "cpu"), direct=False)
    table.compare("CPU µs per request, 1,000 a second", lambda p: m(p, "low", "cpu"), direct=False)
    table.compare("p50 at 1,000 a second, ms", lambda p: m(p, "low", "p50") / 1e3, digits=2)
    table.compare("p99 at 1,000 a second, ms", lambda p: m(p, "low", "p99") / 1e3, digits=2)
    table.compare("  added p50, ms", lambda p: added(p, "low", "p50") / 1e3, digits=2, direct=False)
    table.compare("  added p99, ms", lambda p: added(p, "low", "p99") / 1e3, digits=2, direct=False)
    table.compare("CPU µs per SSE event, 16 paced streams", lambda p: m(p, "stream", "cpu"), direct=False)
    table.compare(
        "  first event, added p50, ms",
        lambda p: added(p, "stream", "first_p50") / 1e3,
        digits=2,
        direct=False,
    )
    table.compare(
        "  each event, added p50, ms", lambda p: added(p, "stream", "event_p50") / 1e3, digits=2, direct=False
    )
    table.compare(
        "  each event, added p99, ms", lambda p: added(p, "stream", "event_p99") / 1e3, digits=2, direct=False
    )
