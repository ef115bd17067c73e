"""Ids of requests, as ``x-request-id`` and the ledger have them."""

from __future__ import annotations

import os
from time import time_ns


def new_request_id() -> str:
    """``req_`` and 24 hexadecimal digits: the time in units of 2^20 ns, then 52 random bits.

    Ids that follow each other in time lie side by side in the ledger's key, which spares a tenth of
    what writing it costs.
    """
    return f"req_{time_ns() >> 20:011x}{os.urandom(7).hex()[1:]}"
