"""The schema. Every tenant table leads with ``workspace_id``, so that it shards (ARCHITECTURE §1.8).

Times are UNIX seconds as floats, days are ISO dates of the UTC day, counts are integers.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

users = Table(
    "users",
    metadata,
    Column("user_id", String(40), primary_key=True),
    Column("email", String(320), nullable=False, unique=True),
    Column("home_workspace_id", String(40), nullable=False),
    Column("current_workspace_id", String(40), nullable=False),
    Column("created_at", Double, nullable=False),
)

workspaces = Table(
    "workspaces",
    metadata,
    Column("workspace_id", String(40), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("plan", String(64), nullable=False),
    Column("created_at", Double, nullable=False),
)

memberships = Table(
    "memberships",
    metadata,
    Column("workspace_id", String(40), primary_key=True),
    Column("user_id", String(40), primary_key=True),
    Column("role", String(16), nullable=False),  # OWNER, MEMBER
    Column("status", String(16), nullable=False),  # INVITED, ACTIVE
    Column("created_at", Double, nullable=False),
    Index(None, "user_id"),
)

# A key belongs to a user; `workspace_id` is set where it is pinned to one workspace.
developer_keys = Table(
    "developer_keys",
    metadata,
    Column("key_id", String(40), primary_key=True),
    Column("user_id", String(40), nullable=False),
    Column("workspace_id", String(40), nullable=True),
    Column("name", String(200), nullable=False),
    Column("prefix", String(64), nullable=False),
    Column("secret_hash", LargeBinary(32), nullable=False),
    Column("allowed_models", String, nullable=True),  # a JSON list of slugs; NULL allows all
    Column("daily_cap", Integer, nullable=True),  # messages a day; NULL for none
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=True),
    Column("revoked_at", Double, nullable=True),
    Column("last_used_at", Double, nullable=True),
    Index(None, "user_id"),
)

# Several verify, one signs: the newest whose `signs_from` has passed. It is shared before it signs.
signing_keys = Table(
    "signing_keys",
    metadata,
    Column("signing_key_id", String(40), primary_key=True),
    Column("secret", LargeBinary(64), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("signs_from", Double, nullable=False),
    Column("retired_at", Double, nullable=True),
)

# One row a subject; bumped in the transaction of every change, read in that of every hold.
revisions = Table(
    "revisions",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

# A running process that holds; its lease is over when `heartbeat_at` is too old.
nodes = Table(
    "nodes",
    metadata,
    Column("node_id", String(40), primary_key=True),
    Column("started_at", Double, nullable=False),
    Column("heartbeat_at", Double, nullable=False),
    Column("lease_seconds", Double, nullable=False),
)

# Requests under way. A row leaves in the transaction that writes its entry.
holds = Table(
    "holds",
    metadata,
    Column("workspace_id", String(40), primary_key=True),
    Column("request_id", String(40), primary_key=True),
    Column("node_id", String(40), nullable=False),
    Column("user_id", String(40), nullable=False),
    Column("key_id", String(40), nullable=False),
    Column("model", String(200), nullable=False),
    Column("provider", String(64), nullable=False),
    Column("upstream_model", String(200), nullable=False),
    Column("endpoint", String(32), nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),  # the bound
    Column("completion_tokens", BigInteger, nullable=False),  # the bound
    Column("messages", BigInteger, nullable=False),  # held against every window named
    Column("windows", String, nullable=False),  # JSON: [[subject, meter, period], …]
    Column("started_at", Double, nullable=False),
    Index(None, "node_id"),
)

# The counters behind limits: `used + held <= allowed` at every instant.
windows = Table(
    "windows",
    metadata,
    Column("workspace_id", String(40), primary_key=True),
    Column("subject", String(64), primary_key=True),
    Column("meter", String(64), primary_key=True),
    Column("period", String(16), primary_key=True),
    Column("used", BigInteger, nullable=False),
    Column("held", BigInteger, nullable=False),
)

# The ledger: append-only, one row a request, never content.
entries = Table(
    "entries",
    metadata,
    Column("workspace_id", String(40), primary_key=True),
    Column("request_id", String(40), primary_key=True),
    Column("user_id", String(40), nullable=False),
    Column("key_id", String(40), nullable=False),
    Column("model", String(200), nullable=False),
    Column("provider", String(64), nullable=False),
    Column("upstream_model", String(200), nullable=False),
    Column("endpoint", String(32), nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
    Column("messages", BigInteger, nullable=False),
    Column("held_messages", BigInteger, nullable=False),
    Column("windows", String, nullable=False),  # as in `holds`
    Column("flags", String(200), nullable=False),  # sorted words: estimated interrupted overrun …
    Column("upstream_request_id", String(200), nullable=True),
    Column("day", String(10), nullable=False),  # the UTC day of `started_at`: the one it counts on
    Column("started_at", Double, nullable=False),
    Column("settled_at", Double, nullable=False),
    Index(None, "workspace_id", "started_at"),
)

daily_message_count = Table(
    "daily_message_count",
    metadata,
    Column("workspace_id", String(40), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("user_id", String(40), primary_key=True),
    Column("model", String(200), primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
)

__all__ = [
    "daily_message_count",
    "developer_keys",
    "entries",
    "holds",
    "memberships",
    "metadata",
    "nodes",
    "revisions",
    "signing_keys",
    "users",
    "windows",
    "workspaces",
]
