"""Closing what deleted Releases have left open in the ledger: nobody else will tell how their attempts ended."""

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
from ecs_release.engine.ledger.end_entries import Ends, Identity, ended
from ecs_release.engine.ledger.write_queue import LineKey

log = logging.getLogger(__name__)

_RETRY_S, _LAST_PAUSE_S, _DEADLINE_S = 10.0, 600.0, 120.0

Services: TypeAlias = frozenset[tuple[str, str, str]]
"""Namespace, Project and service of each."""


@dataclass(slots=True)
class _Gone:
    """Releases of a service that are gone. `line_keys` are theirs; none: they went while nobody watched.

    `opened` are attempts that they followed, by id, with the time of their start.
    """

    line_keys: frozenset[LineKey] = frozenset()
    opened: Mapping[str, datetime] = field(default_factory=dict)
    not_before_s: float = 0.0
    pause_s: float = _RETRY_S


async def _is_nowhere(_: ObjectKey) -> bool:
    return False


class Closer:
    """Closes the records of Releases that are gone: as they go, and after the start those that went while nobody watched."""

    def __init__(
        self,
        ledger: Ledger | None,
        clock: Clock,
        is_clear: Callable[[LineKey], bool],
        followed: Callable[[Identity], frozenset[str] | None],
    ) -> None:
        """Without a ledger there is nothing to close. `is_clear` tells whether nothing of a Release waits for the ledger.

        `followed` names the attempts that the Release of a service follows; None where it has told nothing yet.
        """
        self._ledger = ledger
        self._ends = Ends(ledger, clock) if ledger is not None else None
        self._clock = clock
        self._is_clear = is_clear
        self._followed = followed
        self._news = asyncio.Event()
        self._gone: OrderedDict[Identity, _Gone] = OrderedDict()
        self._environments: set[str] = set()
        self._unswept: OrderedDict[str, float] = OrderedDict()
        self._installation, self._grace_s = "", 0.0
        self._known: Callable[[str], Services] = lambda _: frozenset()
        self._exists: Callable[[ObjectKey], Awaitable[bool]] = _is_nowhere
        self._there: Callable[[Identity], bool] = lambda _: False

    def about(
        self,
        installation: str,
        known: Callable[[str], Services],
        exists: Callable[[ObjectKey], Awaitable[bool]],
        there: Callable[[Identity], bool],
        grace_s: float,
    ) -> None:
        """Close records of this installation. `known` lists an Environment's services that have a Release, `there` tells it of one.

        `exists` asks the API server for a Release. One that is not there at the start is waited for, for `grace_s` seconds: a cluster
        that is restored gets its objects one after the other, and what another replica has sent last arrives by then.
        """
        self._installation, self._known, self._exists, self._there, self._grace_s = installation, known, exists, there, grace_s

    def close(self, identity: Identity, line_key: LineKey, opened: Mapping[str, datetime]) -> None:
        """A Release is gone, and leaves these attempts open. Its records are closed once none of its own wait any more."""
        if self._ledger is not None:
            before = self._gone.get(identity, _Gone())
            # Another object than before: what is being closed just now is not all any more.
            self._gone[identity] = _Gone(before.line_keys | {line_key}, {**before.opened, **opened})
            self._news.set()

    def sweep(self, environments: Iterable[str]) -> None:
        """Look once, in each of these Environments and after a while, for records of Releases that went while nobody watched."""
        if self._ledger is None:
            return
        names = set(environments)
        for name in sorted(names - self._environments):
            self._unswept[name] = self._clock.monotonic() + self._grace_s
            self._news.set()
        self._environments |= names

    def sweep_again(self) -> None:
        """Have all Environments looked through once more: what went while nobody could see it is found only so."""
        names, self._environments = self._environments, set()
        self.sweep(names)

    async def abandon(self, identity: Identity, known: frozenset[str]) -> None:
        """End what an earlier Release of the service has left open, unless the present one knows it.

        `known` are its attempts, and others' deployments as `foreign_id` names them. One that was made again while the ledger could not be
        read knows nothing of what was before it. Raises Problem.
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
            # What cannot be read keeps nothing else from being written.
            log.warning("an earlier Release's attempt is not looked for: %s", problem.message, extra={"object": "/".join(identity)})

    async def run(self) -> None:
        """Close until cancelled."""
        ledger, ends = self._ledger, self._ends
        while ledger is not None and ends is not None:
            self._news.clear()
            if not self._gone and not self._unswept:
                await self._news.wait()
            try:
                async with asyncio.timeout(_DEADLINE_S):
                    await self._sweep(ledger)
                    await self._close(ledger, ends)
            except (Problem, TimeoutError) as error:
                log.warning("records of deleted Releases are not closed yet: %s", error)
            except Exception:
                log.exception("records of deleted Releases are not closed; it is tried again")
            if self._gone or self._unswept:
                await asyncio.sleep(_RETRY_S)

    async def _sweep(self, ledger: Ledger) -> None:
        while self._unswept:
            environment, due_s = next(iter(self._unswept.items()))
            if due_s > self._clock.monotonic():
                return
            known = self._known(environment)
            try:
                async for current in ledger.currents(environment):
                    if current.deleted_time is None and current.installation == self._installation:
                        identity = Identity(environment, current.namespace, current.project, current.service)
                        if identity[1:] not in known:
                            self._gone.setdefault(identity, _Gone())
            except Denied:
                raise
            except Blocked as problem:
                # One that cannot be read: what comes after it is found at the next start.
                log.warning("not all records of deleted Releases are looked for: %s", problem.message, extra={"environment": environment})
            self._unswept.pop(environment, None)

    async def _close(self, ledger: Ledger, ends: Ends) -> None:
        """Close those that are due. One that cannot be read, or written, holds no other up."""
        for identity, gone in list(self._gone.items()):
            await asyncio.sleep(0)
            if gone.not_before_s > self._clock.monotonic() or not all(map(self._is_clear, gone.line_keys)):
                continue
            try:
                is_done = await self._close_one(ledger, ends, identity, gone)
            except Denied:
                raise
            except Blocked as problem:
                self._put_off(identity, gone, problem)
                continue
            if is_done and self._gone.get(identity) is gone:
                self._gone.pop(identity, None)

    def _put_off(self, identity: Identity, gone: _Gone, problem: Problem) -> None:
        if gone.not_before_s == 0.0:
            log.warning("the record of a deleted Release is not closed yet: %s", problem.message, extra={"object": "/".join(identity)})
        gone.not_before_s = self._clock.monotonic() + gone.pause_s
        gone.pause_s = min(_LAST_PAUSE_S, 2 * gone.pause_s)

    async def _close_one(self, ledger: Ledger, ends: Ends, identity: Identity, gone: _Gone) -> bool:
        """Close what Releases of a service have left. Returns whether that is done: one that was made again is waited for."""
        if self.is_there(identity):
            followed = self._followed(identity)
            if followed is not None:
                await self._end_opened(ends, identity, gone, followed)
            return followed is not None or not gone.opened
        current = await ledger.current(*identity)
        name = current.release if current is not None else None
        if not gone.line_keys and await self._exists(ObjectKey(RELEASE, identity.namespace, name or "")):
            return True
        if self.is_there(identity):
            return False
        await self._end_opened(ends, identity, gone, frozenset())
        return current is None or current.deleted_time is not None or await self._close_record(ledger, ends, identity, current)

    async def _close_record(self, ledger: Ledger, ends: Ends, identity: Identity, current: LedgerCurrent) -> bool:
        end = await ends.of_current(identity, current)
        if self.is_there(identity):
            return False
        # First: of a record that is closed nobody asks what it has left open.
        await ends.end_foreign(identity, current)
        if self.is_there(identity):
            # It was made again meanwhile. One that comes later still speaks later, and the ledger keeps what was said last.
            return False
        now = max(self._clock.now(), current.observed_time)
        deployed = ended(current.deployed, end.entry if end is not None else None, now)
        closed = current.model_copy(update={"deployed": deployed, "foreign": None, "deleted_time": now, "observed_time": now})
        await ledger.record(LedgerWrite(entry=end.entry if end is not None and end.is_new else None, current=closed))
        log.info("closed the record of %s: its Release is gone", "/".join(identity[1:]), extra={"environment": identity.environment})
        return True

    def is_there(self, identity: Identity) -> bool:
        """Tell whether a service has a Release."""
        return self._there(identity)

    @staticmethod
    async def _end_opened(ends: Ends, identity: Identity, gone: _Gone, followed: frozenset[str]) -> None:
        for attempt_id, start_time in gone.opened.items():
            if attempt_id not in followed:
                await ends.end(identity, attempt_id, start_time)
