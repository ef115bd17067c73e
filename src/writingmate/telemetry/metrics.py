"""Numbers for Prometheus, in a registry of our own; served by `/metrics`.

Labels are few and bounded: endpoints, statuses, configured providers, kinds of failure; never a
model, a user or a key. With several server processes on one machine, ``PROMETHEUS_MULTIPROC_DIR``
(an empty folder, set before the processes start) makes each show the sum of all.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Final, TypeVar

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
MOST_CHILDREN = 500

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_ROWS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_Child = TypeVar("_Child")


class Kept(dict[tuple[str, ...], _Child]):
    """Children of one metric by their labels, looked up once; beyond a bound they share ``other``."""

    def __init__(self, make: Callable[..., _Child]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, labels: tuple[str, ...]) -> _Child:
        if len(self) >= MOST_CHILDREN:
            return self._make(*("other" for _ in labels))
        child = self[labels] = self._make(*labels)
        return child


class Numbers:
    """Every metric. Made on first use: with several processes, each metric is a file."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self._requests = Counter(
            "writingmate_requests", "Requests answered.", ("endpoint", "status"), registry=registry
        )
        self._seconds = Histogram(
            "writingmate_request_seconds",
            "From the request's first byte to the answer's last.",
            ("endpoint",),
            registry=registry,
            buckets=_SECONDS,
        )
        self._first_frame = Histogram(
            "writingmate_first_frame_seconds",
            "From a streamed request's first byte to the first frame of its answer.",
            ("endpoint",),
            registry=registry,
            buckets=_SECONDS,
        )
        self.messages = Counter("writingmate_messages", "Messages counted at settlement.", registry=registry)
        self.held = Gauge(
            "writingmate_held_messages",
            "Messages held by open requests now.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.streams = Gauge(
            "writingmate_open_streams",
            "Streams being answered now.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.batches = Histogram(
            "writingmate_writer_batch_rows",
            "Holds and settlements committed together by the ledger's writer.",
            registry=registry,
            buckets=_ROWS,
        )
        self.requests = Kept(self._requests.labels)
        self.seconds = Kept(self._seconds.labels)
        self.first_frame = Kept(self._first_frame.labels)
        self._count_calls(registry)
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)

    def _count_calls(self, registry: CollectorRegistry) -> None:
        """Those of the calls to providers."""
        self._failures = Counter(
            "writingmate_upstream_failures",
            "Calls to providers that failed.",
            ("provider", "kind"),
            registry=registry,
        )
        self._attempts = Counter(
            "writingmate_upstream_attempts",
            "Calls that failed or were spared because the route rests, and where the request went next.",
            ("provider", "outcome"),
            registry=registry,
        )
        self._resting = Gauge(
            "writingmate_resting_routes",
            "Routes that are left alone now, for they kept failing.",
            ("provider",),
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.failures = Kept(self._failures.labels)
        self.attempts = Kept(self._attempts.labels)
        self.resting = Kept(self._resting.labels)


@cache
def _numbers() -> Numbers:
    return Numbers()


def request(endpoint: str, status: int, seconds: float) -> None:
    """A request was answered. ``endpoint`` is a name of the URL table, never a path as it was asked."""
    numbers = _numbers()
    numbers.requests[endpoint, str(status)].inc()
    numbers.seconds[endpoint,].observe(seconds)


def first_frame(endpoint: str, seconds: float) -> None:
    """A stream's first frame went out."""
    _numbers().first_frame[endpoint,].observe(seconds)


def upstream_failed(provider: str, kind: str) -> None:
    """A call to a provider failed; ``kind`` is the error's class."""
    _numbers().failures[provider, kind].inc()


def attempted(provider: str, outcome: str) -> None:
    """A call failed, and the request goes on: ``again`` by the same route, by the ``next``, or ``failed``.

    ``resting``: it was not made, since the route rests and another does not.
    """
    _numbers().attempts[provider, outcome].inc()


def route_rests(provider: str) -> None:
    """A route's breaker opened."""
    _numbers().resting[provider,].inc()


def route_serves(provider: str) -> None:
    """A route's breaker closed."""
    _numbers().resting[provider,].dec()


def messages(counted: int) -> None:
    """A request was settled at this many messages."""
    _numbers().messages.inc(counted)


def held(messages: int) -> None:
    """This many messages more (or fewer, if negative) are held by open requests."""
    _numbers().held.inc(messages)


def stream_opened() -> None:
    """A stream began."""
    _numbers().streams.inc()


def stream_closed() -> None:
    """A stream ended, however."""
    _numbers().streams.dec()


def batch(rows: int) -> None:
    """The ledger's writer committed this many rows together."""
    _numbers().batches.observe(rows)


def render() -> bytes:
    """All numbers in Prometheus' text format (`CONTENT_TYPE`); of all processes where they share a folder."""
    if _FOLDER in os.environ:
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call]  # the library leaves it unannotated
        return generate_latest(shared)
    return generate_latest(_numbers().registry)


def forget(pid: int) -> None:
    """A server process died: its gauges no longer count."""
    if _FOLDER in os.environ:
        mark_process_dead(pid)  # type: ignore[no-untyped-call]  # the library leaves it unannotated
