"""Whose request goes next: namespaces take turns, and none has all connections. So nobody's many objects delay those of others."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """Lets some requests go at once, fewer of each namespace. Those that wait are as many as there are callers."""

    def __init__(self, most: int, of_each: int, deadline_s: float) -> None:
        """`most` are let go at once, `of_each` of one namespace; each waits at most `deadline_s`."""
        self._free = most
        self._of_each = of_each
        self._deadline_s = deadline_s
        self._held: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, namespace: str) -> AsyncIterator[None]:
        """Hold a turn of a namespace. Raises TimeoutError if there is none in time."""
        await self._take(namespace)
        try:
            yield
        finally:
            self._give_back(namespace)

    async def _take(self, namespace: str) -> None:
        if namespace not in self._waiting and self._may_go(namespace):
            self._go(namespace)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(namespace, deque()).append(turn)
        try:
            async with asyncio.timeout(self._deadline_s):
                await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self._give_back(namespace)  # The turn came at the same moment.
            raise

    def _may_go(self, namespace: str) -> bool:
        return self._free > 0 and self._held[namespace] < self._of_each

    def _go(self, namespace: str) -> None:
        self._free -= 1
        self._held[namespace] += 1

    def _give_back(self, namespace: str) -> None:
        self._free += 1
        self._held[namespace] -= 1
        if not self._held[namespace]:
            del self._held[namespace]
        for name in list(self._waiting):
            self._let_go(name)

    def _let_go(self, namespace: str) -> None:
        """Let the next one of a namespace go, if it may; those that gave up are left out."""
        line = self._waiting[namespace]
        while line and line[0].done():
            line.popleft()
        if line and self._may_go(namespace):
            self._go(namespace)
            line.popleft().set_result(None)
            self._waiting.move_to_end(namespace)
        if not line:
            del self._waiting[namespace]
