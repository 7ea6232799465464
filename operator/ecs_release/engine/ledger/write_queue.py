"""The queue of pending ledger writes, by Release in order of arrival, and when they are retried after a failure."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from ecs_release.api.conditions import Reason
from ecs_release.api.ledger import LedgerEntry, Stage
from ecs_release.domain.ledger.current_record import checksum
from ecs_release.domain.model.errors import Blocked, Denied, Problem, Retryable
from ecs_release.domain.ports.ledger import LedgerWrite, RecordResult
from ecs_release.domain.ports.ledger_acknowledgements import Acknowledgement
from ecs_release.domain.ports.protocols import Clock, ObjectKey

log = logging.getLogger(__name__)

_FIRST_PAUSE_S, _LAST_PAUSE_S = 1.0, 60.0
_LASTS_S = 10.0
"""A temporary fault is reported once it has lasted this long."""
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
    is_deleted: bool = False
    not_before_s: float = 0.0
    pause_s: float = _FIRST_PAUSE_S
    problem: Problem | None = None
    written: set[tuple[str, Stage]] = field(default_factory=set)
    has_current: bool = False
    attempts: frozenset[str] | None = None

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


class WriteQueue:
    """The pending writes of all Releases. A fault of the ledger delays all, a fault of one entry only its Release's."""

    def __init__(self, clock: Clock, changed: Callable[[Sequence[ReleaseId]], None]) -> None:
        """`changed` is called with the waiting Releases if the ledger fails or works again."""
        self._clock = clock
        self._changed = changed
        self._pending: OrderedDict[ReleaseId, PendingWrites] = OrderedDict()
        self._busy: set[ReleaseId] = set()
        self._news = asyncio.Event()
        self._closed_until = math.inf
        self._pause_s, self._failing_since_s = _FIRST_PAUSE_S, math.inf
        self._succeeded_s = -math.inf
        self.problem: Problem | None = None

    def __len__(self) -> int:
        """Return the number of Releases with pending writes."""
        return len(self._pending)

    def __contains__(self, release_id: ReleaseId) -> bool:
        """Return whether a Release has pending writes, or one under way."""
        return release_id in self._pending or release_id in self._busy

    @property
    def oldest_s(self) -> float:
        """How many seconds the oldest has waited."""
        now = self._clock.monotonic()
        return now - min((pending.since_s for pending in self._pending.values()), default=now)

    @property
    def is_failing(self) -> bool:
        """Whether the latest attempt to write failed."""
        return self.problem is not None or math.isfinite(self._failing_since_s)

    def problem_of(self, release_id: ReleaseId) -> Problem | None:
        """Return why a Release's entries cannot be written."""
        pending = self._pending.get(release_id)
        return (pending.problem if pending else None) or self.problem

    def put(self, release_id: ReleaseId, writes: tuple[LedgerWrite, ...], attempts: frozenset[str], *, is_new: bool) -> None:
        """Replace the pending writes of a Release.

        `attempts` are those in its status, `is_new` is whether the ledger has nothing of this Release yet.
        """
        before = self._pending.get(release_id)
        if not writes:
            self._pending.pop(release_id, None)
            return
        if before is None:
            self._pending[release_id] = PendingWrites(writes, self._clock.monotonic(), attempts=attempts if is_new else None)
        else:
            # A write under way goes on, and is not repeated; an earlier current record does not replace the present one.
            before.writes, before.has_current = writes, False
            before.written &= {_name(w.entry) for w in writes if w.entry is not None}
            before.attempts = None if before.attempts is None else before.attempts | attempts
        self._news.set()

    def mark_deleted(self, release_id: ReleaseId) -> PendingWrites | None:
        """Note that a Release is deleted. Returns its pending writes, if any."""
        pending = self._pending.get(release_id)
        if pending is not None:
            pending.is_deleted = True
        return pending

    def of_deleted(self) -> Iterator[tuple[ReleaseId, PendingWrites]]:
        """Yield the pending writes of deleted Releases."""
        yield from ((k, pending) for k, pending in self._pending.items() if pending.is_deleted)

    async def next(self) -> tuple[ReleaseId, PendingWrites]:
        """Wait for a Release whose writes are due, and reserve it until `done`."""
        while True:
            now = self._clock.monotonic()
            wakes_s = max(0.0, self._closed_until - now)
            if wakes_s == 0.0:
                wakes_s = math.inf
                for release_id, pending in self._pending.items():
                    if release_id not in self._busy:
                        if pending.not_before_s <= now:
                            self._busy.add(release_id)
                            return release_id, pending
                        wakes_s = min(wakes_s, pending.not_before_s - now)
            self._news.clear()
            try:
                async with asyncio.timeout(wakes_s if math.isfinite(wakes_s) else None):
                    await self._news.wait()
            except TimeoutError:
                pass

    def done(self, release_id: ReleaseId) -> None:
        """End the reservation. The Release goes to the end of the queue."""
        self._busy.discard(release_id)
        if release_id in self._pending:
            self._pending.move_to_end(release_id)
            self._news.set()

    def remove(self, release_id: ReleaseId, pending: PendingWrites) -> bool:
        """Remove pending writes, unless they were replaced meanwhile. Returns whether they were removed."""
        if self._pending.get(release_id) is not pending:
            return False
        del self._pending[release_id]
        return True

    def start(self) -> None:
        """Start, once the table is checked."""
        self._closed_until = 0.0
        self._news.set()

    def succeeded(self, release_id: ReleaseId) -> None:
        """Note a successful write."""
        self._pause_s, self._failing_since_s, self._succeeded_s = _FIRST_PAUSE_S, math.inf, self._clock.monotonic()
        self._closed_until = min(self._closed_until, self._clock.monotonic())
        pending = self._pending.get(release_id)
        if pending is not None:
            pending.problem, pending.pause_s, pending.not_before_s = None, _FIRST_PAUSE_S, 0.0
        self._set_problem(None)

    def failed(self, release_id: ReleaseId, error: Problem | TimeoutError, begun: float) -> None:
        """Note a failed write. A refusal of one entry delays only its Release."""
        if isinstance(error, Blocked) and not isinstance(error, Denied):
            self._hold_back(release_id, error)
        else:
            self.ledger_failed(error, begun)

    def failed_internally(self, release_id: ReleaseId, error: Exception) -> None:
        """Note a defect of ours: it delays one Release."""
        self._hold_back(
            release_id, Blocked(Reason.REJECTED_BY_AWS, f"an entry cannot be written: {type(error).__name__}: {error}; see the log")
        )

    def ledger_failed(self, error: Problem | TimeoutError, begun: float) -> float:
        """Pause after a fault of the ledger, each time longer, up to a minute. A temporary fault is reported once it has lasted.

        Returns the seconds until the next try.
        """
        problem = error if isinstance(error, Problem) else Retryable("the ledger gave no answer in time")
        now = self._clock.monotonic()
        self._failing_since_s = min(begun, self._failing_since_s)
        if now - self._failing_since_s >= _LASTS_S or not isinstance(problem, Retryable):
            self._set_problem(problem)
        pause_s = self._pause_s
        if now >= self._closed_until or math.isinf(self._closed_until):
            # Concurrent writes fail together: count them as one failure.
            self._pause_s = min(_LAST_PAUSE_S, 2 * pause_s)
            self._closed_until = self._closed_until if math.isinf(self._closed_until) else now + pause_s
        return pause_s

    def _hold_back(self, release_id: ReleaseId, problem: Problem) -> None:
        pending = self._pending.get(release_id)
        if pending is None:
            return
        if pending.problem is None:
            log.warning("cannot be recorded: %s", problem.message, extra={"object": str(release_id.key)})
        first, pending.problem = pending.problem is None, problem
        waiting = self._pending.values()
        if all(other.problem is not None for other in waiting) and self._succeeded_s < min(other.since_s for other in waiting):
            # Nothing could be written since the first of them was queued: the cause is the ledger, not the entries.
            self._set_problem(problem)
        pending.not_before_s = self._clock.monotonic() + pending.pause_s
        pending.pause_s = min(_LAST_PAUSE_S, 2 * pending.pause_s)
        if first and not pending.is_deleted:
            self._changed([release_id])

    def _set_problem(self, problem: Problem | None) -> None:
        """Set why the ledger fails, if it does; it is reported if its reason changes."""
        was, self.problem = self.problem, problem
        if (was.reason if was else "") == (problem.reason if problem else ""):
            return
        if problem is not None:
            log.warning("the ledger cannot be written: %s", problem.message)
        else:
            log.info("the ledger is written again")
        self._changed([k for k, pending in self._pending.items() if not pending.is_deleted])


def _name(entry: LedgerEntry) -> tuple[str, Stage]:
    return entry.attempt_id, entry.stage
