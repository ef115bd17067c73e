"""The limits that a request counted against, as its hold and its entry name them."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from writingmate.metering.windows import WindowKey


class Applied(NamedTuple):
    """One limit of one request: ``allowed`` when it was held, ``left`` right after it was settled.

    Both are None in rows written before they were kept, ``left`` also in a hold. ``left`` is below 0
    where a provider reported more than was held.
    """

    subject: str
    meter: str
    period: str
    allowed: int | None = None
    left: int | None = None

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.subject}/{self.meter}/{self.period}"

    def key(self, workspace_id: str) -> WindowKey:
        """The row of `windows` that this limit is counted in."""
        return (workspace_id, self.subject, self.meter, self.period)


_parse: Final = msgspec.json.Decoder(tuple[Applied, ...]).decode


def applied(text: str) -> tuple[Applied, ...] | None:
    """The column ``windows`` of a hold or an entry; None where it is not what we write."""
    if text == "[]":
        return ()
    try:
        return _parse(text)
    except msgspec.DecodeError:
        return None
