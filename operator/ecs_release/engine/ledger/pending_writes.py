"""The writes of one Release that the ledger lacks: which is next, and what became of those that were made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from ecs_release.api.ledger import LedgerEntry, Stage
from ecs_release.domain.ledger.current_record import checksum
from ecs_release.domain.ports.ledger import LedgerWrite, RecordResult
from ecs_release.domain.ports.ledger_acknowledgements import Acknowledgement
from ecs_release.domain.ports.protocols import ObjectKey

_A_MOMENT = timedelta(microseconds=1)


class ReleaseId(NamedTuple):
    """A Release with its uid: Releases of one name may follow each other."""

    key: ObjectKey
    uid: str


@dataclass(slots=True)
class PendingWrites:
    """The pending writes of one Release, waiting since `since_s`. `is_deleted`: the Release is deleted, and has no further status.

    `attempts` are those in its status, if the ledger has nothing of this Release yet: open attempts of an earlier Release must be ended
    first. None: there is nothing to check.
    """

    writes: tuple[LedgerWrite, ...]
    since_s: float
    attempts: frozenset[str] | None = None
    is_deleted: bool = False
    written: set[tuple[str, Stage] | None] = field(default_factory=set)
    """The entries that the ledger has; None: it has the current record that is written alone."""

    def replace(self, writes: tuple[LedgerWrite, ...], attempts: frozenset[str]) -> None:
        """Take the writes of a later status. One under way goes on, and is not repeated.

        An earlier current record does not replace the present one.
        """
        self.writes = writes
        self.written &= {_name(w) for w in writes if w.entry is not None}
        self.attempts = None if self.attempts is None else self.attempts | attempts

    def next_write(self) -> LedgerWrite | None:
        """Return the next write; None if all are done."""
        return next(self._lacking(), None)

    def entries(self) -> list[LedgerEntry]:
        """List the pending entries."""
        return [w.entry for w in self._lacking() if w.entry is not None]

    def _lacking(self) -> Iterator[LedgerWrite]:
        return (w for w in self.writes if _name(w) not in self.written)

    def mark_written(self, write: LedgerWrite, recorded: RecordResult) -> Acknowledgement | None:
        """Note a write, and return its acknowledgement, for the status; None if there is nothing to say, or no status any more.

        If another process has written a later current record, by its clock, ours is written again, with a later time. That is not so for
        a deleted Release: its record is closed by now, or a successor's.
        """
        if write.entry is not None or any(write is w for w in self.writes):
            self.written.add(_name(write))
        if self.is_deleted:
            return None
        current = checksum(write.current) if write.current is not None and recorded.newer is None else ""
        if write.current is not None and recorded.newer is not None:
            # The last one is the most recent.
            latest = self.writes[-1].current or write.current
            again = latest.model_copy(update={"observed_time": recorded.newer + _A_MOMENT})
            self.writes = (*(w for w in self._lacking() if w.entry is not None), LedgerWrite(None, again))
            self.written.discard(None)
        if write.entry is None:
            return Acknowledgement(current=current) if current else None
        return Acknowledgement(write.entry.attempt_id, write.entry.stage, recorded.outcome, recorded.number, current)


def _name(write: LedgerWrite) -> tuple[str, Stage] | None:
    return (write.entry.attempt_id, write.entry.stage) if write.entry is not None else None
