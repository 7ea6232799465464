"""The writes of one Release that the ledger lacks: which is next, and what became of those that were made."""

from __future__ import annotations

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
    written: set[tuple[str, Stage]] = field(default_factory=set)
    has_current: bool = False

    def replace(self, writes: tuple[LedgerWrite, ...], attempts: frozenset[str]) -> None:
        """Take the writes of a later status. One under way goes on, and is not repeated.

        An earlier current record does not replace the present one.
        """
        self.writes, self.has_current = writes, False
        self.written &= {_name(w.entry) for w in writes if w.entry is not None}
        self.attempts = None if self.attempts is None else self.attempts | attempts

    def next_write(self) -> LedgerWrite | None:
        """Return the next write; None if all are done."""
        lacking = (w for w in self.writes if (w.entry is not None and _name(w.entry) not in self.written) or self._lacks_current(w))
        return next(lacking, None)

    def _lacks_current(self, write: LedgerWrite) -> bool:
        return write.entry is None and not self.has_current

    def mark_written(self, write: LedgerWrite, recorded: RecordResult) -> bool:
        """Note a write. If another process has written a later current record, by its clock, ours is written again, with a later time.

        That is not so for a deleted Release: its record is closed by now, or a successor's. Returns whether to acknowledge the write.
        """
        if write.entry is not None:
            self.written.add(_name(write.entry))
        if recorded.newer is not None and write.current is not None and not self.is_deleted:
            # The last one is the most recent.
            latest = self.writes[-1].current or write.current
            again = latest.model_copy(update={"observed_time": recorded.newer + _A_MOMENT})
            later = tuple(w for w in self.writes if w.entry is not None and _name(w.entry) not in self.written)
            self.writes = (*later, LedgerWrite(None, again))
            self.has_current = False
            return write.entry is not None
        self.has_current = self.has_current or (write.entry is None and any(write is w for w in self.writes))
        return True

    def acknowledgement(self, write: LedgerWrite, recorded: RecordResult) -> Acknowledgement:
        """Return the acknowledgement of a write, for the status."""
        current = checksum(write.current) if write.current is not None and recorded.newer is None else ""
        if write.entry is None:
            return Acknowledgement(current=current)
        return Acknowledgement(write.entry.attempt_id, write.entry.stage, recorded.outcome, recorded.number, current)

    def entries(self) -> list[LedgerEntry]:
        """List the pending entries."""
        return [w.entry for w in self.writes if w.entry is not None and _name(w.entry) not in self.written]


def _name(entry: LedgerEntry) -> tuple[str, Stage]:
    return entry.attempt_id, entry.stage
