"""The ledger as a protocol: what is written together, what is returned, and what is read. `aws.ledger` implements it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ecs_release.api.ledger import LedgerCurrent, LedgerEntry, LedgerRelease


@dataclass(frozen=True, slots=True)
class LedgerWrite:
    """What is recorded in one transaction.

    `entry` is an attempt's start or end (None: only the current record changes); `current` replaces what was current (None: leave it);
    `pin` is the key of what is deployed: equal artifacts, equal release number (empty: none is wanted); `release` is what to put down
    for a new number, which the store fills in.
    """

    entry: LedgerEntry | None
    current: LedgerCurrent | None
    pin: str = ""
    release: LedgerRelease | None = None


@dataclass(frozen=True, slots=True)
class RecordResult:
    """What the ledger has after a write.

    `number` is the entry's release number (None if no pin), `outcome` the attempt's outcome by the entry in the ledger: one that was there
    before stays as it is. `newer` is the time of the ledger's current record if that is newer than ours, and was left as it is.
    """

    number: int | None = None
    outcome: str = ""
    newer: datetime | None = None


class Ledger(Protocol):
    """The lasting record of attempts and of what is current."""

    async def record(self, write: LedgerWrite) -> RecordResult:
        """Record once, however often it is called with the same entry.

        Raises Retryable (throttled, unreachable, contention), Denied, Blocked.
        """

    async def current(self, environment: str, namespace: str, project: str, service: str) -> LedgerCurrent | None:
        """Return what is current of a service: a consistent read."""

    def currents(self, environment: str) -> AsyncIterator[LedgerCurrent]:
        """Yield what is current of all services of an Environment."""

    async def attempt(
        self, environment: str, namespace: str, project: str, service: str, attempt_id: str, start_time: datetime
    ) -> tuple[LedgerEntry | None, LedgerEntry | None]:
        """Return an attempt's start and end."""

    async def check(self) -> str:
        """Check that the ledger exists, and return its table's ARN."""
