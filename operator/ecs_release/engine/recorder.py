"""Writing the ledger: what statuses tell and it has not got yet, oldest first, until it has it.

Nothing waits for it, and nothing is kept here that a crash would lose: what waits is in statuses (`domain.records`), and is found there
again. What the ledger has is acknowledged in status by the Release's next pass.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ecs_release.api.ledger import LedgerCurrent, LedgerEntry, Stage
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.errors import Problem, Retryable
from ecs_release.domain.facts import Facts
from ecs_release.domain.ports import Clock, Ledger, LedgerWrite, ObjectKey
from ecs_release.domain.records.acknowledgements import Acknowledged, is_known
from ecs_release.domain.records.current import sum_of
from ecs_release.domain.records.entries import writes
from ecs_release.engine.closing import Closer, Identity
from ecs_release.engine.store import ReleaseFacts

log = logging.getLogger(__name__)
audit = logging.getLogger("ecs_release.audit")

_WRITERS = 8
_FIRST_PAUSE_S, _LAST_PAUSE_S, _DEADLINE_S, _REMEMBER_S = 1.0, 60.0, 60.0, 10.0
_LASTS_S = 10.0
"""A fault that passes by itself is said after so long."""


@dataclass(slots=True)
class _Line:
    """What one Release has for the ledger, and since when (seconds of the clock) it has waited."""

    writes: tuple[LedgerWrite, ...]
    since_s: float
    done: set[tuple[str, Stage]] = field(default_factory=set)


class Recorder:
    """Writes what waits. One for the process; without a ledger it does nothing."""

    def __init__(self, ledger: Ledger | None, clock: Clock, again: Callable[[ObjectKey], None], troubled: Callable[[], None]) -> None:
        """`again` has a Release looked at, `troubled` is called when the ledger cannot be written, or can again."""
        self._ledger = ledger
        self._clock = clock
        self._again = again
        self._troubled = troubled
        self._waiting: OrderedDict[ObjectKey, _Line] = OrderedDict()
        self._busy: set[ObjectKey] = set()
        self._acknowledged: dict[ObjectKey, tuple[Acknowledged, ...]] = {}
        self._news = asyncio.Event()
        self._pause_s, self._failing_since_s = _FIRST_PAUSE_S, math.inf
        self.closer = Closer(ledger, clock)
        self.problem: Problem | None = None
        """Why the ledger cannot be written."""
        self.table = ""
        """Its ARN, once it was seen."""
        self.results: defaultdict[str, int] = defaultdict(int)
        """Entries and current records by how writing them went: `ok`, or the problem's class."""

    @property
    def has_ledger(self) -> bool:
        """Whether anything is recorded at all."""
        return self._ledger is not None

    @property
    def waiting(self) -> int:
        """How many Releases have something that the ledger lacks."""
        return len(self._waiting)

    @property
    def oldest_s(self) -> float:
        """For how many seconds the first of them has waited."""
        first = min((line.since_s for line in self._waiting.values()), default=self._clock.monotonic())
        return self._clock.monotonic() - first

    def told(self, key: ObjectKey, facts: Facts) -> Facts:
        """Add what is known of the ledger to a Release's facts."""
        return replace(facts, has_ledger=self.has_ledger, ledger_problem=self.problem, acknowledged=self.acknowledged(key))

    def acknowledged(self, key: ObjectKey) -> tuple[Acknowledged, ...]:
        """Return what the ledger has of a Release since its status was written."""
        return self._acknowledged.get(key, ())

    def decided(self, key: ObjectKey, facts: Facts, status: ReleaseStatus) -> None:
        """A Release's status was accepted, or stands as it was: record what it tells and the ledger lacks."""
        if self._ledger is None or (facts.hold is not None and status.pin is None):
            return
        kept = tuple(a for a in self._acknowledged.pop(key, ()) if not is_known(status, a))
        if kept:
            self._acknowledged[key] = kept
        lacking = writes(facts, status)
        if not lacking:
            self._waiting.pop(key, None)
            return
        before = self._waiting.get(key)
        self._waiting[key] = _Line(lacking, before.since_s if before else self._clock.monotonic(), before.done if before else set())
        self._news.set()

    def left_out(self, key: ObjectKey, entries: tuple[LedgerEntry, ...]) -> None:
        """Write to the audit log what waited too long: neither the ledger nor status has it (any more)."""
        for entry in entries:
            audit.warning("not in the ledger", extra={"object": str(key), "record": entry.to_kubernetes()})

    def gone(self, facts: ReleaseFacts) -> None:
        """A Release was deleted: an attempt that was under way is closed, once all that waits is written."""
        self._acknowledged.pop(facts.key, None)
        self.closer.close(Identity(facts.environment, facts.key.namespace, facts.project, facts.service), facts.key)

    async def remember(self, environment: str, namespace: str, project: str, service: str) -> LedgerCurrent | None:
        """Return what the ledger knows of a service whose Release has no past; None also where it cannot be read just now."""
        if self._ledger is None:
            return None
        try:
            async with asyncio.timeout(_REMEMBER_S):
                return await self._ledger.current(environment, namespace, project, service)
        except (Problem, TimeoutError) as error:
            log.warning("the ledger cannot be asked for the past, our tags are: %s", error, extra={"object": f"{namespace}/{service}"})
            return None

    async def run(self) -> None:
        """Write until cancelled. An error of ours must not end the record for good."""
        if self._ledger is None:
            return
        while True:
            try:
                await self._check(self._ledger)
                async with asyncio.TaskGroup() as group:
                    for _ in range(_WRITERS):
                        group.create_task(self._write(self._ledger))
                    group.create_task(self.closer.run(self._is_clear))
            except Exception:
                log.exception("recording stopped; it begins again")
            await asyncio.sleep(_LAST_PAUSE_S)

    def _is_clear(self, key: ObjectKey) -> bool:
        return key not in self._waiting and self.problem is None

    async def _check(self, ledger: Ledger) -> None:
        """Make sure that the ledger is there, for as long as it takes."""
        while True:
            begun = self._clock.monotonic()
            try:
                async with asyncio.timeout(_DEADLINE_S):
                    self.table = await ledger.check()
            except (Problem, TimeoutError) as error:
                await self._failed(error, begun)
            else:
                self._succeeded()
                self._troubled()
                return

    async def _write(self, ledger: Ledger) -> None:
        while True:
            key = next((k for k in self._waiting if k not in self._busy), None)
            if key is None:
                self._news.clear()
                await self._news.wait()
                continue
            self._busy.add(key)
            try:
                await self._record(ledger, key)
            finally:
                self._busy.discard(key)

    async def _record(self, ledger: Ledger, key: ObjectKey) -> None:
        """Write the first thing that a Release has for the ledger."""
        line = self._waiting[key]
        write = next((w for w in line.writes if w.entry is None or (w.entry.attempt_id, w.entry.stage) not in line.done), None)
        if write is None:
            # All is there, and the status does not say so yet: its next pass does.
            self._waiting.pop(key, None)
            self._again(key)
            return
        begun = self._clock.monotonic()
        try:
            async with asyncio.timeout(_DEADLINE_S):
                number = await ledger.record(write)
        except (Problem, TimeoutError) as error:
            self.results[type(error).__name__] += 1
            await self._failed(error, begun)
            return
        self.results["ok"] += 1
        self._succeeded()
        self._note(key, line, write, number)

    def _note(self, key: ObjectKey, line: _Line, write: LedgerWrite, number: int | None) -> None:
        """Remember what the ledger has until the status says so. A Release that is gone has none."""
        entry, last = write.entry, write is line.writes[-1]
        if entry is not None:
            line.done.add((entry.attempt_id, entry.stage))
        now = self._waiting.get(key)
        current = sum_of(write.current) if write.current is not None else ""
        self._acknowledged[key] = (
            *self._acknowledged.get(key, ()),
            Acknowledged(
                entry.attempt_id if entry else "",
                entry.stage if entry else Stage.START,
                (entry.outcome or "") if entry else "",
                number,
                current,
            ),
        )
        if last and now is line:
            self._waiting.pop(key, None)
            self._again(key)

    async def _failed(self, error: Exception, begun: float) -> None:
        """Wait the fault out, each time longer, up to a minute. One that may pass is said once it has lasted."""
        problem = error if isinstance(error, Problem) else Retryable(f"the ledger gave no answer within {_DEADLINE_S:.0f} s")
        self._failing_since_s = min(begun, self._failing_since_s)
        lasts = self._clock.monotonic() - self._failing_since_s >= _LASTS_S
        if lasts or not isinstance(problem, Retryable):
            self._says(problem)
        pause = self._pause_s
        self._pause_s = min(_LAST_PAUSE_S, 2 * pause)
        await asyncio.sleep(pause)

    def _succeeded(self) -> None:
        self._pause_s, self._failing_since_s = _FIRST_PAUSE_S, math.inf
        self._says(None)

    def _says(self, problem: Problem | None) -> None:
        """Note what ails the ledger; it is told where its reason changes, to all that waits."""
        was, self.problem = self.problem, problem
        if (was.reason if was else "") == (problem.reason if problem else ""):
            return
        if problem is not None:
            log.warning("the ledger cannot be written: %s", problem.message)
        else:
            log.info("the ledger is written again")
        self._troubled()
        for key in list(self._waiting):
            self._again(key)
