"""Answers that are asked for once for all who wait for them, and kept for a while."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from ecs_release.board.pending import Pending
from ecs_release.domain.model.lru import Lru

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_WAITING = 512
"""Questions that may wait at a time; more are not asked, and may be by whoever looks next."""


@dataclass(frozen=True, slots=True)
class _Kept(Generic[V]):
    value: V
    until: float


class Answers(Generic[K, V]):
    """Asks each question once, however many wait for its answer, and a few questions at a time."""

    def __init__(
        self,
        ask: Callable[[K], Awaitable[V]],
        kept_s: Callable[[V], float],
        most: int,
        at_once: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`ask` raises nothing that is to be expected; `kept_s` says for how many seconds an answer counts; `most` answers are kept."""
        self._ask = ask
        self._kept_s = kept_s
        self._monotonic = monotonic
        self._kept: Lru[K, _Kept[V]] = Lru(most)
        self._pending: Pending[K, V] = Pending(_WAITING)
        self._slots = asyncio.Semaphore(at_once)
        self.version = 0

    async def close(self) -> None:
        """End all questions."""
        await self._pending.close()

    async def within(self, asked: Iterable[K], wait_s: float) -> dict[K, V]:
        """Return the answers that are there after at most `wait_s`. Those that come later are kept for whoever asks next."""
        questions = list(dict.fromkeys(asked))
        found = {key: kept.value for key in questions if (kept := self._fresh(key)) is not None}
        tasks = {
            key: task for key in questions if key not in found and (task := self._pending.task(key, partial(self._learn, key))) is not None
        }
        if tasks:
            # A task that is waited for goes on if whoever waits leaves.
            await asyncio.wait(tasks.values(), timeout=wait_s)
            found |= {key: task.result() for key, task in tasks.items() if _has_answered(task)}
        return found

    def _fresh(self, key: K) -> _Kept[V] | None:
        kept = self._kept.get(key)
        return kept if kept is not None and self._monotonic() < kept.until else None

    async def _learn(self, key: K) -> V:
        async with self._slots:
            try:
                value = await self._ask(key)
            except Exception:
                log.exception("a question could not be asked")
                raise
        self._kept.put(key, _Kept(value, self._monotonic() + self._kept_s(value)))
        self.version += 1
        return value


def _has_answered(task: asyncio.Task[Any]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None
