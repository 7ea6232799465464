"""Closes the ledger's records of deleted Releases: ends their open attempts, and marks the current record as deleted."""

from __future__ import annotations

import logging
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import TypeAlias

from ecs_release.api.ledger import LedgerCurrent
from ecs_release.api.names import RELEASE
from ecs_release.domain.model.errors import Blocked, Denied
from ecs_release.domain.ports.ledger import Ledger, LedgerWrite
from ecs_release.domain.ports.protocols import Clock, ObjectKey
from ecs_release.engine.ledger.end_entries import AttemptEnds, OpenAttempt, ServiceIdentity, open_attempts_of, with_end
from ecs_release.engine.ledger.pending_writes import ReleaseId
from ecs_release.engine.sending.sender import Sender

log = logging.getLogger(__name__)

_RETRY_S, _DEADLINE_S = 10.0, 120.0

Services: TypeAlias = frozenset[tuple[str, str, str]]
"""Namespace, Project and service of each."""


@dataclass(slots=True)
class _DeletedReleases:
    """Deleted Releases of a service. Without `release_ids` they were deleted while no operator was running.

    `opened` are the attempts that they followed: start times by id.
    """

    release_ids: frozenset[ReleaseId] = frozenset()
    opened: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Closing:
    """Which records are closed, and when: those of this installation whose Release is gone.

    A Release that is missing at the start is closed after `grace_s` seconds: a cluster that is being restored gets its objects one by
    one, and the last writes of another replica arrive by then.
    """

    installation: str
    services_of: Callable[[str], Services]
    """Lists an Environment's services with a Release."""
    has_release: Callable[[ServiceIdentity], bool]
    """Returns whether a service has a Release."""
    exists: Callable[[ObjectKey], Awaitable[bool]]
    """Reads a Release from the API server."""
    grace_s: float


class RecordCloser:
    """Closes the records of Releases as they are deleted, and after the start those deleted while no operator was running.

    It is the backlog of a sender, by service and, to look for records, by Environment: what fails here delays no entry.
    """

    since_s = -math.inf
    """Not known: a refusal is always that of one record."""

    def __init__(
        self,
        ledger: Ledger,
        closing: Closing,
        clock: Clock,
        is_written: Callable[[ReleaseId], bool],
        open_ids: Callable[[ServiceIdentity], frozenset[str] | None],
    ) -> None:
        """`is_written` returns whether everything of a Release is written.

        `open_ids` returns the attempts that the Releases of a service follow; None if none has a status yet.
        """
        self._ledger = ledger
        self._ends = AttemptEnds(ledger, clock)
        self._clock = clock
        self._is_written = is_written
        self._open_ids = open_ids
        self.closing = closing
        self.sender: Sender[ServiceIdentity | str] = Sender(
            "the ledger (records of deleted Releases)", self, clock, lambda _: None, deadline_s=_DEADLINE_S
        )
        self._deleted: OrderedDict[ServiceIdentity, _DeletedReleases] = OrderedDict()
        self._environments: set[str] = set()
        self._unswept: OrderedDict[str, None] = OrderedDict()

    def close(self, identity: ServiceIdentity, release_id: ReleaseId, opened: Mapping[str, datetime]) -> None:
        """Close the records of a deleted Release, with these open attempts, once all of its entries are written."""
        before = self._deleted.get(identity, _DeletedReleases())
        # A new object, so that a run under way does not take this for done.
        self._deleted[identity] = _DeletedReleases(before.release_ids | {release_id}, {**before.opened, **opened})
        self.sender.wake()

    def sweep(self, environments: Iterable[str]) -> None:
        """Check each of these Environments once, after a while, for records of Releases deleted while no operator was running."""
        names = set(environments)
        for name in sorted(names - self._environments):
            self._unswept[name] = None
            self.sender.hold(name, self.closing.grace_s)
        self._environments |= names
        self.sender.wake()

    def sweep_again(self) -> None:
        """Check all Environments once more, for Releases deleted in namespaces that could not be watched."""
        names, self._environments = self._environments, set()
        self.sweep(names)

    async def end_abandoned(self, identity: ServiceIdentity, known: frozenset[str]) -> None:
        """End what an earlier Release of the service has left open, unless the present one knows it.

        `known` are the ids of its attempts, and of foreign deployments by `foreign_id`. A Release that was created again while the ledger
        could not be read knows nothing of its predecessor. Raises Problem.
        """
        try:
            current = await self._ledger.current(*identity)
            if current is not None:
                await self._ends.end(identity, open_attempts_of(current), known)
        except Denied:
            raise
        except Blocked as problem:
            # A record that cannot be read must not block writes.
            log.warning("an earlier Release's attempt is not looked for: %s", problem.message, extra={"object": "/".join(identity)})

    # The backlog of the sender.

    def next_key(self, is_free: Callable[[ServiceIdentity | str], bool]) -> ServiceIdentity | str | None:
        """Return an Environment to look through, else a service of which all entries are written."""
        due = (identity for identity, gone in self._deleted.items() if all(map(self._is_written, gone.release_ids)))
        return next((key for key in chain[ServiceIdentity | str](self._unswept, due) if is_free(key)), None)

    async def send(self, key: ServiceIdentity | str) -> bool:
        """Look through an Environment, or close the records of a service. Raises Problem."""
        if isinstance(key, str):
            await self._sweep(key)
            return True
        gone = self._deleted[key]
        self._deleted.move_to_end(key)
        is_done = await self._close(key, gone)
        if not is_done:
            self.sender.hold(key, _RETRY_S)
        elif self._deleted.get(key) is gone:
            del self._deleted[key]
        return is_done

    async def _sweep(self, environment: str) -> None:
        self._unswept.move_to_end(environment)
        known = self.closing.services_of(environment)
        try:
            async for current in self._ledger.currents(environment):
                if current.deleted_time is None and current.installation == self.closing.installation:
                    identity = ServiceIdentity(environment, current.namespace, current.project, current.service)
                    if identity[1:] not in known:
                        self._deleted.setdefault(identity, _DeletedReleases())
        except Denied:
            raise
        except Blocked as problem:
            # A record cannot be read: those after it are found at the next start.
            log.warning("not all records of deleted Releases are looked for: %s", problem.message, extra={"environment": environment})
        self._unswept.pop(environment, None)

    async def _close(self, identity: ServiceIdentity, gone: _DeletedReleases) -> bool:
        """Close the records of a service. Returns whether that is done: if a Release exists again, its first status is awaited."""
        opened = {attempt_id: OpenAttempt(start_time) for attempt_id, start_time in gone.opened.items()}
        if self.closing.has_release(identity):
            open_ids = self._open_ids(identity)
            if open_ids is not None:
                await self._ends.end(identity, opened, open_ids)
            return open_ids is not None or not opened
        current = await self._ledger.current(*identity)
        name = current.release if current is not None else None
        if not gone.release_ids and await self.closing.exists(ObjectKey(RELEASE, identity.namespace, name or "")):
            return True
        if self.closing.has_release(identity):
            return False
        if current is None or current.deleted_time is not None:
            await self._ends.end(identity, opened, ())
            return True
        return await self._close_record(identity, current, opened)

    async def _close_record(self, identity: ServiceIdentity, current: LedgerCurrent, opened: Mapping[str, OpenAttempt]) -> bool:
        found = await self._ends.find(identity, {**opened, **open_attempts_of(current)})
        last = found.pop(current.deployed.attempt_id or "", None) if current.deployed is not None else None
        if self.closing.has_release(identity):
            return False
        # Before the record is closed: closed records are not checked for open attempts.
        await self._ends.record(found.values())
        if self.closing.has_release(identity):
            # Created again meanwhile. If it is created even later its record is written later, and the ledger keeps the latest.
            return False
        now = max(self._clock.now(), current.observed_time)
        deployed = with_end(current.deployed, last.entry if last is not None else None, now)
        closed = current.model_copy(update={"deployed": deployed, "foreign": None, "deleted_time": now, "observed_time": now})
        await self._ledger.record(LedgerWrite(entry=last.entry if last is not None and last.is_new else None, current=closed))
        log.info("closed the record of %s: its Release is gone", "/".join(identity[1:]), extra={"environment": identity.environment})
        return True
