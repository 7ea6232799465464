"""Writes the ledger: the entries that statuses contain and the ledger lacks, oldest first of each Release, until they are written.

Nothing waits for it. Pending entries are in statuses (`domain.ledger`), and are found there again after a crash; those of deleted
Releases are in memory only, and go to the audit log if the ledger cannot be written. Written entries are acknowledged in status by the
Release's next pass.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from sys import intern
from types import MappingProxyType

from ecs_release.api.ledger import LedgerCurrent, LedgerEntry
from ecs_release.api.release import Release
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.decision.facts import Facts, LedgerFacts
from ecs_release.domain.ledger.pending_entries import open_attempts, pending_writes, unnamed_due_in_s
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.ports.ledger import Ledger, LedgerWrite
from ecs_release.domain.ports.ledger_acknowledgements import Acknowledgement, foreign_id, known_checksum
from ecs_release.domain.ports.protocols import Clock, ObjectKey
from ecs_release.engine.ledger.end_entries import ServiceIdentity
from ecs_release.engine.ledger.pending_writes import PendingWrites, ReleaseId
from ecs_release.engine.ledger.record_closer import Closing, RecordCloser
from ecs_release.engine.sending.sender import Sender
from ecs_release.engine.store.store import ReleaseFacts

log = logging.getLogger(__name__)
audit = logging.getLogger("ecs_release.audit")

_WRITERS = 8
_GONE = 1000
"""How many deleted Releases are kept, because a pass over them may still be under way."""
_DEADLINE_S, _REMEMBER_S, _BLIND_S = 60.0, 5.0, 30.0
_NONE_OPEN: Mapping[str, datetime] = MappingProxyType({})


@dataclass(slots=True)
class _Followed:
    """A Release that exists, by its last status."""

    uid: str
    identity: ServiceIdentity
    opened: Mapping[str, datetime] | None = None
    """Its open attempts and foreign deployments, start times by id; None: it does not know yet what to follow."""
    unnamed: tuple[LedgerWrite, ...] = ()
    """What is written if it is deleted: no later pass will add who it was once CloudTrail reports it."""
    acknowledged: tuple[Acknowledgement, ...] = ()
    """What the ledger has, and status may not say yet."""


class Recorder:
    """Writes pending entries. One for each process; without a ledger it does nothing. It is the backlog of its sender, by Release."""

    def __init__(
        self,
        ledger: Ledger | None,
        closing: Closing,
        clock: Clock,
        again: Callable[[ObjectKey, float], None],
        problem_changed: Callable[[], None],
    ) -> None:
        """`again` queues a Release after some seconds, `problem_changed` is called if the ledger fails or works again."""
        self._ledger = ledger
        self._clock = clock
        self._again = again
        self._problem_changed = problem_changed
        self._pending: OrderedDict[ReleaseId, PendingWrites] = OrderedDict()
        self._followed: dict[ObjectKey, _Followed] = {}
        self._deleted: OrderedDict[ReleaseId, None] = OrderedDict()
        self._blind_until = 0.0
        self._has_release = closing.has_release
        self.sender: Sender[ReleaseId] = Sender("the ledger", self, clock, self._changed, tasks=_WRITERS, deadline_s=_DEADLINE_S)
        self.closer = RecordCloser(ledger, closing, clock, self._is_written, self._open_ids) if ledger is not None else None
        self.table = ""
        """The ARN of the table, once it was checked."""

    @property
    def has_ledger(self) -> bool:
        """Whether anything is recorded at all."""
        return self._ledger is not None

    @property
    def waiting(self) -> int:
        """How many Releases have pending entries."""
        return len(self._pending)

    @property
    def since_s(self) -> float:
        """Since when the oldest of them has waited."""
        return min((pending.since_s for pending in self._pending.values()), default=math.inf)

    def ledger_facts(self, key: ObjectKey, uid: str) -> LedgerFacts:
        """Return what is known of the ledger about a Release, without reading it."""
        release_id = ReleaseId(key, uid)
        followed = self._find(release_id)
        return LedgerFacts(self.has_ledger, self.sender.problem_of(release_id), followed.acknowledged if followed is not None else ())

    def record_status(self, key: ObjectKey, facts: Facts, status: ReleaseStatus) -> None:
        """Record what an accepted or unchanged status contains and the ledger lacks."""
        if self._ledger is None or (facts.permission.hold is not None and status.pin is None):
            return
        release_id = ReleaseId(key, facts.release.metadata.uid)
        attempts = frozenset((*(e.attempt_id for e in status.history or ()), *(foreign_id(f.deployment_id) for f in status.foreign or ())))
        self._put(release_id, pending_writes(facts, status), attempts, is_new=known_checksum(facts.status) is None)
        followed = self._find(release_id) or _Followed(release_id.uid, _identity_of(facts.release))
        in_s = unnamed_due_in_s(facts, status)
        followed.unnamed = pending_writes(facts, status, unnamed=True) if in_s is not None else ()
        # The status is based on those facts: later acknowledgements are for the next one.
        followed.acknowledged = tuple(a for a in followed.acknowledged if a not in facts.ledger.acknowledged)
        if release_id in self._deleted:
            # It was deleted while the pass was under way.
            followed.opened = open_attempts(status)
            self._leave(release_id, followed)
            return
        if status.pin is not None or status.rollout is not None:
            # A status without both is of a Release that does not know yet what to follow.
            followed.opened = open_attempts(status) or _NONE_OPEN
        self._followed[key] = followed
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
        self._deleted[release_id] = None
        while len(self._deleted) > _GONE:
            self._deleted.popitem(last=False)
        identity = ServiceIdentity(facts.environment, facts.key.namespace, facts.project, facts.service)
        self._leave(release_id, self._unfollow(release_id) or _Followed(facts.uid, identity))

    def forget(self, facts: ReleaseFacts) -> None:
        """Forget a Release that cannot be watched any more, and may still exist. Its pending entries are written all the same."""
        self._unfollow(ReleaseId(facts.key, facts.uid))

    def _leave(self, release_id: ReleaseId, gone: _Followed) -> None:
        if gone.unnamed:
            self._put(release_id, gone.unnamed, frozenset(), is_new=False)
        pending = self._pending.get(release_id)
        if pending is not None:
            pending.is_deleted = True
            if self.sender.is_failing:
                # These entries are lost if the process dies before the ledger works again.
                self.write_audit_log(release_id.key, pending.entries())
        assert self.closer is not None
        self.closer.close(gone.identity, release_id, gone.opened or {})

    def _find(self, release_id: ReleaseId) -> _Followed | None:
        found = self._followed.get(release_id.key)
        return found if found is not None and found.uid == release_id.uid else None

    def _unfollow(self, release_id: ReleaseId) -> _Followed | None:
        found = self._find(release_id)
        return self._followed.pop(release_id.key) if found is not None else None

    def _open_ids(self, identity: ServiceIdentity) -> frozenset[str] | None:
        """Return the ids that the Releases of a service follow; None if there is no Release, or no status of one yet."""
        found = [f.opened for f in self._followed.values() if f.identity == identity and f.opened is not None]
        return frozenset(chain.from_iterable(found)) if found else None

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
        if self.closer is None:
            return
        try:
            # Nothing is written before the table is checked.
            await self.sender.call_until_accepted(self._check)
            async with asyncio.TaskGroup() as group:
                group.create_task(self.sender.run())
                group.create_task(self.closer.sender.run())
        finally:
            for release_id, pending in self._pending.items():
                if pending.is_deleted:
                    self.write_audit_log(release_id.key, pending.entries())

    async def _check(self) -> bool:
        assert self._ledger is not None
        self.table = await self._ledger.check()
        return True

    def _put(self, release_id: ReleaseId, writes: tuple[LedgerWrite, ...], attempts: frozenset[str], *, is_new: bool) -> None:
        """Replace the pending writes of a Release.

        `attempts` are those in its status, `is_new` is whether the ledger has nothing of this Release yet.
        """
        pending = self._pending.get(release_id)
        if not writes:
            self._remove(release_id)
        elif pending is None:
            self._pending[release_id] = PendingWrites(writes, self._clock.monotonic(), attempts if is_new else None)
        else:
            pending.replace(writes, attempts)
        self.sender.wake()

    def _remove(self, release_id: ReleaseId) -> None:
        self._pending.pop(release_id, None)
        self.sender.forget(release_id)

    # The backlog of the sender.

    def next_key(self, is_free: Callable[[ReleaseId], bool]) -> ReleaseId | None:
        """Return the Release that has waited longest since its last write."""
        return next(filter(is_free, self._pending), None)

    async def send(self, key: ReleaseId) -> bool:
        """Write the next entry of a Release. Returns whether there was one. Raises Problem."""
        pending, ledger, closer = self._pending[key], self._ledger, self.closer
        assert ledger is not None and closer is not None
        self._pending.move_to_end(key)
        write = pending.next_write()
        try:
            if write is not None:
                await self._abandon(closer, pending, _identity(write))
                recorded = await ledger.record(write)
                pending.attempts = None
                acknowledgement, followed = pending.mark_written(write, recorded), self._find(key)
                if acknowledgement is not None and followed is not None:
                    followed.acknowledged = (*followed.acknowledged, acknowledgement)
            if pending.next_write() is None and self._pending.get(key) is pending:
                self._remove(key)
                if not pending.is_deleted:
                    # Its status is to say so.
                    self._again(key.key, 0.0)
        finally:
            closer.sender.wake()
        return write is not None

    async def _abandon(self, closer: RecordCloser, pending: PendingWrites, identity: ServiceIdentity) -> None:
        """End what an earlier Release left open, but not attempts of a successor, whose first status is awaited."""
        open_ids = self._open_ids(identity) if pending.is_deleted else frozenset[str]()
        if pending.attempts is not None and (open_ids is not None or not self._has_release(identity)):
            await closer.end_abandoned(identity, pending.attempts | (open_ids or frozenset()))

    def _is_written(self, release_id: ReleaseId) -> bool:
        return release_id not in self._pending and not self.sender.is_busy(release_id)

    def _changed(self, refused: ReleaseId | None) -> None:
        """Queue the Release whose entry is refused, or all that wait, so that their statuses show the problem or its end."""
        self._problem_changed()
        for release_id in (refused,) if refused is not None else tuple(self._pending):
            pending = self._pending.get(release_id)
            if pending is not None and not pending.is_deleted:
                self._again(release_id.key, 0.0)


def _identity_of(release: Release) -> ServiceIdentity:
    spec, namespace = release.spec, release.metadata.namespace or ""
    # Thousands of Releases at rest share these strings.
    return ServiceIdentity(*map(intern, (spec.environment_ref.name, namespace, spec.project_ref.name, spec.service)))


def _identity(write: LedgerWrite) -> ServiceIdentity:
    of = write.entry or write.current
    assert of is not None, "a Release's write has one of them"
    return ServiceIdentity(of.environment, of.namespace, of.project, of.service)
