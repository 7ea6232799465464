"""Access to the watched namespaces, if not all are watched: namespaces without access are left out until access is granted.

When a namespace is deleted its Role is deleted, too, so that a LIST there is forbidden: the API server does not show whether the namespace
is gone or only the Role. kopf ends all its watches at the first such answer, which must not stop the other namespaces.
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


class NamespaceReader(Protocol):
    """The part of `domain.ports.Cluster` that checks access."""

    async def count(self, kind: str) -> int:
        """Count the objects of a kind, approximately."""

    async def refusal(self, namespace: str) -> str:
        """Return why a namespace may not be read; empty if it may."""


class NamespaceAccess:
    """Checks access to the watched namespaces periodically."""

    def __init__(self, cluster: NamespaceReader, namespaces: Namespaces, changed: Callable[[], None], interval_s: float) -> None:
        """`changed` is called when a namespace is left out, so that its objects are forgotten, or is watched again."""
        self._cluster = cluster
        self._namespaces = namespaces
        self._changed = changed
        self._interval_s = interval_s
        self._suspected: frozenset[str] = frozenset()

    async def watch(self, watch: Callable[[asyncio.Event], Awaitable[None]], stop: asyncio.Event) -> None:
        """Run a watch until `stop` is set, and restart it whenever the accessible namespaces change. It ends at the event that it gets.

        Raises what the watch raises, unless the cause was a namespace that is left out now.
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
        """Check each namespace. Return whether the accessible namespaces changed; if the API server does not answer, nothing changes.

        A namespace is left out at the second refusal, unless `at_once`: when a namespace is deleted, its Role may go before its
        Releases, and the watch, which goes on, still reports their deletion.
        """
        before = self._namespaces.left_out
        if not self._namespaces.watched:
            return False
        try:
            # A refusal everywhere, or no answer at all, is not about single namespaces.
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
        """Set `end` once `stop` is set, or the accessible namespaces change."""
        while not stop.is_set():
            try:
                async with asyncio.timeout(self._interval_s if self._namespaces.watched else None):
                    await stop.wait()
            except TimeoutError:
                if await self.look():
                    break
        end.set()
