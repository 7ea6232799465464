"""Closing what deleted Releases have left open in the ledger: nobody else will tell how their attempts ended."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import NamedTuple

from ecs_release.api.ledger import LedgerCurrent, LedgerEntry, Stage
from ecs_release.domain.attempts import ABANDONED
from ecs_release.domain.errors import Problem
from ecs_release.domain.ports import Clock, Ledger, LedgerWrite, ObjectKey
from ecs_release.domain.records.entries import begun

log = logging.getLogger(__name__)

_RETRY_S, _DEADLINE_S = 10.0, 120.0
_WHY = "the Release was deleted while it was under way; ECS went on by itself"


class Identity(NamedTuple):
    """A service in an Environment, as the ledger knows it."""

    environment: str
    namespace: str
    project: str
    service: str


class Closer:
    """Closes the records of Releases that are gone: as they go, and at the start those that went while nobody watched."""

    def __init__(self, ledger: Ledger | None, clock: Clock) -> None:
        """Without a ledger there is nothing to close."""
        self._ledger = ledger
        self._clock = clock
        self._news = asyncio.Event()
        self._gone: OrderedDict[Identity, ObjectKey | None] = OrderedDict()
        self._environments: set[str] = set()
        self._unswept: OrderedDict[str, None] = OrderedDict()
        self._known: Callable[[str], frozenset[tuple[str, str, str]]] = lambda _: frozenset()
        self._installation = ""

    def about(self, installation: str, known: Callable[[str], frozenset[tuple[str, str, str]]]) -> None:
        """Close records of this installation. `known` lists an Environment's services with a Release: namespace, Project and service."""
        self._installation, self._known = installation, known

    def close(self, identity: Identity, key: ObjectKey | None = None) -> None:
        """A Release is gone. Its records are closed once none of `key` waits any more."""
        if self._ledger is not None:
            self._gone[identity] = key
            self._news.set()

    def sweep(self, environments: Iterable[str]) -> None:
        """Look once, in each of these Environments, for records of Releases that went while nobody watched."""
        if self._ledger is None:
            return
        names = set(environments)
        for name in sorted(names - self._environments):
            self._unswept[name] = None
            self._news.set()
        self._environments |= names

    async def run(self, is_clear: Callable[[ObjectKey], bool]) -> None:
        """Close until cancelled. `is_clear` tells whether nothing of a Release waits for the ledger."""
        ledger = self._ledger
        while ledger is not None:
            self._news.clear()
            if not self._gone and not self._unswept:
                await self._news.wait()
            try:
                async with asyncio.timeout(_DEADLINE_S):
                    await self._sweep(ledger)
                    waits = await self._close(ledger, is_clear)
            except (Problem, TimeoutError) as error:
                log.warning("records of deleted Releases are not closed yet: %s", error)
                waits = True
            if waits:
                await asyncio.sleep(_RETRY_S)

    async def _sweep(self, ledger: Ledger) -> None:
        while self._unswept:
            environment = next(iter(self._unswept))
            known = self._known(environment)
            async for current in ledger.currents(environment):
                if current.deleted_time is None and current.installation == self._installation:
                    identity = Identity(environment, current.namespace, current.project, current.service)
                    if identity[1:] not in known:
                        self._gone.setdefault(identity, None)
            self._unswept.pop(environment, None)

    async def _close(self, ledger: Ledger, is_clear: Callable[[ObjectKey], bool]) -> bool:
        """Close those that are due. Tells whether any is left."""
        for identity, key in list(self._gone.items()):
            if key is not None and not is_clear(key):
                continue
            if identity[1:] not in self._known(identity.environment):
                await self._close_one(ledger, identity)
            if self._gone.get(identity) == key:
                self._gone.pop(identity, None)
        return bool(self._gone)

    async def _close_one(self, ledger: Ledger, identity: Identity) -> None:
        current = await ledger.current(*identity)
        if current is None or current.deleted_time is not None:
            return
        end = await self._end(ledger, identity, current)
        now = self._clock.now()
        deployed = current.deployed
        if end is not None and deployed is not None:
            deployed = deployed.model_copy(update={"outcome": ABANDONED, "message": _WHY, "time": now})
        closed = current.model_copy(update={"deployed": deployed, "deleted_time": now, "observed_time": now})
        await ledger.record(LedgerWrite(entry=end, current=closed))
        log.info("closed the record of %s: its Release is gone", "/".join(identity[1:]), extra={"environment": identity.environment})

    async def _end(self, ledger: Ledger, identity: Identity, current: LedgerCurrent) -> LedgerEntry | None:
        """Make the end of an attempt that is under way, from its start; None where none is."""
        deployed = current.deployed
        if deployed is None or not deployed.attempt_id or deployed.outcome or deployed.time is None:
            return None
        start_time = begun(deployed.attempt_id, deployed.time)
        assert start_time is not None
        start, end = await ledger.attempt(*identity, deployed.attempt_id, start_time)
        if start is None or end is not None:
            return None
        return start.model_copy(
            update={"stage": Stage.END, "outcome": ABANDONED, "message": _WHY, "completion_time": self._clock.now().replace(microsecond=0)}
        )
