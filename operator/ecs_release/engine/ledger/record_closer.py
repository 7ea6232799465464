"""Closes the ledger's records of deleted Releases: ends their open attempts, and marks the current record as deleted."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from ecs_release.api.ledger import LedgerCurrent
from ecs_release.api.names import RELEASE
from ecs_release.domain.model.errors import Blocked, Denied, Problem
from ecs_release.domain.ports.ledger import Ledger, LedgerWrite
from ecs_release.domain.ports.protocols import Clock, ObjectKey
from ecs_release.engine.ledger.end_entries import AttemptEnds, ServiceIdentity, with_end
from ecs_release.engine.ledger.write_queue import ReleaseId

log = logging.getLogger(__name__)

_RETRY_S, _LAST_PAUSE_S, _DEADLINE_S = 10.0, 600.0, 120.0

Services: TypeAlias = frozenset[tuple[str, str, str]]
"""Namespace, Project and service of each."""


@dataclass(slots=True)
class _DeletedReleases:
    """Deleted Releases of a service. Without `release_ids` they were deleted while no operator was running.

    `opened` are the attempts that they followed: start times by id.
    """

    release_ids: frozenset[ReleaseId] = frozenset()
    opened: Mapping[str, datetime] = field(default_factory=dict)
    not_before_s: float = 0.0
    pause_s: float = _RETRY_S


async def _is_nowhere(_: ObjectKey) -> bool:
    return False


class RecordCloser:
    """Closes the records of Releases as they are deleted, and after the start those deleted while no operator was running."""

    def __init__(
        self,
        ledger: Ledger | None,
        clock: Clock,
        is_written: Callable[[ReleaseId], bool],
        open_ids: Callable[[ServiceIdentity], frozenset[str] | None],
    ) -> None:
        """Without a ledger it does nothing. `is_written` returns whether everything of a Release is written.

        `open_ids` returns the attempts that the Releases of a service follow; None if none has a status yet.
        """
        self._ledger = ledger
        self._ends = AttemptEnds(ledger, clock) if ledger is not None else None
        self._clock = clock
        self._is_written = is_written
        self._open_ids = open_ids
        self._news = asyncio.Event()
        self._deleted: OrderedDict[ServiceIdentity, _DeletedReleases] = OrderedDict()
        self._environments: set[str] = set()
        self._unswept: OrderedDict[str, float] = OrderedDict()
        self._installation, self._grace_s = "", 0.0
        self._services_of: Callable[[str], Services] = lambda _: frozenset()
        self._exists: Callable[[ObjectKey], Awaitable[bool]] = _is_nowhere
        self._has_release: Callable[[ServiceIdentity], bool] = lambda _: False

    def configure(
        self,
        installation: str,
        services_of: Callable[[str], Services],
        exists: Callable[[ObjectKey], Awaitable[bool]],
        has_release: Callable[[ServiceIdentity], bool],
        grace_s: float,
    ) -> None:
        """Close records of this installation. `services_of` lists an Environment's services with a Release, `has_release` checks one.

        `exists` reads a Release from the API server. A Release that is missing at the start is closed after `grace_s` seconds: a cluster
        that is being restored gets its objects one by one, and the last writes of another replica arrive by then.
        """
        self._installation, self._services_of, self._exists, self._has_release, self._grace_s = (
            installation,
            services_of,
            exists,
            has_release,
            grace_s,
        )

    def close(self, identity: ServiceIdentity, release_id: ReleaseId, opened: Mapping[str, datetime]) -> None:
        """Close the records of a deleted Release, with these open attempts, once all of its entries are written."""
        if self._ledger is not None:
            before = self._deleted.get(identity, _DeletedReleases())
            # A new object, so that a run under way does not take this for done.
            self._deleted[identity] = _DeletedReleases(before.release_ids | {release_id}, {**before.opened, **opened})
            self._news.set()

    def sweep(self, environments: Iterable[str]) -> None:
        """Check each of these Environments once, after a while, for records of Releases deleted while no operator was running."""
        if self._ledger is None:
            return
        names = set(environments)
        for name in sorted(names - self._environments):
            self._unswept[name] = self._clock.monotonic() + self._grace_s
            self._news.set()
        self._environments |= names

    def sweep_again(self) -> None:
        """Check all Environments once more, for Releases deleted in namespaces that could not be watched."""
        names, self._environments = self._environments, set()
        self.sweep(names)

    async def end_abandoned(self, identity: ServiceIdentity, known: frozenset[str]) -> None:
        """End what an earlier Release of the service has left open, unless the present one knows it.

        `known` are the ids of its attempts, and of foreign deployments by `foreign_id`. A Release that was created again while the ledger
        could not be read knows nothing of its predecessor. Raises Problem.
        """
        ledger, ends = self._ledger, self._ends
        if ledger is None or ends is None:
            return
        try:
            current = await ledger.current(*identity)
            if current is None:
                return
            end = await ends.of_current(identity, current)
            if end is not None and end.is_new and end.entry.attempt_id not in known:
                await ledger.record(LedgerWrite(entry=end.entry, current=None))
            await ends.end_foreign(identity, current, known)
        except Denied:
            raise
        except Blocked as problem:
            # A record that cannot be read must not block writes.
            log.warning("an earlier Release's attempt is not looked for: %s", problem.message, extra={"object": "/".join(identity)})

    async def run(self) -> None:
        """Close until cancelled."""
        ledger, ends = self._ledger, self._ends
        while ledger is not None and ends is not None:
            self._news.clear()
            if not self._deleted and not self._unswept:
                await self._news.wait()
            try:
                async with asyncio.timeout(_DEADLINE_S):
                    await self._sweep(ledger)
                    await self._close(ledger, ends)
            except (Problem, TimeoutError) as error:
                log.warning("records of deleted Releases are not closed yet: %s", error)
            except Exception:
                log.exception("records of deleted Releases are not closed; it is tried again")
            if self._deleted or self._unswept:
                await asyncio.sleep(_RETRY_S)

    async def _sweep(self, ledger: Ledger) -> None:
        while self._unswept:
            environment, due_s = next(iter(self._unswept.items()))
            if due_s > self._clock.monotonic():
                return
            known = self._services_of(environment)
            try:
                async for current in ledger.currents(environment):
                    if current.deleted_time is None and current.installation == self._installation:
                        identity = ServiceIdentity(environment, current.namespace, current.project, current.service)
                        if identity[1:] not in known:
                            self._deleted.setdefault(identity, _DeletedReleases())
            except Denied:
                raise
            except Blocked as problem:
                # A record cannot be read: those after it are found at the next start.
                log.warning("not all records of deleted Releases are looked for: %s", problem.message, extra={"environment": environment})
            self._unswept.pop(environment, None)

    async def _close(self, ledger: Ledger, ends: AttemptEnds) -> None:
        """Close the records that are due. A record that cannot be read or written does not delay the others."""
        for identity, gone in list(self._deleted.items()):
            await asyncio.sleep(0)
            if gone.not_before_s > self._clock.monotonic() or not all(map(self._is_written, gone.release_ids)):
                continue
            try:
                is_done = await self._close_one(ledger, ends, identity, gone)
            except Denied:
                raise
            except Blocked as problem:
                self._put_off(identity, gone, problem)
                continue
            if is_done and self._deleted.get(identity) is gone:
                self._deleted.pop(identity, None)

    def _put_off(self, identity: ServiceIdentity, gone: _DeletedReleases, problem: Problem) -> None:
        if gone.not_before_s == 0.0:
            log.warning("the record of a deleted Release is not closed yet: %s", problem.message, extra={"object": "/".join(identity)})
        gone.not_before_s = self._clock.monotonic() + gone.pause_s
        gone.pause_s = min(_LAST_PAUSE_S, 2 * gone.pause_s)

    async def _close_one(self, ledger: Ledger, ends: AttemptEnds, identity: ServiceIdentity, gone: _DeletedReleases) -> bool:
        """Close the records of a service. Returns whether that is done: if a Release exists again, its first status is awaited."""
        if self.has_release(identity):
            open_ids = self._open_ids(identity)
            if open_ids is not None:
                await self._end_opened(ends, identity, gone, open_ids)
            return open_ids is not None or not gone.opened
        current = await ledger.current(*identity)
        name = current.release if current is not None else None
        if not gone.release_ids and await self._exists(ObjectKey(RELEASE, identity.namespace, name or "")):
            return True
        if self.has_release(identity):
            return False
        await self._end_opened(ends, identity, gone, frozenset())
        return current is None or current.deleted_time is not None or await self._close_record(ledger, ends, identity, current)

    async def _close_record(self, ledger: Ledger, ends: AttemptEnds, identity: ServiceIdentity, current: LedgerCurrent) -> bool:
        end = await ends.of_current(identity, current)
        if self.has_release(identity):
            return False
        # Before the record is closed: closed records are not checked for open attempts.
        await ends.end_foreign(identity, current)
        if self.has_release(identity):
            # Created again meanwhile. If it is created even later its record is written later, and the ledger keeps the latest.
            return False
        now = max(self._clock.now(), current.observed_time)
        deployed = with_end(current.deployed, end.entry if end is not None else None, now)
        closed = current.model_copy(update={"deployed": deployed, "foreign": None, "deleted_time": now, "observed_time": now})
        await ledger.record(LedgerWrite(entry=end.entry if end is not None and end.is_new else None, current=closed))
        log.info("closed the record of %s: its Release is gone", "/".join(identity[1:]), extra={"environment": identity.environment})
        return True

    def has_release(self, identity: ServiceIdentity) -> bool:
        """Return whether a service has a Release."""
        return self._has_release(identity)

    @staticmethod
    async def _end_opened(ends: AttemptEnds, identity: ServiceIdentity, gone: _DeletedReleases, open_ids: frozenset[str]) -> None:
        for attempt_id, start_time in gone.opened.items():
            if attempt_id not in open_ids:
                await ends.end(identity, attempt_id, start_time)
