"""Every event there is, with the fields its line may have. What is not listed here is not logged.

Fields are ids, names from the catalog, counts and times. None holds what a caller or a model wrote,
a key, a header or an address; ``detail`` is our own sentence or redacted words of others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Event:
    """How bad it is, and what may be said about it."""

    level: Level
    fields: frozenset[str]


# What `failure` adds to any event, and what tells one event's subject.
FAILURE = frozenset({"error", "detail", "where", "status"})
_REQUEST = (
    "request_id method endpoint status code ms first_ms workspace user key model provider upstream_model "
    "upstream_request_id route streaming messages remaining prompt_tokens completion_tokens cached_tokens "
    "reasoning_tokens held flags frames bytes_in bytes_out outcome"
)


def _event(level: Level, fields: str = "") -> Event:
    return Event(level, frozenset(fields.split()))


EVENTS: Mapping[str, Event] = MappingProxyType(
    {
        # the data plane
        "request": _event("info", _REQUEST),
        "request_crashed": _event("error", _REQUEST),
        "upstream_failed": _event("warning", "request_id provider model upstream_model status ms attempt"),
        "route_rests": _event("warning", "provider upstream_model"),
        "route_serves": _event("info", "provider upstream_model"),
        "vault_failed": _event("error", "user"),
        "answer_not_kept": _event("error", "request_id"),
        "answer_not_opened": _event("error", "request_id"),
        "events_not_kept": _event("error", "request_id"),
        "response_not_kept": _event("error", "request_id"),
        "response_not_opened": _event("error", "request_id"),
        "audit_failed": _event("error", "rows differences"),
        # the life of a process
        "starting": _event("info", "version pid workers host port database data_dir local"),
        "ready": _event("info", "version pid host port ms models providers"),
        "draining": _event("info", "pid open_requests open_streams seconds"),
        "start_failed": _event("error"),
        "stopped": _event("info", "pid ms interrupted"),
        "notice": _event("warning", "detail"),
        "crashed": _event("error", "pid"),
        # the background
        "job_failed": _event("error", "job"),
        "response_run": _event("info", _REQUEST),
        "holds_swept": _event("warning", "node nodes holds messages"),
        "entries_rolled_up": _event("info", "entries left windows"),
        "lease_lost": _event("error", "node seconds"),
        "writer_failed": _event("error", "commands ms"),
        "database_unavailable": _event("error", "ms"),
        "plans_changed": _event("info", "plans"),
        "plans_broken": _event("error"),
        "models_discovered": _event("info", "provider models"),
        "discovery_failed": _event("warning", "provider"),
        "local_pulling": _event("info", "model bytes total percent"),
        "local_starting": _event("info", "model pid"),
        "local_ready": _event("info", "model pid ms"),
        "local_unloaded": _event("info", "model pid seconds"),
        "local_crashed": _event("error", "model pid status restarts seconds"),
        # libraries, through the standard library's logging
        "library": _event("info", "logger detail severity"),
        "library_failed": _event("error", "logger detail severity"),
    }
)
