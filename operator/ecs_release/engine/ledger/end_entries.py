"""End entries of attempts that no Release follows any more, made from their start entries. An end that exists is never replaced."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
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


class OpenAttempt(NamedTuple):
    """When an attempt (or a foreign deployment) began that has no end yet, and its last known outcome, if any."""

    start_time: datetime
    outcome: str | None = None


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

    async def find(self, identity: ServiceIdentity, attempts: Mapping[str, OpenAttempt]) -> dict[str, AttemptEnd]:
        """Find the ends of attempts, or make them from their starts. One without a start has none."""
        found: dict[str, AttemptEnd] = {}
        for attempt_id, (start_time, outcome) in attempts.items():
            start, end = await self._ledger.attempt(*identity, attempt_id, start_of(attempt_id, start_time) or start_time)
            if end is not None:
                found[attempt_id] = AttemptEnd(end, is_new=False)
            elif start is not None:
                fields = {"outcome": outcome, "message": None} if outcome else {"outcome": ABANDONED, "message": _WHY}
                now = self._clock.now().replace(microsecond=0)
                made = start.model_copy(update={"stage": Stage.END, "completion_time": now, **fields})
                found[attempt_id] = AttemptEnd(made, is_new=True)
        return found

    async def end(self, identity: ServiceIdentity, attempts: Mapping[str, OpenAttempt], known: Collection[str]) -> None:
        """Record the missing ends of attempts that are not `known`."""
        await self.record((await self.find(identity, {k: attempt for k, attempt in attempts.items() if k not in known})).values())

    async def record(self, ends: Iterable[AttemptEnd]) -> None:
        """Record the new ones."""
        for end in ends:
            if end.is_new:
                await self._ledger.record(LedgerWrite(entry=end.entry, current=None))


def open_attempts_of(current: LedgerCurrent) -> dict[str, OpenAttempt]:
    """Return what a current record shows as under way: the latest attempt, and a foreign deployment."""
    found, deployed, foreign = dict[str, OpenAttempt](), current.deployed, current.foreign
    if deployed is not None and deployed.attempt_id and not deployed.outcome and deployed.time is not None:
        found[deployed.attempt_id] = OpenAttempt(deployed.time)
    if foreign is not None and foreign.deployment_id and foreign.time is not None:
        found[foreign_id(foreign.deployment_id)] = OpenAttempt(foreign.time, foreign.outcome)
    return found


def with_end(deployed: CurrentPart | None, end: LedgerEntry | None, now: datetime) -> CurrentPart | None:
    """Return the latest attempt with its outcome: that of its end entry, else Abandoned (also if not even its start was recorded)."""
    if deployed is None or deployed.outcome:
        return deployed
    fields = (end.outcome, end.message, end.completion_time or now) if end is not None else (ABANDONED, _WHY, now)
    return deployed.model_copy(update=dict(zip(("outcome", "message", "time"), fields, strict=True)))
