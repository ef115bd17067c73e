"""Leaf values that every layer may name; they carry data and no behaviour worth a mock.

Units: tokens are provider tokens after normalisation (``prompt_tokens`` includes the cached
ones, ``completion_tokens`` includes reasoning), messages are billed units, times are UNIX
seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NewType, TypeAlias

ModelSlug = NewType("ModelSlug", str)

Endpoint: TypeAlias = Literal["chat.completions", "completions", "responses", "messages"]
DialectName: TypeAlias = Literal["chat", "completions", "responses", "messages", "gemini"]
Tier: TypeAlias = Literal["basic", "pro", "ultimate"]
# What a limit counts. Messages are held and settled; requests are counted over the last minute.
Unit: TypeAlias = Literal["messages", "requests"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request as OpenAI counts them (WIRE §13).

    ``written_tokens`` of the prompt went into a cache; they count like any others, and are told on.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    written_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.written_tokens + other.written_tokens,
        )


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: a user, acting in a workspace, by a developer key.

    ``revision`` is the identity revision these facts were read at; a hold made with an older one
    is refused, which is how a revoked key stops at once in every process. ``daily_cap`` is the
    key's own limit in messages a day. ``byok`` says that the user has an OpenRouter key of their own.
    """

    user_id: str
    workspace_id: str
    key_id: str
    plan: str
    revision: int
    allowed_models: frozenset[str] | None = None
    daily_cap: int | None = None
    byok: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What a workspace may use (PRODUCT §3); None is no limit. Configuration, never code.

    ``tiers`` says which models may be used, ``models`` adds slugs, also as patterns like ``local/*``.
    ``daily_messages`` are messages a UTC day by tier; a tier that it does not name is not limited.
    ``scope`` says whether those, ``requests_per_minute`` and ``images_per_day`` are counted for each
    member or for the workspace as one. ``pool_messages`` is what the whole workspace may use of all
    tiers together in a ``pool_period``; ``video_seconds_per_month`` is the whole workspace's too.
    """

    name: str
    title: str
    tiers: tuple[Tier, ...] = ("basic", "pro", "ultimate")
    models: tuple[str, ...] = ()
    daily_messages: Mapping[Tier, int] = field(default_factory=dict)
    scope: Literal["member", "workspace"] = "member"
    requests_per_minute: int | None = None
    max_body_bytes: int | None = None
    max_upload_bytes: int | None = None
    pool_messages: int | None = None
    pool_period: Literal["month", "lifetime"] = "month"
    video_seconds_per_month: int | None = None
    images_per_day: int | None = None
    byok: bool = True


@dataclass(frozen=True, slots=True)
class Window:
    """One counter: what ``meter`` counts for ``subject`` in ``period``, inside a workspace.

    ``subject`` is ``workspace``, ``user:ID`` or ``key:ID``; ``meter`` such as ``messages:pro`` or
    ``requests``; ``period`` such as ``2026-11-22``, ``2026-11``, ``lifetime`` or ``minute``.
    """

    workspace_id: str
    subject: str
    meter: str
    period: str


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``allowed`` of ``unit`` in ``window``; ``resets_at`` is None for a lifetime pool.

    ``code`` and ``advice`` (a sentence: what would help) are the refusal's.
    """

    window: Window
    allowed: int
    resets_at: int | None = None
    code: str = "daily_limit_reached"
    unit: Unit = "messages"
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests a minute: ``allowed``, those ``remaining``, and the seconds until all are free again."""

    allowed: int
    remaining: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a request may cost at most, and every limit it counts against.

    The token figures are upper bounds: never less than what the provider can report for a
    well-behaved request. With ``least_tokens`` less room than that will do: as many messages are
    held as there are, so long as the prompt and that many tokens of an answer fit.
    """

    model: str
    provider: str
    upstream_model: str
    endpoint: Endpoint
    prompt_tokens: int
    completion_tokens: int
    limits: tuple[Limit, ...] = ()
    least_tokens: int | None = None
    tier: str = ""


@dataclass(frozen=True, slots=True)
class Admission:
    """What a request got: ``messages`` held, which leave ``completion_tokens`` for the answer."""

    messages: int
    completion_tokens: int
    rate: Rate | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a settled request cost. ``remaining`` is the tightest limit's rest, None if none applies."""

    request_id: str
    messages: int
    usage: Usage
    flags: frozenset[str] = frozenset()
    remaining: int | None = None


@dataclass(frozen=True, slots=True)
class Provider:
    """A row: where a provider is, how its key is presented, which dialects it speaks at which path.

    ``paths`` maps a dialect to the path below ``base_url``. ``key_header`` is where the key goes, a
    bearer token in ``authorization`` or itself in another. ``stream_usage`` says whether the
    provider must be asked for a stream's usage with ``stream_options.include_usage``
    (``option``), sends it unasked and refuses the option (``always``). ``list_path`` is where its
    list of models is, below ``base_url``. One that ``gathers`` the models of other vendors lists them by the
    names that are our slugs. ``quirks`` names the provider whose quirks it has, if not those of its own name.
    """

    name: str
    base_url: str
    paths: Mapping[DialectName, str]
    api_key: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    stream_usage: Literal["option", "always"] = "option"
    discovers: bool = False
    gathers: bool = False
    key_header: str = "authorization"
    list_path: str = "/models"
    quirks: str = ""

    def authorized(self) -> dict[str, str]:
        """The headers of a call: the row's own, and the key as the provider wants it."""
        if self.api_key is None:
            return dict(self.headers)
        shown = f"Bearer {self.api_key}" if self.key_header == "authorization" else self.api_key
        return {**self.headers, self.key_header: shown}


@dataclass(frozen=True, slots=True)
class Route:
    """One way to serve a model: a configured provider and the model's name there.

    ``lacks`` are fields of a request that the model there would ignore (`dialects.abilities`).
    """

    provider: Provider
    model: str
    lacks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Pricing:
    """US dollars per million tokens, as decimal strings so that nothing is rounded."""

    input: str
    output: str


@dataclass(frozen=True, slots=True)
class Model:
    """A catalog row with the routes that are configured now, in the order they are tried.

    ``window`` is the context length where it is known, and not taken for granted. ``expires`` is the day
    after which its provider may remove it, like ``2026-12-31``.
    """

    slug: ModelSlug
    name: str
    owned_by: str
    created: int
    tier: Tier
    context_length: int
    max_output_tokens: int
    input_modalities: tuple[str, ...] = ("text",)
    output_modalities: tuple[str, ...] = ("text",)
    endpoints: tuple[str, ...] = ("chat.completions", "completions", "responses", "messages")
    pricing: Pricing | None = None
    routes: tuple[Route, ...] = ()
    window: int | None = None
    expires: str | None = None
