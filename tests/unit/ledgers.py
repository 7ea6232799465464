"""A ledger in memory, with the faults that a real one has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime

from ecs_release.api.ledger import LedgerCurrent, LedgerEntry, Stage
from ecs_release.domain.errors import Problem, Retryable
from ecs_release.domain.ports import LedgerWrite


@dataclass
class MemoryLedger:
    """While `problem` is set nothing is written; `lose` has the next answer lost, `before` or `after` it was carried out."""

    problem: Problem | None = None
    lose: str = ""
    entries: dict[tuple[str, str, Stage], LedgerEntry] = field(default_factory=dict)
    refused: list[LedgerEntry] = field(default_factory=list)
    all_currents: dict[tuple[str, str, str, str], LedgerCurrent] = field(default_factory=dict)
    numbers: dict[tuple[str, str, str], int] = field(default_factory=dict)
    asked: int = 0

    def write(self, write: LedgerWrite) -> int | None:
        self.asked += 1
        lose, self.lose = self.lose, ""
        if self.problem is not None:
            raise self.problem
        if lose == "before":
            raise Retryable("lost before")
        number = self._commit(write)
        if lose == "after":
            raise Retryable("lost after")
        return number

    def _commit(self, write: LedgerWrite) -> int | None:
        number = None
        if write.pin and write.release is not None:
            project = (write.release.namespace, write.release.project)
            numbers = [n for (*p, _), n in self.numbers.items() if tuple(p) == project]
            number = self.numbers.setdefault((*project, write.pin), max(numbers, default=0) + 1)
        if write.entry is not None:
            key = (str(write.entry.start_time), write.entry.attempt_id, write.entry.stage)
            if key not in self.entries:
                self.entries[key] = write.entry.model_copy(update={"number": number})
            elif self.entries[key].outcome != write.entry.outcome:
                self.refused.append(write.entry)
        if write.current is not None:
            c = write.current
            identity = (c.environment, c.namespace, c.project, c.service)
            before = self.all_currents.get(identity)
            if before is None or before.observed_time <= c.observed_time:
                self.all_currents[identity] = c
        return number

    async def record(self, write: LedgerWrite) -> int | None:
        return self.write(write)

    async def current(self, environment: str, namespace: str, project: str, service: str) -> LedgerCurrent | None:
        if self.problem is not None:
            raise self.problem
        return self.all_currents.get((environment, namespace, project, service))

    async def currents(self, environment: str) -> AsyncIterator[LedgerCurrent]:
        if self.problem is not None:
            raise self.problem
        for current in list(self.all_currents.values()):
            if current.environment == environment:
                yield current

    async def attempt(
        self, environment: str, namespace: str, project: str, service: str, attempt_id: str, start_time: datetime
    ) -> tuple[LedgerEntry | None, LedgerEntry | None]:
        found = (self.entries.get((str(start_time), attempt_id, stage)) for stage in (Stage.START, Stage.END))
        return next(found), next(found)

    async def check(self) -> str:
        if self.problem is not None:
            raise self.problem
        return "arn:aws:dynamodb:eu-west-1:111122223333:table/ecs-release"

    def stages(self, attempt_id: str) -> list[str]:
        return sorted(str(e.stage) for e in self.entries.values() if e.attempt_id == attempt_id)
