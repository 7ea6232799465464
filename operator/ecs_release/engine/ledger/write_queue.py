"""What waits for the ledger: a line for each Release, in the order that they came; who is tried when after a failure."""

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
from ecs_release.domain.ledger.current_record import sum_of
from ecs_release.domain.model.errors import Blocked, Denied, Problem, Retryable
from ecs_release.domain.ports.ledger import LedgerWrite, Recorded
from ecs_release.domain.ports.ledger_acknowledgements import Acknowledged
from ecs_release.domain.ports.protocols import Clock, ObjectKey

log = logging.getLogger(__name__)

_FIRST_PAUSE_S, _LAST_PAUSE_S = 1.0, 60.0
_LASTS_S = 10.0
"""A fault that passes by itself is said after so long."""
_A_MOMENT = timedelta(microseconds=1)


class LineKey(NamedTuple):
    """A Release, and which of those that bear its name one after the other."""

    key: ObjectKey
    uid: str


@dataclass(slots=True)
class Line:
    """What one Release has for the ledger; `since_s` is since when it has waited. `gone`: the Release is, and no status will say more.

    `attempts` are those that its status knows, where the ledger has nothing of this Release yet: what is open there of an earlier one must
    be ended first. None: nothing need be looked for.
    """

    writes: tuple[LedgerWrite, ...]
    since_s: float
    gone: bool = False
    not_before_s: float = 0.0
    pause_s: float = _FIRST_PAUSE_S
    problem: Problem | None = None
    taken: set[tuple[str, Stage]] = field(default_factory=set)
    has_current: bool = False
    attempts: frozenset[str] | None = None

    def first(self) -> LedgerWrite | None:
        """Return what is to be written next; None where all is there."""
        lacking = (w for w in self.writes if (w.entry is not None and _name(w.entry) not in self.taken) or self._lacks_current(w))
        return next(lacking, None)

    def _lacks_current(self, write: LedgerWrite) -> bool:
        return write.entry is None and not self.has_current

    def take(self, write: LedgerWrite, recorded: Recorded) -> bool:
        """Note what was written. A current record that another process said later, by its clock, is said again, just after that.

        But not for a Release that is gone: its record is closed by now, or another one's. Returns whether there is anything to acknowledge.
        """
        if write.entry is not None:
            self.taken.add(_name(write.entry))
        if recorded.newer is not None and write.current is not None and not self.gone:
            # What comes last says most.
            latest = self.writes[-1].current or write.current
            again = latest.model_copy(update={"observed_time": recorded.newer + _A_MOMENT})
            later = tuple(w for w in self.writes if w.entry is not None and _name(w.entry) not in self.taken)
            self.writes = (*later, LedgerWrite(None, again))
            self.has_current = False
            return write.entry is not None
        self.has_current = self.has_current or (write.entry is None and any(write is w for w in self.writes))
        return True

    def acknowledges(self, write: LedgerWrite, recorded: Recorded) -> Acknowledged:
        """Say for the status what the ledger has."""
        current = sum_of(write.current) if write.current is not None and recorded.newer is None else ""
        if write.entry is None:
            return Acknowledged(current=current)
        return Acknowledged(write.entry.attempt_id, write.entry.stage, recorded.outcome, recorded.number, current)

    def entries(self) -> list[LedgerEntry]:
        """List the entries that wait."""
        return [w.entry for w in self.writes if w.entry is not None and _name(w.entry) not in self.taken]


class Lines:
    """All lines. A fault of the ledger's holds all of them, one of an entry's own only its line."""

    def __init__(self, clock: Clock, changed: Callable[[Sequence[LineKey]], None]) -> None:
        """`changed` is called with all that waits when the ledger cannot be written, or can again."""
        self._clock = clock
        self._changed = changed
        self._lines: OrderedDict[LineKey, Line] = OrderedDict()
        self._busy: set[LineKey] = set()
        self._news = asyncio.Event()
        self._closed_until = math.inf
        self._pause_s, self._failing_since_s = _FIRST_PAUSE_S, math.inf
        self._succeeded_s = -math.inf
        self.problem: Problem | None = None

    def __len__(self) -> int:
        """Count those that wait."""
        return len(self._lines)

    def __contains__(self, line_key: LineKey) -> bool:
        """Tell whether a Release has anything for the ledger, or on its way there."""
        return line_key in self._lines or line_key in self._busy

    @property
    def oldest_s(self) -> float:
        """For how many seconds the first has waited."""
        now = self._clock.monotonic()
        return now - min((line.since_s for line in self._lines.values()), default=now)

    @property
    def fails(self) -> bool:
        """Whether the latest try to write failed, for whatever reason and however short a time ago."""
        return self.problem is not None or math.isfinite(self._failing_since_s)

    def problem_of(self, line_key: LineKey) -> Problem | None:
        """Say why a Release's entries cannot be written."""
        line = self._lines.get(line_key)
        return (line.problem if line else None) or self.problem

    def put(self, line_key: LineKey, writes: tuple[LedgerWrite, ...], attempts: frozenset[str], *, is_new: bool) -> None:
        """Have a Release's line hold this, and nothing else.

        `attempts` are those that its status knows, `is_new` tells whether the ledger has nothing of this Release yet.
        """
        before = self._lines.get(line_key)
        if not writes:
            self._lines.pop(line_key, None)
            return
        if before is None:
            self._lines[line_key] = Line(writes, self._clock.monotonic(), attempts=attempts if is_new else None)
        else:
            # What is under way goes on, and is not written again; a current record of before is not the one that is meant now.
            before.writes, before.has_current = writes, False
            before.taken &= {_name(w.entry) for w in writes if w.entry is not None}
            before.attempts = None if before.attempts is None else before.attempts | attempts
        self._news.set()

    def leave(self, line_key: LineKey) -> Line | None:
        """Note that a Release is gone. Returns its line, if it has one."""
        line = self._lines.get(line_key)
        if line is not None:
            line.gone = True
        return line

    def left(self) -> Iterator[tuple[LineKey, Line]]:
        """Yield the lines of Releases that are gone."""
        yield from ((k, line) for k, line in self._lines.items() if line.gone)

    async def next(self) -> tuple[LineKey, Line]:
        """Wait for a line that may be tried now, and hold it until `done`."""
        while True:
            now = self._clock.monotonic()
            wakes_s = max(0.0, self._closed_until - now)
            if wakes_s == 0.0:
                wakes_s = math.inf
                for line_key, line in self._lines.items():
                    if line_key not in self._busy:
                        if line.not_before_s <= now:
                            self._busy.add(line_key)
                            return line_key, line
                        wakes_s = min(wakes_s, line.not_before_s - now)
            self._news.clear()
            try:
                async with asyncio.timeout(wakes_s if math.isfinite(wakes_s) else None):
                    await self._news.wait()
            except TimeoutError:
                pass

    def done(self, line_key: LineKey) -> None:
        """Let a line go. It is the last in turn now."""
        self._busy.discard(line_key)
        if line_key in self._lines:
            self._lines.move_to_end(line_key)
            self._news.set()

    def remove(self, line_key: LineKey, line: Line) -> bool:
        """Take a line away, unless another took its place meanwhile. Returns whether it was taken."""
        if self._lines.get(line_key) is not line:
            return False
        del self._lines[line_key]
        return True

    def open(self) -> None:
        """The ledger is there: begin."""
        self._closed_until = 0.0
        self._news.set()

    def succeeded(self, line_key: LineKey) -> None:
        """Something was written."""
        self._pause_s, self._failing_since_s, self._succeeded_s = _FIRST_PAUSE_S, math.inf, self._clock.monotonic()
        self._closed_until = min(self._closed_until, self._clock.monotonic())
        line = self._lines.get(line_key)
        if line is not None:
            line.problem, line.pause_s, line.not_before_s = None, _FIRST_PAUSE_S, 0.0
        self._says(None)

    def failed(self, line_key: LineKey, error: Problem | TimeoutError, begun: float) -> None:
        """Something was not written. What AWS says of one entry holds that line alone."""
        if isinstance(error, Blocked) and not isinstance(error, Denied):
            self._hold(line_key, error)
        else:
            self.all_failed(error, begun)

    def broken(self, line_key: LineKey, error: Exception) -> None:
        """A defect of ours holds one line."""
        self._hold(line_key, Blocked(Reason.REJECTED_BY_AWS, f"an entry cannot be written: {type(error).__name__}: {error}; see the log"))

    def all_failed(self, error: Problem | TimeoutError, begun: float) -> float:
        """Wait a fault of the ledger's out, each time longer, up to a minute; one that may pass is said once it has lasted.

        Returns the seconds until the next try.
        """
        problem = error if isinstance(error, Problem) else Retryable("the ledger gave no answer in time")
        now = self._clock.monotonic()
        self._failing_since_s = min(begun, self._failing_since_s)
        if now - self._failing_since_s >= _LASTS_S or not isinstance(problem, Retryable):
            self._says(problem)
        pause_s = self._pause_s
        if now >= self._closed_until or math.isinf(self._closed_until):
            # Those that were under way together fail together: they are one sign, not many.
            self._pause_s = min(_LAST_PAUSE_S, 2 * pause_s)
            self._closed_until = self._closed_until if math.isinf(self._closed_until) else now + pause_s
        return pause_s

    def _hold(self, line_key: LineKey, problem: Problem) -> None:
        line = self._lines.get(line_key)
        if line is None:
            return
        if line.problem is None:
            log.warning("cannot be recorded: %s", problem.message, extra={"object": str(line_key.key)})
        first, line.problem = line.problem is None, problem
        waiting = self._lines.values()
        if all(other.problem is not None for other in waiting) and self._succeeded_s < min(other.since_s for other in waiting):
            # Nothing at all could be written since the first of them came: it is not the entries.
            self._says(problem)
        line.not_before_s = self._clock.monotonic() + line.pause_s
        line.pause_s = min(_LAST_PAUSE_S, 2 * line.pause_s)
        if first and not line.gone:
            self._changed([line_key])

    def _says(self, problem: Problem | None) -> None:
        """Note what ails the ledger; it is told where its reason changes."""
        was, self.problem = self.problem, problem
        if (was.reason if was else "") == (problem.reason if problem else ""):
            return
        if problem is not None:
            log.warning("the ledger cannot be written: %s", problem.message)
        else:
            log.info("the ledger is written again")
        self._changed([k for k, line in self._lines.items() if not line.gone])


def _name(entry: LedgerEntry) -> tuple[str, Stage]:
    return entry.attempt_id, entry.stage
