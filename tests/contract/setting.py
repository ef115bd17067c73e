"""What the SDKs are pointed at: a live gateway, and a provider whose models fail in every way there is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.openai_upstream import HTML_502, FakeOpenAI, Fault
from tests.live import Live, serving, settings_for
from writingmate.settings import ProviderSection, TimeoutSection

CHAT = "chatty/vendor/talker"  # speaks chat only, so completions are translated
TEXT = "both/writer"
NATIVE = "native/vendor/responder"  # speaks responses itself
BREAKING = "both/breaks-off"
RECOVERING = "both/recovers"
PROVIDER_KEY = "sk-operators-own-0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Failure:
    """A model whose provider fails, and what the SDK is to raise."""

    model: str
    fault: Fault
    raises: str
    status: int
    type: str


def _refused(status: int, raises: str, kind: str = "invalid_request_error") -> Failure:
    return Failure(f"both/refuses-{status}", Fault(status=status), raises, status, kind)


def _failed(name: str, fault: Fault, status: int = 502) -> Failure:
    return Failure(f"both/{name}", fault, "InternalServerError", status, "upstream_error")


FAULTS: dict[str, Failure] = {
    "refuses_400": _refused(400, "BadRequestError"),
    "refuses_404": _refused(404, "NotFoundError"),
    "refuses_413": _refused(413, "APIStatusError"),
    "refuses_422": _refused(422, "UnprocessableEntityError"),
    "refuses_429": _refused(429, "RateLimitError", "rate_limit_error"),
    "refuses_the_operator_401": _failed("refuses-401", Fault(status=401)),
    "refuses_the_operator_403": _failed("refuses-403", Fault(status=403)),
    "crashes": _failed("refuses-500", Fault(status=500)),
    "is_behind_a_broken_proxy": _failed("html-502", HTML_502),
    "hangs_up": _failed("hangs-up", Fault(cut=0)),
    "is_silent": _failed("silent", Fault(silent=True), status=504),
}


@dataclass(frozen=True, slots=True)
class Setting:
    """A gateway and the provider behind it."""

    live: Live
    fake: FakeOpenAI

    @property
    def base_url(self) -> str:
        """What an SDK is given."""
        return self.live.api

    @property
    def key(self) -> str:
        """A developer key."""
        return self.live.key


@contextmanager
def staged(fake: FakeOpenAI, folder: Path) -> Iterator[Setting]:
    """The provider told what to do wrong, and the gateway in front of it."""
    for failure in FAULTS.values():
        fake.script(failure.fault, model=failure.model.partition("/")[2])
    fake.script(Fault(error_after=2), model=BREAKING.partition("/")[2])
    fake.script(Fault(status=503), model=RECOVERING.partition("/")[2], times=4)  # each request tries twice
    named = (TEXT, BREAKING, RECOVERING, *(failure.model for failure in FAULTS.values()))
    providers = {
        "both": ProviderSection(
            base_url=fake.base_url,
            api_key=PROVIDER_KEY,
            dialects=("chat", "completions"),
            models=tuple(slug.partition("/")[2] for slug in named),
        ),
        "native": ProviderSection(
            base_url=fake.base_url,
            api_key=PROVIDER_KEY,
            dialects=("chat", "responses"),
            models=(NATIVE.partition("/")[2],),
        ),
        "chatty": ProviderSection(
            base_url=fake.base_url, api_key=PROVIDER_KEY, models=(CHAT.partition("/")[2],)
        ),
    }
    timeouts = TimeoutSection(connect=1.0, first=0.5, idle=5.0)
    with serving(settings_for(folder, providers=providers, timeouts=timeouts)) as live:
        yield Setting(live, fake)
