"""End entries of attempts that no Release follows any more, made from their start entries. An end that exists is never replaced."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from ecs_release.api.ledger import CurrentPart, LedgerCurrent, LedgerEntry, Stage
from ecs_release.domain.decision.attempts import ABANDONED
from ecs_release.domain.ledger.pending_entries import start_of
from ecs_release.domain.ports.ledger import Ledger, LedgerWrite
from ecs_release.domain.ports.ledger_acknowledgements import foreign_id
from ecs_release.domain.ports.protocols import Clock

_WHY = "the Release was deleted while it was under way; ECS went on by itself"


class ServiceIdentity(NamedTuple):
    """What identifies a service of an Environment in the ledger."""

    environment: str
    namespace: str
    project: str
    service: str


class AttemptEnd(NamedTuple):
    """The end entry of an attempt; `is_new`: it is not in the ledger yet."""

    entry: LedgerEntry
    is_new: bool


class AttemptEnds:
    """Finds end entries, and makes missing ones. All methods raise Problem if the ledger fails."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        """New entries end at the clock's time."""
        self._ledger = ledger
        self._clock = clock

    async def of_current(self, identity: ServiceIdentity, current: LedgerCurrent) -> AttemptEnd | None:
        """Find the end of the attempt that a current record shows as under way; None if there is none."""
        deployed = current.deployed
        if deployed is None or not deployed.attempt_id or deployed.outcome or deployed.time is None:
            return None
        return await self.find(identity, deployed.attempt_id, deployed.time)

    async def find(self, identity: ServiceIdentity, attempt_id: str, start_time: datetime, outcome: str | None = None) -> AttemptEnd | None:
        """Find an end, or make it from the start; None if there is no start. `outcome` is the last known one, if any."""
        start, end = await self._ledger.attempt(*identity, attempt_id, start_of(attempt_id, start_time) or start_time)
        if end is not None:
            return AttemptEnd(end, is_new=False)
        if start is None:
            return None
        fields = {"outcome": outcome, "message": None} if outcome else {"outcome": ABANDONED, "message": _WHY}
        made = start.model_copy(update={"stage": Stage.END, "completion_time": self._clock.now().replace(microsecond=0), **fields})
        return AttemptEnd(made, is_new=True)

    async def end(self, identity: ServiceIdentity, attempt_id: str, start_time: datetime, outcome: str | None = None) -> None:
        """Record the end of an attempt if it is missing."""
        found = await self.find(identity, attempt_id, start_time, outcome)
        if found is not None and found.is_new:
            await self._ledger.record(LedgerWrite(entry=found.entry, current=None))

    async def end_foreign(self, identity: ServiceIdentity, current: LedgerCurrent, known: frozenset[str] = frozenset()) -> None:
        """Record the end of the foreign deployment that a current record shows as open, unless it is `known`."""
        part = current.foreign
        if part is not None and part.deployment_id and part.time is not None and foreign_id(part.deployment_id) not in known:
            await self.end(identity, foreign_id(part.deployment_id), part.time, part.outcome)


def with_end(deployed: CurrentPart | None, end: LedgerEntry | None, now: datetime) -> CurrentPart | None:
    """Return the latest attempt with its outcome: that of its end entry, else Abandoned (also if not even its start was recorded)."""
    if deployed is None or deployed.outcome:
        return deployed
    fields = (end.outcome, end.message, end.completion_time or now) if end is not None else (ABANDONED, _WHY, now)
    return deployed.model_copy(update=dict(zip(("outcome", "message", "time"), fields, strict=True)))
