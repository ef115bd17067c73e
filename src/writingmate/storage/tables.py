"""The schema. Every tenant table leads with ``workspace_id``, so that it shards (ARCHITECTURE §1.8).

Times are UNIX seconds as floats, days are ISO dates of the UTC day, counts are integers.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
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
    Column("windows", String, nullable=False),  # JSON: [[subject, meter, period, allowed], …]
    Column("started_at", Double, nullable=False),
    Column("plan", String(64), nullable=False, server_default=""),
    Column("tier", String(16), nullable=False, server_default=""),
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
    Column("windows", String, nullable=False),  # JSON: [[subject, meter, period, allowed, left after it], …]
    Column("flags", String(200), nullable=False),  # sorted words: estimated interrupted overrun …
    Column("upstream_request_id", String(200), nullable=True),
    Column("day", String(10), nullable=False),  # the UTC day of `started_at`: the one it counts on
    Column("started_at", Double, nullable=False),
    Column("settled_at", Double, nullable=False),
    Column("plan", String(64), nullable=False, server_default=""),  # the workspace's, when it was held
    Column("tier", String(16), nullable=False, server_default=""),  # the model's, when it was held
    Index(None, "workspace_id", "started_at"),
)

# What entries that are no longer kept amounted to, by all that reports ask for.
rollups = Table(
    "rollups",
    metadata,
    Column("workspace_id", String(40), primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("user_id", String(40), primary_key=True),
    Column("key_id", String(40), primary_key=True),
    Column("model", String(200), primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("messages", BigInteger, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
)

# What entries that are no longer kept had used of a window.
rolled_windows = Table(
    "rolled_windows",
    metadata,
    Column("workspace_id", String(40), primary_key=True),
    Column("subject", String(64), primary_key=True),
    Column("meter", String(64), primary_key=True),
    Column("period", String(16), primary_key=True),
    Column("used", BigInteger, nullable=False),
)

# Answers to requests that named an Idempotency-Key. The claim is made with the hold, the answer is
# stored with the settlement; while there is neither an answer nor a hold, the key is free again.
answers = Table(
    "answers",
    metadata,
    Column("workspace_id", String(40), primary_key=True),
    Column("user_id", String(40), primary_key=True),
    Column("idempotency_key", String(255), primary_key=True),
    Column("request_hash", LargeBinary(32), nullable=False),  # of endpoint and body
    Column("request_id", String(40), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("answer", LargeBinary, nullable=True),  # sealed by the vault; NULL while the request runs
    Index(None, "expires_at"),
)

# A user's own key of a provider (BYOK), sealed by the vault.
credentials = Table(
    "credentials",
    metadata,
    Column("user_id", String(40), primary_key=True),
    Column("provider", String(64), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("hint", String(16), nullable=False),  # the last characters, to recognise it by
    Column("created_at", Double, nullable=False),
    Column("checked_at", Double, nullable=True),  # when the provider last accepted it
)

# Invitations to a workspace. The link holds a secret of which only the hash is stored.
invitations = Table(
    "invitations",
    metadata,
    Column("workspace_id", String(40), primary_key=True),
    Column("invitation_id", String(40), primary_key=True),
    Column("secret_hash", LargeBinary(32), nullable=False, unique=True),
    Column("email", String(320), nullable=False),
    Column("role", String(16), nullable=False),
    Column("invited_by", String(40), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("accepted_at", Double, nullable=True),
    Column("accepted_by", String(40), nullable=True),
    Column("withdrawn_at", Double, nullable=True),
)

# Responses that are kept, each one turn of a conversation; `previous_response_id` is the turn before.
# One that runs in the background belongs to the node that has claimed it, and to nobody once that is dead.
responses = Table(
    "responses",
    metadata,
    Column("workspace_id", String(40), primary_key=True),
    Column("response_id", String(64), primary_key=True),
    Column("user_id", String(40), nullable=False),
    Column("key_id", String(40), nullable=False),
    Column("request_id", String(40), nullable=False),  # of the attempt that wrote it, which is its entry's
    Column("previous_response_id", String(64), nullable=True),
    Column("status", String(16), nullable=False),
    Column("background", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("items", LargeBinary, nullable=False),  # sealed: the turn's own input items
    Column("response", LargeBinary, nullable=False),  # sealed: the response object
    Column("request", LargeBinary, nullable=True),  # sealed: what the background is to run
    Column("node_id", String(40), nullable=True),
    Column("attempts", Integer, nullable=False),
    Column("cancelled_at", Double, nullable=True),  # when it was asked to stop
    Index(None, "expires_at"),
    Index(None, "background", "status"),
)

# The events of a background response, some to a row, so that a stream of them can be taken up again.
response_events = Table(
    "response_events",
    metadata,
    Column("workspace_id", String(40), primary_key=True),
    Column("response_id", String(64), primary_key=True),
    Column("first", BigInteger, primary_key=True),  # the sequence number of the first of them
    Column("sealed", LargeBinary, nullable=False),
)

# Which response an output item is of, where its id does not say so: it is a provider's own.
response_items = Table(
    "response_items",
    metadata,
    Column("workspace_id", String(40), primary_key=True),
    Column("item_id", String(128), primary_key=True),
    Column("response_id", String(64), primary_key=True),
    Index(None, "workspace_id", "response_id"),
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
    "answers", "credentials", "daily_message_count", "developer_keys", "entries", "holds", "invitations",
    "memberships", "metadata", "nodes", "response_events", "response_items", "responses", "revisions",
    "rolled_windows", "rollups", "signing_keys", "users", "windows", "workspaces",
]  # fmt: skip
