"""A ledger in memory, with what may go wrong with a real one. tests/contract/test_ledger.py holds it to what the real one does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from ecs_release.api.ledger import LedgerCurrent, LedgerEntry, LedgerRelease, Stage
from ecs_release.domain.model.errors import Ambiguous, Blocked, Denied, Problem, Retryable, Throttled
from ecs_release.domain.ports.ledger import LedgerWrite, RecordResult

DOWN = Retryable("dynamodb:TransactWriteItems on ledger: EndpointConnectionError: no route")
THROTTLED = Throttled("dynamodb:TransactWriteItems on ledger: AWS asks to slow down (ThrottlingException)")
DENIED = Denied("dynamodb:TransactWriteItems on ledger: no policy allows it (AccessDeniedException)")
MISSING = Blocked("RejectedByAWS", "there is no DynamoDB table ledger")
LOST = Ambiguous("dynamodb:TransactWriteItems on ledger: ReadTimeoutError: no answer")


class FakeLedger:
    """Entries by key, current records, numbers.

    `problem` is raised by every call while it is set; each of `faults` once by a `record`, in order (None: that one goes well). What is
    Ambiguous is carried out and raised all the same. `records` counts calls of `record`, whatever became of them.
    """

    def __init__(self) -> None:
        self.entries: dict[tuple[str, ...], LedgerEntry] = {}
        self.current_records: dict[tuple[str, str, str, str], LedgerCurrent] = {}
        self.numbers: dict[tuple[str, str, str], int] = {}
        self.releases: dict[tuple[str, str, int], LedgerRelease] = {}
        self.problem: Problem | None = None
        self.faults: list[Problem | None] = []
        self.records = 0

    async def record(self, write: LedgerWrite) -> RecordResult:
        self.records += 1
        fault = self.problem or (self.faults.pop(0) if self.faults else None)
        if fault is not None and not isinstance(fault, Ambiguous):
            raise fault
        recorded = self._record(write)
        if fault is not None:
            raise fault
        return recorded

    async def current(self, environment: str, namespace: str, project: str, service: str) -> LedgerCurrent | None:
        self._check()
        return self.current_records.get((environment, namespace, project, service))

    async def currents(self, environment: str) -> AsyncIterator[LedgerCurrent]:
        self._check()
        for key in sorted(self.current_records):
            if key[0] == environment:
                yield self.current_records[key]

    async def attempt(
        self, environment: str, namespace: str, project: str, service: str, attempt_id: str, start_time: datetime
    ) -> tuple[LedgerEntry | None, LedgerEntry | None]:
        self._check()
        key = (environment, namespace, project, service, start_time.isoformat(), attempt_id)
        return self.entries.get((*key, Stage.START)), self.entries.get((*key, Stage.END))

    async def check(self) -> str:
        self._check()
        return "arn:aws:dynamodb:eu-west-1:111122223333:table/ledger"

    # For tests.

    def of_attempt(self, attempt_id: str) -> list[LedgerEntry]:
        """List an attempt's entries, oldest first."""
        return [entry for entry in self.entries.values() if entry.attempt_id == attempt_id]

    def _check(self) -> None:
        if self.problem is not None:
            raise self.problem

    def _record(self, write: LedgerWrite) -> RecordResult:
        entry = write.entry
        key = _key(entry) if entry is not None else ()
        known = self.entries.get(key)
        number = known.number if known is not None else self._number(write)
        if entry is not None and known is None:
            self.entries[key] = entry.model_copy(update={"number": number or entry.number})
        newer = self._replace(_numbered(write.current, entry.attempt_id if entry else None, number)) if write.current else None
        outcome = (self.entries[key].outcome or "") if entry is not None else ""
        return RecordResult(number, outcome, newer)

    def _replace(self, current: LedgerCurrent) -> datetime | None:
        key = (current.environment, current.namespace, current.project, current.service)
        known = self.current_records.get(key)
        if known is not None and known.observed_time > current.observed_time:
            return known.observed_time
        self.current_records[key] = current
        return None

    def _number(self, write: LedgerWrite) -> int | None:
        if not write.pin:
            return None
        of: Any = write.entry or write.current or write.release
        key = (of.namespace, of.project, write.pin)
        if key not in self.numbers:
            number = self.numbers[key] = 1 + sum(k[:2] == key[:2] for k in self.numbers)
            if write.release is not None:
                self.releases[of.namespace, of.project, number] = write.release.model_copy(update={"number": number})
        return self.numbers[key]


def _key(entry: LedgerEntry) -> tuple[str, ...]:
    parts = (entry.environment, entry.namespace, entry.project, entry.service, entry.start_time.isoformat(), entry.attempt_id, entry.stage)
    return tuple(map(str, parts))


def _numbered(current: LedgerCurrent, attempt_id: str | None, number: int | None) -> LedgerCurrent:
    """Fill the number in where the record says what the attempt deployed."""
    if attempt_id is None or number is None:
        return current
    parts = {name: getattr(current, name) for name in ("wanted", "deployed", "ready")}
    filled = {n: p.model_copy(update={"number": p.number or number}) for n, p in parts.items() if p and p.attempt_id == attempt_id}
    return current.model_copy(update=filled)
