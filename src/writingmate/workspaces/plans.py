"""The plans of this installation: read at start, and again whenever the operator's file changes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final, TypeAlias

from writingmate.errors import ConfigurationError, InvalidRequest, PermissionDenied
from writingmate.settings import nearest
from writingmate.telemetry import log
from writingmate.types import Plan, Principal
from writingmate.workspaces import plan_file

REFRESH_SECONDS: Final = 2.0

_Stamp: TypeAlias = tuple[int, int, int] | None


class Plans:
    """What each plan allows; one a process. A job calls `refresh` every `REFRESH_SECONDS`.

    Args:
        file: the operator's plans, laid over those that ship (setting ``plans``); None for none.

    Raises:
        ConfigurationError: the file cannot be read or is wrong; each mistake with its line.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._stamp = _stamp(file)
        self._plans = {plan.name: plan for plan in plan_file.effective(file)}

    def get(self, name: str) -> Plan | None:
        """The plan of that name, if it is configured."""
        return self._plans.get(name)

    def all(self) -> tuple[Plan, ...]:
        """Every plan, in the order of the files."""
        return tuple(self._plans.values())

    def of(self, principal: Principal) -> Plan:
        """The plan of the workspace that the caller acts in.

        Raises:
            PermissionDenied: it is not configured: what nothing says is allowed, is not.
        """
        plan = self._plans.get(principal.plan)
        if plan is None:
            raise PermissionDenied(
                f"This workspace's plan `{principal.plan}` is not configured on this server: no model may be "
                "used. Ask the operator to put the workspace on another plan.",
                code="model_not_in_plan",
            )
        return plan

    def require(self, name: str) -> Plan:
        """The plan that a workspace is to be put on. Raises InvalidRequest, naming the nearest there is."""
        plan = self._plans.get(name)
        if plan is None:
            advice = nearest(name, self._plans)
            raise InvalidRequest(f"There is no plan {name!r}; {advice}", param="plan")
        return plan

    async def refresh(self) -> None:
        """Read the file again if it has changed. A wrong one changes nothing and is logged once."""
        if self._file is not None:
            await asyncio.to_thread(self._reread, self._file)

    def _reread(self, file: Path) -> None:
        stamp = _stamp(file)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            plans = plan_file.effective(file)
        except ConfigurationError as error:
            log.failure("plans_broken", error)
            return
        self._plans = {plan.name: plan for plan in plans}
        log.event("plans_changed", plans=len(plans))


def _stamp(file: Path | None) -> _Stamp:
    """Tells one state of the file from another without reading it; None where it is not there."""
    try:
        found = file.stat() if file is not None else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino) if found else None
