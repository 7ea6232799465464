"""Closing what deleted Releases have left open in the ledger: nobody else will tell how their attempts ended."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import NamedTuple, TypeAlias

from ecs_release.api.ledger import CurrentPart, LedgerCurrent, LedgerEntry, Stage
from ecs_release.api.names import RELEASE
from ecs_release.domain.attempts import ABANDONED
from ecs_release.domain.errors import Blocked, Denied, Problem
from ecs_release.domain.ledger_port import Ledger, LedgerWrite
from ecs_release.domain.ports import Clock, ObjectKey
from ecs_release.domain.records.acknowledgements import foreign_id
from ecs_release.domain.records.entries import begun
from ecs_release.engine.lines import LineKey

log = logging.getLogger(__name__)

_RETRY_S, _DEADLINE_S = 10.0, 120.0
_WHY = "the Release was deleted while it was under way; ECS went on by itself"

Services: TypeAlias = frozenset[tuple[str, str, str]]
"""Namespace, Project and service of each."""


class Identity(NamedTuple):
    """A service in an Environment, as the ledger knows it."""

    environment: str
    namespace: str
    project: str
    service: str


class _Gone(NamedTuple):
    """A Release that is gone; `line_key` is what may still wait for the ledger, None where it went while nobody watched."""

    line_key: LineKey | None


class _End(NamedTuple):
    """How an attempt ended; `is_new`: the ledger does not know of it yet."""

    entry: LedgerEntry
    is_new: bool


async def _is_nowhere(_: ObjectKey) -> bool:
    return False


class Closer:
    """Closes the records of Releases that are gone: as they go, and after the start those that went while nobody watched."""

    def __init__(self, ledger: Ledger | None, clock: Clock, is_clear: Callable[[LineKey], bool]) -> None:
        """Without a ledger there is nothing to close. `is_clear` tells whether nothing of a Release waits for the ledger."""
        self._ledger = ledger
        self._clock = clock
        self._is_clear = is_clear
        self._news = asyncio.Event()
        self._gone: OrderedDict[Identity, _Gone] = OrderedDict()
        self._environments: set[str] = set()
        self._unswept: OrderedDict[str, float] = OrderedDict()
        self._installation, self._grace_s = "", 0.0
        self._known: Callable[[str], Services] = lambda _: frozenset()
        self._exists: Callable[[ObjectKey], Awaitable[bool]] = _is_nowhere

    def about(
        self, installation: str, known: Callable[[str], Services], exists: Callable[[ObjectKey], Awaitable[bool]], grace_s: float
    ) -> None:
        """Close records of this installation. `known` lists an Environment's services that have a Release.

        `exists` asks the API server for a Release. One that is not there at the start is waited for, for `grace_s` seconds: a cluster
        that is restored gets its objects one after the other, and what another replica has sent last arrives by then.
        """
        self._installation, self._known, self._exists, self._grace_s = installation, known, exists, grace_s

    def close(self, identity: Identity, line_key: LineKey) -> None:
        """A Release is gone. Its records are closed once none of its own wait any more."""
        if self._ledger is not None:
            self._gone[identity] = _Gone(line_key)
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

    async def abandon(self, identity: Identity, known: frozenset[str]) -> None:
        """End what an earlier Release of the service has left open, unless the present one knows it.

        `known` are its attempts, and others' deployments as `foreign_id` names them. One that was made again while the ledger could not be
        read knows nothing of what was before it. Raises Problem.
        """
        ledger = self._ledger
        if ledger is None:
            return
        try:
            current = await ledger.current(*identity)
            if current is None:
                return
            end = await self._end(ledger, identity, current)
            if end is not None and end.is_new and end.entry.attempt_id not in known:
                await ledger.record(LedgerWrite(entry=end.entry, current=None))
            await self._end_foreign(ledger, identity, current, known)
        except Denied:
            raise
        except Blocked as problem:
            # What cannot be read keeps nothing else from being written.
            log.warning("an earlier Release's attempt is not looked for: %s", problem.message, extra={"object": "/".join(identity)})

    async def run(self) -> None:
        """Close until cancelled."""
        ledger = self._ledger
        while ledger is not None:
            self._news.clear()
            if not self._gone and not self._unswept:
                await self._news.wait()
            try:
                async with asyncio.timeout(_DEADLINE_S):
                    await self._sweep(ledger)
                    await self._close(ledger)
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
                            self._gone.setdefault(identity, _Gone(None))
            except Denied:
                raise
            except Blocked as problem:
                # One that cannot be read: what comes after it is found at the next start.
                log.warning("not all records of deleted Releases are looked for: %s", problem.message, extra={"environment": environment})
            self._unswept.pop(environment, None)

    async def _close(self, ledger: Ledger) -> None:
        """Close those that are due."""
        known: dict[str, Services] = {}
        for identity, gone in list(self._gone.items()):
            await asyncio.sleep(0)
            if gone.line_key is not None and not self._is_clear(gone.line_key):
                continue
            if identity.environment not in known:
                known[identity.environment] = self._known(identity.environment)
            if identity[1:] not in known[identity.environment]:
                try:
                    await self._close_one(ledger, identity, gone)
                except Denied:
                    raise
                except Blocked as problem:
                    # What cannot be read today cannot be tomorrow, and the others wait behind it.
                    log.warning("the record of a deleted Release is not closed: %s", problem.message, extra={"object": "/".join(identity)})
            if self._gone.get(identity) == gone:
                self._gone.pop(identity, None)

    async def _close_one(self, ledger: Ledger, identity: Identity, gone: _Gone) -> None:
        current = await ledger.current(*identity)
        if current is None or current.deleted_time is not None:
            return
        if gone.line_key is None and await self._exists(ObjectKey(RELEASE, identity.namespace, current.release or "")):
            return
        end = await self._end(ledger, identity, current)
        if identity[1:] in self._known(identity.environment):
            # It was made again meanwhile. One that comes later still speaks later, and the ledger keeps what was said last.
            return
        now = max(self._clock.now(), current.observed_time)
        deployed = _ended(current.deployed, end.entry if end is not None else None, now)
        closed = current.model_copy(update={"deployed": deployed, "foreign": None, "deleted_time": now, "observed_time": now})
        # First: of a record that is closed nobody asks what it has left open.
        await self._end_foreign(ledger, identity, current)
        await ledger.record(LedgerWrite(entry=end.entry if end is not None and end.is_new else None, current=closed))
        log.info("closed the record of %s: its Release is gone", "/".join(identity[1:]), extra={"environment": identity.environment})

    async def _end(self, ledger: Ledger, identity: Identity, current: LedgerCurrent) -> _End | None:
        """Find the end of an attempt that is told as under way; None where none is."""
        deployed = current.deployed
        if deployed is None or not deployed.attempt_id or deployed.outcome or deployed.time is None:
            return None
        return await self._end_of(ledger, identity, deployed.attempt_id, begun(deployed.attempt_id, deployed.time))

    async def _end_foreign(self, ledger: Ledger, identity: Identity, current: LedgerCurrent, known: frozenset[str] = frozenset()) -> None:
        """End somebody else's deployment that nobody follows any more."""
        part = current.foreign
        if part is not None and part.deployment_id and foreign_id(part.deployment_id) not in known:
            end = await self._end_of(ledger, identity, foreign_id(part.deployment_id), part.time, part.outcome)
            if end is not None and end.is_new:
                await ledger.record(LedgerWrite(entry=end.entry, current=None))

    async def _end_of(
        self, ledger: Ledger, identity: Identity, attempt_id: str, start_time: datetime | None, outcome: str | None = None
    ) -> _End | None:
        """Find an end, or make it of the start; with the `outcome`, where that was known before the Release went."""
        if start_time is None:
            return None
        start, end = await ledger.attempt(*identity, attempt_id, start_time)
        if end is not None:
            return _End(end, is_new=False)
        if start is None:
            return None
        told = {"outcome": outcome, "message": None} if outcome else {"outcome": ABANDONED, "message": _WHY}
        made = start.model_copy(update={"stage": Stage.END, "completion_time": self._clock.now().replace(microsecond=0), **told})
        return _End(made, is_new=True)


def _ended(deployed: CurrentPart | None, end: LedgerEntry | None, now: datetime) -> CurrentPart | None:
    """Say of a latest attempt how it ended: as the ledger has it, else abandoned (also where not even its start was recorded)."""
    if deployed is None or deployed.outcome:
        return deployed
    told = (end.outcome, end.message, end.completion_time or now) if end is not None else (ABANDONED, _WHY, now)
    return deployed.model_copy(update=dict(zip(("outcome", "message", "time"), told, strict=True)))
