"""Writing the ledger: what statuses tell and it has not got yet, oldest first, until it has it.

Nothing waits for it. What waits is in statuses (`domain.records`), and is found there again after a crash; only of Releases that are gone
it is here alone, and goes to the audit log where the ledger cannot be written. What the ledger has is acknowledged in status by the
Release's next pass.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from ecs_release.api.ledger import LedgerCurrent, LedgerEntry
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ledger.pending_entries import named_in_s, opened, writes
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.ports.ledger import Ledger, LedgerWrite
from ecs_release.domain.ports.ledger_acknowledgements import Acknowledged, current_known, foreign_id
from ecs_release.domain.ports.protocols import Clock, ObjectKey
from ecs_release.engine.ledger.end_entries import Identity
from ecs_release.engine.ledger.record_closer import Closer
from ecs_release.engine.ledger.write_queue import Line, LineKey, Lines
from ecs_release.engine.observation.family_index import Followers
from ecs_release.engine.store.store import ReleaseFacts

log = logging.getLogger(__name__)
audit = logging.getLogger("ecs_release.audit")

_WRITERS = 8
_GONE = 1000
"""Releases that went lately, of which a pass may still be under way."""
_DEADLINE_S, _REMEMBER_S, _BLIND_S, _BEGIN_AGAIN_S = 60.0, 5.0, 30.0, 60.0


class Recorder:
    """Writes what waits. One for the process; without a ledger it does nothing."""

    def __init__(
        self, ledger: Ledger | None, clock: Clock, again: Callable[[ObjectKey, float], None], troubled: Callable[[], None]
    ) -> None:
        """`again` has a Release looked at after some seconds, `troubled` is called when the ledger cannot be written, or can again."""
        self._ledger = ledger
        self._clock = clock
        self._again = again
        self._troubled = troubled
        self._lines = Lines(clock, self._changed)
        self._acknowledged: dict[LineKey, tuple[Acknowledged, ...]] = {}
        self._followers = Followers()
        self._gone: OrderedDict[LineKey, None] = OrderedDict()
        self._unnamed: dict[LineKey, tuple[LedgerWrite, ...]] = {}
        self._blind_until = 0.0
        self.closer = Closer(ledger, clock, self._is_clear, self._followers.of)
        self.table = ""
        """Its ARN, once it was seen."""
        self.results: defaultdict[str, int] = defaultdict(int)
        """Entries and current records by how writing them went: `ok`, or the problem's class."""

    @property
    def has_ledger(self) -> bool:
        """Whether anything is recorded at all."""
        return self._ledger is not None

    @property
    def problem(self) -> Problem | None:
        """Why the ledger cannot be written, whatever it is."""
        return self._lines.problem

    @property
    def waiting(self) -> int:
        """How many Releases have something that the ledger lacks."""
        return len(self._lines)

    @property
    def oldest_s(self) -> float:
        """For how many seconds the first of them has waited."""
        return self._lines.oldest_s

    def told(self, key: ObjectKey, facts: Facts) -> Facts:
        """Add what is known of the ledger to a Release's facts."""
        line_key = LineKey(key, facts.release.metadata.uid)
        problem, known = self._lines.problem_of(line_key), self._acknowledged.get(line_key, ())
        return replace(facts, has_ledger=self.has_ledger, ledger_problem=problem, acknowledged=known)

    def decided(self, key: ObjectKey, facts: Facts, status: ReleaseStatus) -> None:
        """A Release's status was accepted, or stands as it was: record what it tells and the ledger lacks."""
        if self._ledger is None or (facts.hold is not None and status.pin is None):
            return
        line_key = LineKey(key, facts.release.metadata.uid)
        # The status is made of those facts: what was acknowledged since is for the next one.
        later = tuple(a for a in self._acknowledged.pop(line_key, ()) if a not in facts.acknowledged)
        if later:
            self._acknowledged[line_key] = later
        attempts = frozenset((*(e.attempt_id for e in status.history or ()), *(foreign_id(f.deployment_id) for f in status.foreign or ())))
        self._lines.put(line_key, writes(facts, status), attempts, is_new=current_known(facts.status) is None)
        in_s = named_in_s(facts, status)
        self._unnamed.pop(line_key, None)
        if in_s is not None:
            self._unnamed[line_key] = writes(facts, status, named=True)
        spec = facts.release.spec
        identity = Identity(spec.environment_ref.name, key.namespace, spec.project_ref.name, spec.service)
        if line_key in self._gone:
            # It went while the pass over it was under way.
            self._leave(line_key, identity, opened(status))
            return
        if status.pin is not None or status.rollout is not None:
            # Before, it could not know yet what there is to follow.
            self._followers.told(line_key, identity, opened(status))
        if in_s is not None:
            self._again(key, in_s)

    def left_out(self, key: ObjectKey, entries: Sequence[LedgerEntry]) -> None:
        """Write to the audit log what waited too long: neither the ledger nor status will have it."""
        for entry in entries:
            audit.warning("not in the ledger", extra={"object": str(key), "record": entry.to_kubernetes()})

    def gone(self, facts: ReleaseFacts) -> None:
        """A Release was deleted: an attempt that was under way is closed, once all that waits is written."""
        if self._ledger is None:
            return
        line_key = LineKey(facts.key, facts.uid)
        self._acknowledged.pop(line_key, None)
        identity = Identity(facts.environment, facts.key.namespace, facts.project, facts.service)
        self._gone[line_key] = None
        while len(self._gone) > _GONE:
            self._gone.popitem(last=False)
        self._leave(line_key, identity, self._followers.leave(line_key))

    def forget(self, facts: ReleaseFacts) -> None:
        """A Release may be seen no longer: whether it is gone nobody knows. What waits of it is written all the same."""
        line_key = LineKey(facts.key, facts.uid)
        self._acknowledged.pop(line_key, None)
        self._unnamed.pop(line_key, None)
        self._followers.leave(line_key)

    def _leave(self, line_key: LineKey, identity: Identity, open_yet: Mapping[str, datetime]) -> None:
        if (unnamed := self._unnamed.pop(line_key, None)) is not None:
            # Nobody looks at it again once CloudTrail has told who it was.
            self._lines.put(line_key, unnamed, frozenset(), is_new=False)
        line = self._lines.leave(line_key)
        if line is not None and self._lines.fails:
            # Should the process be killed before the ledger is back, nobody else would know.
            self.left_out(line_key.key, line.entries())
        self.closer.close(identity, line_key, open_yet)

    async def remember(self, environment: str, namespace: str, project: str, service: str) -> LedgerCurrent | None:
        """Return what the ledger knows of a service whose Release has no past; None also where it cannot be read just now.

        One that was deleted on purpose has no past: what has run since is nobody's drift.
        """
        if self._ledger is None or self._clock.monotonic() < self._blind_until:
            return None
        try:
            async with asyncio.timeout(_REMEMBER_S):
                found = await self._ledger.current(environment, namespace, project, service)
        except (Problem, TimeoutError) as error:
            # The others that ask meanwhile need not wait for the same.
            self._blind_until = self._clock.monotonic() + _BLIND_S
            log.warning("the ledger cannot be asked for the past, our tags are: %s", error, extra={"object": f"{namespace}/{service}"})
            return None
        return found if found is None or found.deleted_time is None else None

    async def run(self) -> None:
        """Write until cancelled. An error of ours must not end the record for good."""
        if self._ledger is None:
            return
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._check_and_close(self._ledger))
                for _ in range(_WRITERS):
                    group.create_task(self._keep_writing(self._ledger))
        finally:
            for line_key, line in self._lines.left():
                self.left_out(line_key.key, line.entries())

    async def _check_and_close(self, ledger: Ledger) -> None:
        await self._check(ledger)
        await self.closer.run()

    async def _check(self, ledger: Ledger) -> None:
        """Make sure that the ledger is there, for as long as it takes. Nothing is written before."""
        while not self.table:
            begun = self._clock.monotonic()
            try:
                async with asyncio.timeout(_DEADLINE_S):
                    self.table = await ledger.check()
            except (Problem, TimeoutError) as error:
                await asyncio.sleep(self._lines.all_failed(error, begun))
            except Exception:
                log.exception("the ledger cannot be looked at; it is tried again")
                await asyncio.sleep(_BEGIN_AGAIN_S)
        self._lines.open()
        self._troubled()

    async def _keep_writing(self, ledger: Ledger) -> None:
        while True:
            line_key, line = await self._lines.next()
            try:
                await self._record(ledger, line_key, line)
            finally:
                self._lines.done(line_key)

    async def _record(self, ledger: Ledger, line_key: LineKey, line: Line) -> None:
        """Write the first thing that a Release has for the ledger. Whatever goes wrong with it keeps no other from being written."""
        write, begun = line.first(), self._clock.monotonic()
        if write is None:
            self._finished(line_key, line)
            return
        try:
            async with asyncio.timeout(_DEADLINE_S):
                await self._abandon(line, _identity(write))
                recorded = await ledger.record(write)
                line.attempts = None
        except (Problem, TimeoutError) as error:
            self.results[type(error).__name__] += 1
            self._lines.failed(line_key, error, begun)
            return
        except Exception as error:
            log.exception("an entry cannot be written", extra={"object": str(line_key.key)})
            self.results["error"] += 1
            self._lines.broken(line_key, error)
            return
        self.results["ok"] += 1
        self._lines.succeeded(line_key)
        if line.take(write, recorded) and not line.gone:
            known = self._acknowledged.get(line_key, ())
            self._acknowledged[line_key] = (*known, line.acknowledges(write, recorded))
        if line.first() is None:
            self._finished(line_key, line)

    async def _abandon(self, line: Line, identity: Identity) -> None:
        """End what was left open before a Release; where it is gone itself its successor's is not that, and is waited for."""
        followed = self._followers.of(identity) if line.gone else frozenset[str]()
        if line.attempts is not None and (followed is not None or not self.closer.is_there(identity)):
            await self.closer.abandon(identity, line.attempts | (followed or frozenset()))

    def _finished(self, line_key: LineKey, line: Line) -> None:
        """All is there: the status says so with the Release's next pass."""
        if self._lines.remove(line_key, line) and not line.gone:
            self._again(line_key.key, 0.0)

    def _is_clear(self, line_key: LineKey) -> bool:
        return line_key not in self._lines

    def _changed(self, waiting: Sequence[LineKey]) -> None:
        """The ledger cannot be written, or can again: all that waits says so."""
        self._troubled()
        for line_key in waiting:
            self._again(line_key.key, 0.0)


def _identity(write: LedgerWrite) -> Identity:
    of = write.entry or write.current
    assert of is not None, "a Release's write has one of them"
    return Identity(of.environment, of.namespace, of.project, of.service)
