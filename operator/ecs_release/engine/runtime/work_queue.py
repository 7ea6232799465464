"""A queue of keys: each at most once, one worker a key, in turn between groups, later where asked, again where a pass failed.

The shape of client-go's workqueue (dirty and processing sets, a delaying heap, exponential backoff a key), with turns between groups
so that an environment whose AWS is slow does not hold up another.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import logging
import random
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from ecs_release.domain.ports.protocols import Clock

log = logging.getLogger(__name__)

Key = TypeVar("Key", bound=Hashable)

_FIRST_BACKOFF_S, _LAST_BACKOFF_S = 1.0, 300.0
_STOP_S, _CANCEL_S = 10.0, 2.0
# A group may have at most twice as many workers as are free ("dynamic thresholds", Choudhury and Hahne 1998): alone it gets two
# thirds, several stuck ones share, and there is always a worker left for the next.
_SHARE = 2


class KeyedQueue(Generic[Key]):
    """Keys to be worked on. Bounded by the number of keys there are. One `run` at a time; all in one event loop."""

    def __init__(self, clock: Clock, group: Callable[[Key], str]) -> None:
        """`group` tells whose turn a key takes; it is asked when the key becomes ready."""
        self._clock = clock
        self._group = group
        self._ready: OrderedDict[str, OrderedDict[Key, float]] = OrderedDict()
        self._group_of: dict[Key, str] = {}
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._order = itertools.count()
        self._working: dict[Key, str] = {}
        self._again: set[Key] = set()
        self._forgotten: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        """Return the number of keys that wait, now or later."""
        return self.ready + len(self._due)

    @property
    def ready(self) -> int:
        """The number of keys that wait for a worker now."""
        return len(self._group_of)

    @property
    def working(self) -> int:
        """The number of keys that are worked on."""
        return len(self._working)

    @property
    def oldest_s(self) -> float:
        """For how many seconds the first of the ready ones has waited."""
        now = self._clock.monotonic()
        return now - min((next(iter(keys.values())) for keys in self._ready.values()), default=now)

    def add(self, key: Key, after_s: float = 0.0) -> None:
        """Have a key worked on after some seconds. The earlier of two times wins; one being worked on is worked on again after that."""
        if after_s > 0:
            self._add_later(key, self._clock.monotonic() + after_s)
        elif key in self._working:
            self._again.add(key)
        else:
            self._make_ready(key)
        self._wake.set()

    def forget(self, key: Key) -> None:
        """Drop a key: its object is gone. A pass under way is not cut short, and not repeated where it fails."""
        self._due.pop(key, None)
        self._again.discard(key)
        self._failures.pop(key, None)
        if key in self._working:
            self._forgotten.add(key)
        group = self._group_of.pop(key, None)
        if group is not None:
            del self._ready[group][key]
            if not self._ready[group]:
                del self._ready[group]

    async def run(self, handle: Callable[[Key], Awaitable[None]], workers: int) -> None:
        """Work until cancelled; passes under way are then given ten seconds to end before they are cancelled, too."""
        tasks: set[asyncio.Task[None]] = set()
        try:
            while True:
                self._wake.clear()
                self._promote()
                while len(tasks) < workers and (key := self._take(workers - len(tasks))) is not None:
                    task = asyncio.create_task(self._work(handle, key), name=f"pass {key}")
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
                    task.add_done_callback(lambda _: self._wake.set())
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._until_next()):
                        await self._wake.wait()
        finally:
            await _finish(tasks)

    async def _work(self, handle: Callable[[Key], Awaitable[None]], key: Key) -> None:
        try:
            await handle(key)
            self._failures.pop(key, None)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the queue
            self._failed(key, error)
        finally:
            del self._working[key]
            self._forgotten.discard(key)
            if key in self._again:
                self._again.discard(key)
                self._make_ready(key)

    def _failed(self, key: Key, error: Exception) -> None:
        if key in self._forgotten and key not in self._again:
            log.info("pass over %s failed; its object is gone meanwhile", key, exc_info=error)
            return
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        delay = min(_LAST_BACKOFF_S, _FIRST_BACKOFF_S * 2 ** min(failures - 1, 16))
        if key in self._again:
            # There was news during the pass, which may mend it: soon, but never at once, for the pass may have made the news itself.
            self._again.discard(key)
            delay = _FIRST_BACKOFF_S
        delay *= random.uniform(0.8, 1.2)  # noqa: S311
        log.error("pass over %s failed (%d times in a row); again in %.0f s", key, failures, delay, exc_info=error)
        self._due.pop(key, None)
        self._add_later(key, self._clock.monotonic() + delay)

    def _make_ready(self, key: Key) -> None:
        self._due.pop(key, None)
        if key not in self._group_of:
            group = self._group_of[key] = self._group(key)
            self._ready.setdefault(group, OrderedDict())[key] = self._clock.monotonic()

    def _add_later(self, key: Key, due: float) -> None:
        if key in self._group_of or self._due.get(key, float("inf")) <= due:
            return
        self._due[key] = due
        heapq.heappush(self._heap, (due, next(self._order), key))
        if len(self._heap) > 2 * len(self._due) + 64:
            # Entries that an earlier time has overtaken are only dropped when they come up: do not let them pile up.
            self._heap = [(d, next(self._order), k) for k, d in self._due.items()]
            heapq.heapify(self._heap)

    def _promote(self) -> None:
        now = self._clock.monotonic()
        while self._heap and self._heap[0][0] <= now:
            due, _, key = heapq.heappop(self._heap)
            if self._due.get(key) != due:
                continue
            del self._due[key]
            if key in self._working:
                self._again.add(key)
            else:
                self._make_ready(key)

    def _take(self, free: int) -> Key | None:
        """Take the next key of the group whose turn it is, and that has not too many of the workers."""
        held = Counter(self._working.values())
        group = next((group for group in self._ready if held[group] < _SHARE * free), None)
        if group is None:
            return None
        keys = self._ready[group]
        key, _ = keys.popitem(last=False)
        self._ready.move_to_end(group)
        if not keys:
            del self._ready[group]
        del self._group_of[key]
        self._working[key] = group
        return key

    def _until_next(self) -> float | None:
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return max(0.001, self._heap[0][0] - self._clock.monotonic()) if self._heap else None


async def _finish(tasks: set[asyncio.Task[None]]) -> None:
    if not tasks:
        return
    _, late = await asyncio.wait(set(tasks), timeout=_STOP_S)
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late, timeout=_CANCEL_S)
