"""Ends of attempts that nobody follows any more, made of what the ledger has of them. An end that is there is never made again."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from ecs_release.api.ledger import CurrentPart, LedgerCurrent, LedgerEntry, Stage
from ecs_release.domain.decision.attempts import ABANDONED
from ecs_release.domain.ledger.pending_entries import begun
from ecs_release.domain.ports.ledger import Ledger, LedgerWrite
from ecs_release.domain.ports.ledger_acknowledgements import foreign_id
from ecs_release.domain.ports.protocols import Clock

_WHY = "the Release was deleted while it was under way; ECS went on by itself"


class Identity(NamedTuple):
    """A service in an Environment, as the ledger knows it."""

    environment: str
    namespace: str
    project: str
    service: str


class End(NamedTuple):
    """How an attempt ended; `is_new`: the ledger does not know of it yet."""

    entry: LedgerEntry
    is_new: bool


class Ends:
    """Finds ends, and makes those that are lacking. Whatever it does raises Problem where the ledger fails."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        """Ends are made as of the clock's time."""
        self._ledger = ledger
        self._clock = clock

    async def of_current(self, identity: Identity, current: LedgerCurrent) -> End | None:
        """Find the end of the attempt that a current record tells as under way; None where it tells of none."""
        deployed = current.deployed
        if deployed is None or not deployed.attempt_id or deployed.outcome or deployed.time is None:
            return None
        return await self.find(identity, deployed.attempt_id, deployed.time)

    async def find(self, identity: Identity, attempt_id: str, start_time: datetime, outcome: str | None = None) -> End | None:
        """Find an end, or make it of the start; None where there is no start. `outcome` is what was known before the Release went."""
        start, end = await self._ledger.attempt(*identity, attempt_id, begun(attempt_id, start_time) or start_time)
        if end is not None:
            return End(end, is_new=False)
        if start is None:
            return None
        told = {"outcome": outcome, "message": None} if outcome else {"outcome": ABANDONED, "message": _WHY}
        made = start.model_copy(update={"stage": Stage.END, "completion_time": self._clock.now().replace(microsecond=0), **told})
        return End(made, is_new=True)

    async def end(self, identity: Identity, attempt_id: str, start_time: datetime, outcome: str | None = None) -> None:
        """Record the end of an attempt, where it is lacking."""
        found = await self.find(identity, attempt_id, start_time, outcome)
        if found is not None and found.is_new:
            await self._ledger.record(LedgerWrite(entry=found.entry, current=None))

    async def end_foreign(self, identity: Identity, current: LedgerCurrent, known: frozenset[str] = frozenset()) -> None:
        """Record the end of somebody else's deployment that a current record tells as open, unless it is `known`."""
        part = current.foreign
        if part is not None and part.deployment_id and part.time is not None and foreign_id(part.deployment_id) not in known:
            await self.end(identity, foreign_id(part.deployment_id), part.time, part.outcome)


def ended(deployed: CurrentPart | None, end: LedgerEntry | None, now: datetime) -> CurrentPart | None:
    """Say of a latest attempt how it ended: as the ledger has it, else abandoned (also where not even its start was recorded)."""
    if deployed is None or deployed.outcome:
        return deployed
    told = (end.outcome, end.message, end.completion_time or now) if end is not None else (ABANDONED, _WHY, now)
    return deployed.model_copy(update=dict(zip(("outcome", "message", "time"), told, strict=True)))
