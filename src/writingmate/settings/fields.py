"""What can be set: one annotated field each, with its bounds and the line that the documentation shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from writingmate.types import Pricing, Tier

_DAY = 86400
_Text = Annotated[str, Meta(min_length=1)]
_Count = Annotated[int, Meta(ge=1)]
_Variable = Annotated[str, Meta(pattern="^[A-Za-z_][A-Za-z0-9_]*$")]
#: Responses are translated for every provider.
_Dialects = Annotated[
    tuple[Literal["chat", "completions", "gemini", "messages", "responses"], ...], Meta(min_length=1)
]


@dataclass(frozen=True, slots=True)
class TimeoutSection:
    """``[timeouts]``: how long a provider may take."""

    connect: Annotated[float, Meta(gt=0, le=_DAY, description="Seconds to connect to a provider.")] = 10.0
    first: Annotated[
        float, Meta(gt=0, le=_DAY, description="Seconds until the first byte of a provider's answer.")
    ] = 600.0
    idle: Annotated[
        float, Meta(gt=0, le=_DAY, description="Seconds between two reads of a provider's answer.")
    ] = 300.0
    deadline: Annotated[
        float, Meta(gt=0, le=_DAY, description="Seconds until the first byte of an answer, with all tries.")
    ] = 900.0
    tries: Annotated[
        int, Meta(ge=1, le=10, description="How often one provider is asked before the next is.")
    ] = 2
    hedge: Annotated[
        float,
        Meta(
            ge=0,
            le=_DAY,
            description="Seconds of silence until the next provider is asked as well; 0: never.",
        ),
    ] = 0.0


@dataclass(frozen=True, slots=True)
class ProviderSection:
    """``[providers.NAME]``: a further provider, or what differs for a shipped one."""

    base_url: Annotated[
        str | None,
        Meta(description="Where the provider is, with its version, like `https://host/v1`."),
    ] = None
    api_key: Annotated[
        _Text | None, Meta(description="The provider's key; a variable that is set wins over it.")
    ] = field(default=None, repr=False)
    api_key_env: Annotated[
        _Variable | None, Meta(description="The environment variable that holds the key.")
    ] = None
    dialects: Annotated[
        _Dialects | None,
        Meta(
            description='What it speaks, of `["chat", "completions", "responses"]`; a new one: `["chat"]`. '
            '`["messages"]`: it is called as Anthropic is; `["gemini"]`: as Google is.'
        ),
    ] = None
    headers: Annotated[dict[str, str], Meta(description="Further headers of every request to it.")] = field(
        default_factory=dict, repr=False
    )
    models: Annotated[
        tuple[str, ...], Meta(description="Its own names of its models; each is served as `NAME/model`.")
    ] = ()
    discover: Annotated[
        bool | None,
        Meta(
            description="Ask it for its list of models; each is served as `NAME/model`. "
            "[OpenRouter](openrouter.md) is asked unless this is `false`."
        ),
    ] = None
    quirks: Annotated[
        _Text | None,
        Meta(
            description="Whose [quirks](quirks.md) it has: a shipped provider's, like `mistral`, or `none`."
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class RouteSection:
    """One of a model's ``routes``: which provider serves it, and under what name."""

    provider: _Text
    model: _Text


@dataclass(frozen=True, slots=True)
class ModelSection:
    """``[models."vendor/model"]``: a further model, or what differs for one of the catalog."""

    name: Annotated[_Text | None, Meta(description="The name people read.")] = None
    created: Annotated[_Count | None, Meta(description="When it was released, in UNIX seconds.")] = None
    context_length: Annotated[_Count | None, Meta(description="Tokens of prompt and answer together.")] = None
    max_output_tokens: Annotated[_Count | None, Meta(description="Tokens of the longest answer.")] = None
    tier: Annotated[
        Tier | None, Meta(description="`basic`, `pro` or `ultimate`; left out, the price decides.")
    ] = None
    input_modalities: Annotated[
        tuple[str, ...] | None,
        Meta(description="What it reads, of `text`, `image`, `file`, `audio`, `video`."),
    ] = None
    output_modalities: Annotated[tuple[str, ...] | None, Meta(description="What it writes: `text`.")] = None
    pricing: Annotated[
        Pricing | None,
        Meta(description='US dollars per million tokens: `{input = "0.30", output = "2.50"}`.'),
    ] = None
    routes: Annotated[
        tuple[RouteSection, ...] | None,
        Meta(description="`[{provider = …, model = …}]`, best first; an empty list hides the model."),
    ] = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything an operator can set; read it with `read_settings`.

    ``environ`` holds only the variables that may concern providers. ``settings_file`` is the TOML
    file that was read, to name it in errors.
    """

    host: Annotated[str, Meta(min_length=1, description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on; 0 takes a free one.")] = 8000
    workers: Annotated[int, Meta(ge=1, le=256, description="Server processes on this machine.")] = 1
    data_dir: Annotated[
        Path, Meta(description="Folder for the database, cached model lists and local models.")
    ] = Path("data")
    database_url: Annotated[
        str,
        Meta(description="`sqlite:////path/file.db` or `postgresql://…`; by default a file in `data_dir`."),
    ] = field(default="", repr=False)
    public_url: Annotated[
        str, Meta(description="The address that callers use; by default `http://host:port`.")
    ] = ""
    local: Annotated[
        bool, Meta(description="Serve the embedded models: `on` or `off`; in the file `true` or `false`.")
    ] = True
    local_model_file: Annotated[
        Path | None,
        Meta(description="A model file of your own, used where its digest is an embedded model's."),
    ] = None
    plans: Annotated[
        Path | None,
        Meta(description="A TOML file of plans, laid over those that ship; read again when it changes."),
    ] = None
    vault_keys: Annotated[
        Path | None,
        Meta(description="The file of master keys, the same on every node; by default in `data_dir`."),
    ] = None
    max_body_bytes: Annotated[
        int, Meta(ge=1024, le=1 << 32, description="Bytes of the largest request body.")
    ] = 32 << 20
    drain_seconds: Annotated[
        float, Meta(ge=0, le=_DAY, description="Seconds that open requests get to finish after SIGTERM.")
    ] = 30.0
    comment_seconds: Annotated[
        float, Meta(gt=0, le=_DAY, description="Seconds of silence in a stream before a keep-alive comment.")
    ] = 15.0
    body_seconds: Annotated[
        float, Meta(gt=0, le=_DAY, description="Seconds that a request's body may take to arrive.")
    ] = 30.0
    header_seconds: Annotated[
        float, Meta(gt=0, le=_DAY, description="Seconds that a request's headers may take to arrive.")
    ] = 10.0
    lease_seconds: Annotated[
        float,
        Meta(ge=1, le=_DAY, description="Seconds without a heartbeat until others settle a node's holds."),
    ] = 30.0
    retention_days: Annotated[
        int,
        Meta(
            ge=0,
            le=36_500,
            description="Days that requests stay in the ledger one by one; 0 keeps them for ever.",
        ),
    ] = 400
    idempotency_hours: Annotated[
        float, Meta(gt=0, le=720, description="Hours that an answer is kept for its `Idempotency-Key`.")
    ] = 24.0
    responses_days: Annotated[
        int,
        Meta(
            ge=0,
            le=36_500,
            description="Days that responses are kept after their conversation's last turn; 0 keeps none.",
        ),
    ] = 30
    background_at_once: Annotated[
        int, Meta(ge=1, le=10_000, description="Background responses that a process runs at the same time.")
    ] = 16
    timeouts: TimeoutSection = field(default_factory=TimeoutSection)
    providers: dict[str, ProviderSection] = field(default_factory=dict)
    models: dict[str, ModelSection] = field(default_factory=dict)
    settings_file: Path | None = None
    environ: dict[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        data_dir = self.data_dir.expanduser().absolute()
        object.__setattr__(self, "data_dir", data_dir)
        if self.plans is not None:
            object.__setattr__(self, "plans", self.plans.expanduser().absolute())
        if not self.database_url:
            object.__setattr__(self, "database_url", f"sqlite:///{data_dir / 'writingmate.db'}")
        if not self.public_url:
            object.__setattr__(self, "public_url", f"http://{_reachable(self.host)}:{self.port}")


def _reachable(host: str) -> str:
    """A host that a client on this machine can name: wildcards mean loopback, IPv6 wants brackets."""
    loopback = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared, not bound
    return f"[{loopback}]" if ":" in loopback else loopback
