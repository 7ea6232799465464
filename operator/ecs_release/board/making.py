"""What is made outside of the event loop: once for all who ask for the same, a few at a time, and kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from ecs_release.board.pending import Pending
from ecs_release.domain.model.lru import Lru

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_AT_ONCE, _WAITING = 2, 64


class BusyError(Exception):
    """Too much is being made already; the message says what to do."""


class Making(Generic[K, V]):
    """Makes values in threads."""

    def __init__(self, most: int) -> None:
        """`most` values are kept."""
        self._kept: Lru[K, V] = Lru(most)
        self._pending: Pending[K, V] = Pending(_WAITING)
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def get(self, key: K, take: Callable[[], Callable[[], V]]) -> V:
        """Return the value of a key. Raises BusyError, and what making it raises.

        If it has to be made, `take` takes what it is made of, as it is now, and returns what makes it, in another thread.
        """
        if (kept := self._kept.get(key)) is not None:
            return kept
        task = self._pending.task(key, lambda: self._made(key, take()))
        if task is None:
            raise BusyError("too many pages are being made: try again in a moment")
        return await asyncio.shield(task)

    async def _made(self, key: K, make: Callable[[], V]) -> V:
        async with self._slots:
            value = await asyncio.to_thread(make)
        self._kept.put(key, value)
        return value
