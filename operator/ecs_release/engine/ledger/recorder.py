"""Writes the ledger: the entries that statuses contain and the ledger lacks, oldest first, until they are written.

Nothing waits for it. Pending entries are in statuses (`domain.ledger`), and are found there again after a crash; those of deleted
Releases are in memory only, and go to the audit log if the ledger cannot be written. Written entries are acknowledged in status by the
Release's next pass.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from ecs_release.api.ledger import LedgerCurrent, LedgerEntry
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.decision.facts import Facts, LedgerFacts
from ecs_release.domain.ledger.pending_entries import open_attempts, pending_writes, unnamed_due_in_s
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.ports.ledger import Ledger, LedgerWrite
from ecs_release.domain.ports.ledger_acknowledgements import Acknowledgement, foreign_id, known_checksum
from ecs_release.domain.ports.protocols import Clock, ObjectKey
from ecs_release.engine.ledger.end_entries import ServiceIdentity
from ecs_release.engine.ledger.open_attempts import OpenAttempts
from ecs_release.engine.ledger.record_closer import RecordCloser
from ecs_release.engine.ledger.write_queue import PendingWrites, ReleaseId, WriteQueue
from ecs_release.engine.store.store import ReleaseFacts

log = logging.getLogger(__name__)
audit = logging.getLogger("ecs_release.audit")

_WRITERS = 8
_GONE = 1000
"""How many deleted Releases are kept, because a pass over them may still be under way."""
_DEADLINE_S, _REMEMBER_S, _BLIND_S, _BEGIN_AGAIN_S = 60.0, 5.0, 30.0, 60.0


class Recorder:
    """Writes pending entries. One for each process; without a ledger it does nothing."""

    def __init__(
        self, ledger: Ledger | None, clock: Clock, again: Callable[[ObjectKey, float], None], problem_changed: Callable[[], None]
    ) -> None:
        """`again` queues a Release after some seconds, `problem_changed` is called if the ledger fails or works again."""
        self._ledger = ledger
        self._clock = clock
        self._again = again
        self._problem_changed = problem_changed
        self._queue = WriteQueue(clock, self._changed)
        self._acknowledged: dict[ReleaseId, tuple[Acknowledgement, ...]] = {}
        self._open_attempts = OpenAttempts()
        self._deleted: OrderedDict[ReleaseId, None] = OrderedDict()
        self._unnamed: dict[ReleaseId, tuple[LedgerWrite, ...]] = {}
        self._blind_until = 0.0
        self.closer = RecordCloser(ledger, clock, self._is_written, self._open_attempts.ids_of)
        self.table = ""
        """The ARN of the table, once it was checked."""
        self.results: defaultdict[str, int] = defaultdict(int)
        """Number of writes by result: `ok`, or the problem's class."""

    @property
    def has_ledger(self) -> bool:
        """Whether anything is recorded at all."""
        return self._ledger is not None

    @property
    def problem(self) -> Problem | None:
        """Why the ledger cannot be written."""
        return self._queue.problem

    @property
    def waiting(self) -> int:
        """How many Releases have pending entries."""
        return len(self._queue)

    @property
    def oldest_s(self) -> float:
        """How many seconds the oldest of them has waited."""
        return self._queue.oldest_s

    def ledger_facts(self, key: ObjectKey, uid: str) -> LedgerFacts:
        """Return what is known of the ledger about a Release, without reading it."""
        release_id = ReleaseId(key, uid)
        return LedgerFacts(self.has_ledger, self._queue.problem_of(release_id), self._acknowledged.get(release_id, ()))

    def record_status(self, key: ObjectKey, facts: Facts, status: ReleaseStatus) -> None:
        """Record what an accepted or unchanged status contains and the ledger lacks."""
        if self._ledger is None or (facts.permission.hold is not None and status.pin is None):
            return
        release_id = ReleaseId(key, facts.release.metadata.uid)
        # The status is based on those facts: later acknowledgements are for the next one.
        later = tuple(a for a in self._acknowledged.pop(release_id, ()) if a not in facts.ledger.acknowledged)
        if later:
            self._acknowledged[release_id] = later
        attempts = frozenset((*(e.attempt_id for e in status.history or ()), *(foreign_id(f.deployment_id) for f in status.foreign or ())))
        self._queue.put(release_id, pending_writes(facts, status), attempts, is_new=known_checksum(facts.status) is None)
        in_s = unnamed_due_in_s(facts, status)
        self._unnamed.pop(release_id, None)
        if in_s is not None:
            self._unnamed[release_id] = pending_writes(facts, status, unnamed=True)
        spec = facts.release.spec
        identity = ServiceIdentity(spec.environment_ref.name, key.namespace, spec.project_ref.name, spec.service)
        if release_id in self._deleted:
            # It was deleted while the pass was under way.
            self._leave(release_id, identity, open_attempts(status))
            return
        if status.pin is not None or status.rollout is not None:
            # A status without both is of a Release that does not know yet what to follow.
            self._open_attempts.put(release_id, identity, open_attempts(status))
        if in_s is not None:
            self._again(key, in_s)

    def write_audit_log(self, key: ObjectKey, entries: Sequence[LedgerEntry]) -> None:
        """Write entries to the audit log that neither the ledger nor status will have."""
        for entry in entries:
            audit.warning("not in the ledger", extra={"object": str(key), "record": entry.to_kubernetes()})

    def release_deleted(self, facts: ReleaseFacts) -> None:
        """Close the open attempts of a deleted Release, once its pending entries are written."""
        if self._ledger is None:
            return
        release_id = ReleaseId(facts.key, facts.uid)
        self._acknowledged.pop(release_id, None)
        identity = ServiceIdentity(facts.environment, facts.key.namespace, facts.project, facts.service)
        self._deleted[release_id] = None
        while len(self._deleted) > _GONE:
            self._deleted.popitem(last=False)
        self._leave(release_id, identity, self._open_attempts.remove(release_id))

    def forget(self, facts: ReleaseFacts) -> None:
        """Forget a Release that cannot be watched any more, and may still exist. Its pending entries are written all the same."""
        release_id = ReleaseId(facts.key, facts.uid)
        self._acknowledged.pop(release_id, None)
        self._unnamed.pop(release_id, None)
        self._open_attempts.remove(release_id)

    def _leave(self, release_id: ReleaseId, identity: ServiceIdentity, open_yet: Mapping[str, datetime]) -> None:
        if (unnamed := self._unnamed.pop(release_id, None)) is not None:
            # No later pass will add who it was once CloudTrail reports it.
            self._queue.put(release_id, unnamed, frozenset(), is_new=False)
        pending = self._queue.mark_deleted(release_id)
        if pending is not None and self._queue.is_failing:
            # These entries are lost if the process dies before the ledger works again.
            self.write_audit_log(release_id.key, pending.entries())
        self.closer.close(identity, release_id, open_yet)

    async def recall(self, environment: str, namespace: str, project: str, service: str) -> LedgerCurrent | None:
        """Return the current record of a service whose Release has lost its status; None also if it cannot be read now.

        The record of a deleted Release does not count: what has run since is not drift.
        """
        if self._ledger is None or self._clock.monotonic() < self._blind_until:
            return None
        try:
            async with asyncio.timeout(_REMEMBER_S):
                found = await self._ledger.current(environment, namespace, project, service)
        except (Problem, TimeoutError) as error:
            # Other callers need not wait for the same failure.
            self._blind_until = self._clock.monotonic() + _BLIND_S
            log.warning("the ledger cannot be asked for the past, our tags are: %s", error, extra={"object": f"{namespace}/{service}"})
            return None
        return found if found is None or found.deleted_time is None else None

    async def run(self) -> None:
        """Write until cancelled."""
        if self._ledger is None:
            return
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._check_and_close(self._ledger))
                for _ in range(_WRITERS):
                    group.create_task(self._keep_writing(self._ledger))
        finally:
            for release_id, pending in self._queue.of_deleted():
                self.write_audit_log(release_id.key, pending.entries())

    async def _check_and_close(self, ledger: Ledger) -> None:
        await self._check(ledger)
        await self.closer.run()

    async def _check(self, ledger: Ledger) -> None:
        """Check the table until that succeeds. Nothing is written before."""
        while not self.table:
            begun = self._clock.monotonic()
            try:
                async with asyncio.timeout(_DEADLINE_S):
                    self.table = await ledger.check()
            except (Problem, TimeoutError) as error:
                await asyncio.sleep(self._queue.ledger_failed(error, begun))
            except Exception:
                log.exception("the ledger cannot be looked at; it is tried again")
                await asyncio.sleep(_BEGIN_AGAIN_S)
        self._queue.start()
        self._problem_changed()

    async def _keep_writing(self, ledger: Ledger) -> None:
        while True:
            release_id, pending = await self._queue.next()
            try:
                await self._record(ledger, release_id, pending)
            finally:
                self._queue.done(release_id)

    async def _record(self, ledger: Ledger, release_id: ReleaseId, pending: PendingWrites) -> None:
        """Write the next entry of a Release. A failure does not prevent other writes."""
        write, begun = pending.next_write(), self._clock.monotonic()
        if write is None:
            self._finished(release_id, pending)
            return
        try:
            async with asyncio.timeout(_DEADLINE_S):
                await self._abandon(pending, _identity(write))
                recorded = await ledger.record(write)
                pending.attempts = None
        except (Problem, TimeoutError) as error:
            self.results[type(error).__name__] += 1
            self._queue.failed(release_id, error, begun)
            return
        except Exception as error:
            log.exception("an entry cannot be written", extra={"object": str(release_id.key)})
            self.results["error"] += 1
            self._queue.failed_internally(release_id, error)
            return
        self.results["ok"] += 1
        self._queue.succeeded(release_id)
        if pending.mark_written(write, recorded) and not pending.is_deleted:
            known = self._acknowledged.get(release_id, ())
            self._acknowledged[release_id] = (*known, pending.acknowledgement(write, recorded))
        if pending.next_write() is None:
            self._finished(release_id, pending)

    async def _abandon(self, pending: PendingWrites, identity: ServiceIdentity) -> None:
        """End what an earlier Release left open, but not attempts of a successor, whose first status is awaited."""
        open_ids = self._open_attempts.ids_of(identity) if pending.is_deleted else frozenset[str]()
        if pending.attempts is not None and (open_ids is not None or not self.closer.has_release(identity)):
            await self.closer.end_abandoned(identity, pending.attempts | (open_ids or frozenset()))

    def _finished(self, release_id: ReleaseId, pending: PendingWrites) -> None:
        """Queue a Release whose entries are all written, so that its status says so."""
        if self._queue.remove(release_id, pending) and not pending.is_deleted:
            self._again(release_id.key, 0.0)

    def _is_written(self, release_id: ReleaseId) -> bool:
        return release_id not in self._queue

    def _changed(self, waiting: Sequence[ReleaseId]) -> None:
        """Queue the waiting Releases, so that their statuses show the problem or its end."""
        self._problem_changed()
        for release_id in waiting:
            self._again(release_id.key, 0.0)


def _identity(write: LedgerWrite) -> ServiceIdentity:
    of = write.entry or write.current
    assert of is not None, "a Release's write has one of them"
    return ServiceIdentity(of.environment, of.namespace, of.project, of.service)
