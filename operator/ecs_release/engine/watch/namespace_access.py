"""How far the watch reaches, where it watches some namespaces only: one that refuses us is left out, and taken in when it lets us in.

A namespace takes its Role with it when it is deleted, so that a LIST there is forbidden: whether it is gone, or the Role alone, the API
server does not tell. kopf ends with all its watches at the first such answer, which must not stop the other namespaces.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from ecs_release.api.names import ENVIRONMENT
from ecs_release.domain.model.errors import Conflict, NotFound, Problem
from ecs_release.domain.model.namespaces import Namespaces

log = logging.getLogger(__name__)


class Lists(Protocol):
    """The part of `domain.ports.Cluster` that tells where we may look."""

    async def count(self, kind: str) -> int:
        """Count the objects of a kind, as good as exactly."""

    async def refusal(self, namespace: str) -> str:
        """Say why a namespace may not be looked into; empty where it may."""


class Reach:
    """Looks into the watched namespaces again and again."""

    def __init__(self, cluster: Lists, namespaces: Namespaces, changed: Callable[[], None], interval_s: float) -> None:
        """`changed` is called when a namespace is left out, so that what is known of it is forgotten, or taken in."""
        self._cluster = cluster
        self._namespaces = namespaces
        self._changed = changed
        self._interval_s = interval_s
        self._suspected: frozenset[str] = frozenset()

    async def watch(self, watch: Callable[[asyncio.Event], Awaitable[None]], stop: asyncio.Event) -> None:
        """Run a watch until `stop` is set; it is ended, and begun anew, whenever other namespaces let us in. It ends at the event it gets.

        Raises what the watch raises, unless that came of a namespace that is left out now.
        """
        await self.look(at_once=True)
        while not stop.is_set():
            end = asyncio.Event()
            ending = asyncio.create_task(self._end(end, stop))
            try:
                await watch(end)
                if not end.is_set():
                    return
            except Exception as error:
                ending.cancel()
                if not end.is_set() and not await self.look(at_once=True):
                    raise
                log.debug("the watch ended, and is begun anew where it is let in: %s: %s", type(error).__name__, error)
            finally:
                ending.cancel()

    async def look(self, *, at_once: bool = False) -> bool:
        """Look into each. Tell whether other namespaces let us in than before; where too little is answered nothing has changed.

        One is left out at the second look that finds it refused, unless `at_once`: while a namespace is deleted, its Role may go before
        its Releases, and the watch, which goes on, tells of their end.
        """
        before = self._namespaces.left_out
        if not self._namespaces.watched:
            return False
        try:
            # Refused everywhere, or not answered at all: that is no matter of a namespace.
            await self._cluster.count(ENVIRONMENT)
            refused = {name: why for name in self._namespaces.watched if (why := await self._cluster.refusal(name))}
        except (Problem, NotFound, Conflict) as problem:
            log.debug("cannot look into the namespaces: %s", problem)
            return False
        suspected, self._suspected = self._suspected, frozenset(refused)
        if not at_once:
            refused = {name: why for name, why in refused.items() if name in suspected | before}
        self._namespaces.left_out = frozenset(refused)
        for name in sorted(refused.keys() - before):
            log.warning("namespace %s is left out until it may be looked into: %s", name, refused[name])
        for name in sorted(before - refused.keys()):
            log.info("namespace %s may be looked into again: it is taken in", name)
        if refused.keys() == before:
            return False
        self._changed()
        return True

    async def _end(self, end: asyncio.Event, stop: asyncio.Event) -> None:
        """Set `end` once `stop` is set, or other namespaces let us in."""
        while not stop.is_set():
            try:
                async with asyncio.timeout(self._interval_s if self._namespaces.watched else None):
                    await stop.wait()
            except TimeoutError:
                if await self.look():
                    break
        end.set()
