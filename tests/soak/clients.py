"""What a client of the soak asks, and what it got before its gateway was killed, it left, or all was well."""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass

from tests.chaos.clients import ask
from tests.fakes.openai_script import Fault
from tests.fakes.openai_upstream import Wish

# What the provider does, by model; every other request is answered well. The figures of `large` make two
# messages, those of `more` three, which is two more than its hold.
FAULTS = {
    "well": Fault(delay=0.03, pace=0.004),
    "slow": Fault(delay=0.15, pace=0.02),
    "large": Fault(
        delay=0.05,
        wish=Wish(
            usage={
                "prompt_tokens": 19_000,
                "completion_tokens": 3_000,
                "prompt_tokens_details": {"cached_tokens": 4_000},
            }
        ),
    ),
    "more": Fault(delay=0.02, wish=Wish(usage={"prompt_tokens": 40_000, "completion_tokens": 10})),
    "cut": Fault(delay=0.02, cut=900),
    "no-usage": Fault(delay=0.02, usage=False),
}
WEIGHTS = {"well": 8, "slow": 4, "large": 3, "more": 1, "cut": 1, "no-usage": 1}
MAX_TOKENS = {"large": 30_000}
LEAVING = (None, None, None, None, 0, 1, 400, 900)  # bytes of the answer after which it leaves

_REQUEST_ID = re.compile(rb"\r\nx-request-id: (\S+)\r\n", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
_CODE = re.compile(rb'"code": ?"(\w+)"')


@dataclass(frozen=True, slots=True)
class Order:
    """One request. ``tag`` is in its prompt and in no other."""

    tag: str
    model: str
    stream: bool
    leave_after: int | None

    @property
    def body(self) -> dict[str, object]:
        """What is sent."""
        prompt = f"Reply with exactly: {self.tag} one two three four five"
        return {
            "model": f"fake/{self.model}",
            "stream": self.stream,
            "max_tokens": MAX_TOKENS.get(self.model, 100),
            "messages": [{"role": "user", "content": prompt}],
        }


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of it. ``status`` is 0 where nothing came, ``whole`` says that all of an answer did."""

    order: Order
    status: int
    request_id: str
    whole: bool
    code: str


def choose(chance: random.Random, tag: str) -> Order:
    """Any request."""
    model = chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    return Order(tag, model, chance.random() < 0.5, chance.choice(LEAVING))


async def send(api: str, key: str, order: Order) -> Heard:
    """Ask, and read until the end, whatever that is; a connection that is refused or reset is one."""
    try:
        answer = await ask(api, key, order.body, leave_after=order.leave_after)
    except OSError:
        return Heard(order, 0, "", whole=False, code="")
    return read(order, answer.text)


def read(order: Order, received: bytes) -> Heard:
    """What so many bytes of an answer say."""
    head, blank, body = received.partition(b"\r\n\r\n")
    if not blank:
        return Heard(order, 0, "", whole=False, code="")
    head += b"\r\n"
    request_id = _REQUEST_ID.search(head)
    length = _LENGTH.search(head)
    status = int(head.split(b" ", 2)[1])
    ended = body.endswith(b"0\r\n\r\n") if length is None else len(body) == int(length[1])
    done = b"data: [DONE]" in body if order.stream else ended and _is_json(body)
    code = _CODE.search(body) if status != 200 else None
    return Heard(
        order,
        status,
        request_id[1].decode() if request_id else "",
        whole=status == 200 and ended and done,
        code=code[1].decode() if code else "",
    )


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True
