"""Work that is under way: once for all who wait for the same, and no more than a bound."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Pending(Generic[K, V]):
    """Tasks by key. Whoever waits for one shields it: it goes on if they leave, for others may wait for it."""

    def __init__(self, most: int) -> None:
        """`most` are under way at a time."""
        self._most = most
        self._tasks: dict[K, asyncio.Task[V]] = {}

    def task(self, key: K, begin: Callable[[], Coroutine[Any, Any, V]]) -> asyncio.Task[V] | None:
        """Return the task of a key, begun if there is none; None if too many are under way."""
        task = self._tasks.get(key)
        if task is None and len(self._tasks) < self._most:
            task = self._tasks[key] = asyncio.create_task(begin())
            task.add_done_callback(lambda ended: self._ended(key, ended))
        return task

    async def close(self) -> None:
        """End all."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, key: K, task: asyncio.Task[V]) -> None:
        del self._tasks[key]
        if not task.cancelled():
            # Whoever waited has it; where nobody does any more, nobody has to be told.
            task.exception()
