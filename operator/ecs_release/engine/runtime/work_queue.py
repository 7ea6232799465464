"""A work queue of keys: each key waits at most once and has at most one worker; groups take turns; failed passes are retried.

It is modelled on client-go's workqueue (dirty and processing sets, a heap of delayed keys, exponential backoff per key), with groups in
addition, so that an environment with a slow AWS account does not delay the others, and with the members of a group, so that a namespace
with many objects does not delay the others in its environment.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Generic, NamedTuple, TypeVar

from ecs_release.domain.ports.protocols import Clock
from ecs_release.engine.runtime.due_times import DueTimes

log = logging.getLogger(__name__)

Key = TypeVar("Key", bound=Hashable)

_FIRST_BACKOFF_S, _LAST_BACKOFF_S = 1.0, 300.0
_STOP_S, _CANCEL_S = 10.0, 2.0
# A group may have at most twice as many workers as are free ("dynamic thresholds", Choudhury and Hahne 1998): a single group gets two
# thirds of them, several stuck groups share, and a worker is always left for the next group. So it is with a group's members, by the
# workers that the group may still get.
_SHARE = 2


class Share(NamedTuple):
    """Whose turn a key waits for: groups take turns, and in each group its members."""

    group: str
    member: str = ""


class WorkQueue(Generic[Key]):
    """Keys to be handled. Its size is bounded by the number of objects. One `run` at a time; all in one event loop."""

    def __init__(self, clock: Clock, share: Callable[[Key], Share], most: Mapping[str, int] | None = None) -> None:
        """`share` returns the group of a key, and the member in it; it is called when the key becomes ready, or is added again then.

        `most` is how many workers some groups may have.
        """
        self._most = most or {}
        self._clock = clock
        self._share = share
        self._ready: OrderedDict[str, OrderedDict[str, OrderedDict[Key, float]]] = OrderedDict()
        self._share_of: dict[Key, Share] = {}
        self._due: DueTimes[Key] = DueTimes()
        self._working: dict[Key, Share] = {}
        self._again: set[Key] = set()
        self._forgotten: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        """Return the number of keys that wait, now or later."""
        return self.ready + len(self._due)

    @property
    def ready(self) -> int:
        """The number of keys that are ready and wait for a worker."""
        return len(self._share_of)

    @property
    def working(self) -> int:
        """The number of keys that are being handled."""
        return len(self._working)

    @property
    def oldest_s(self) -> float:
        """How many seconds the oldest ready key has waited."""
        now = self._clock.monotonic()
        return now - min((next(iter(keys.values())) for members in self._ready.values() for keys in members.values()), default=now)

    def add(self, key: Key, after_s: float = 0.0) -> None:
        """Handle a key after some seconds. The earlier of two times wins; a key that is being handled is handled again afterwards."""
        if after_s > 0:
            self._add_later(key, self._clock.monotonic() + after_s)
        elif key in self._working:
            self._again.add(key)
        else:
            self._make_ready(key)
        self._wake.set()

    def forget(self, key: Key) -> None:
        """Remove the key of a deleted object. A pass under way is not interrupted, and not retried if it fails."""
        self._due.discard(key)
        self._again.discard(key)
        self._failures.pop(key, None)
        if key in self._working:
            self._forgotten.add(key)
        share = self._share_of.pop(key, None)
        if share is not None:
            del self._ready[share.group][share.member][key]
            self._drop_empty(share)

    async def run(self, handle: Callable[[Key], Awaitable[None]], workers: int) -> None:
        """Handle keys until cancelled; passes under way then get ten seconds to end before they are cancelled, too."""
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
            # An event during the pass may help: retry soon, but never at once, because the pass may have caused the event itself.
            self._again.discard(key)
            delay = _FIRST_BACKOFF_S
        delay *= random.uniform(0.8, 1.2)  # noqa: S311
        log.error("pass over %s failed (%d times in a row); again in %.0f s", key, failures, delay, exc_info=error)
        self._due.discard(key)
        self._add_later(key, self._clock.monotonic() + delay)

    def _make_ready(self, key: Key) -> None:
        self._due.discard(key)
        share, before = self._share(key), self._share_of.get(key)
        if share == before:
            return
        since = self._clock.monotonic()
        if before is not None:
            since = self._ready[before.group][before.member].pop(key)
            self._drop_empty(before)
        self._share_of[key] = share
        members = self._ready.setdefault(share.group, OrderedDict())
        members.setdefault(share.member, OrderedDict())[key] = since

    def _add_later(self, key: Key, due: float) -> None:
        if key not in self._share_of and due < self._due.of(key):
            self._due.set(key, due)

    def _promote(self) -> None:
        now = self._clock.monotonic()
        while (key := self._due.take(now)) is not None:
            if key in self._working:
                self._again.add(key)
            else:
                self._make_ready(key)

    def _take(self, free: int) -> Key | None:
        """Take the next key of the next member of the next group in turn that do not have too many workers."""
        held, held_by_group = Counter(self._working.values()), Counter(share.group for share in self._working.values())
        groups = (item for item in self._ready.items() if held_by_group[item[0]] < self._may_have(item[0], free))
        turns = (Share(group, member) for group, members in groups for member in members)
        share = next((turn for turn in turns if _may_take(held[turn], held_by_group[turn.group], free)), None)
        if share is None:
            return None
        members = self._ready[share.group]
        key, _ = members[share.member].popitem(last=False)
        self._ready.move_to_end(share.group)
        members.move_to_end(share.member)
        self._drop_empty(share)
        del self._share_of[key]
        self._working[key] = share
        return key

    def _may_have(self, group: str, free: int) -> int:
        return min(_SHARE * free, self._most.get(group, _SHARE * free))

    def _drop_empty(self, share: Share) -> None:
        members = self._ready[share.group]
        if not members[share.member]:
            del members[share.member]
            if not members:
                del self._ready[share.group]

    def _until_next(self) -> float | None:
        return max(0.001, self._due.next - self._clock.monotonic()) if len(self._due) else None


def _may_take(held: int, held_by_group: int, free: int) -> bool:
    """Return whether a member of a group that may have one more worker may have it."""
    leaves_one = held_by_group + 1 < _SHARE * (free - 1)
    return held == 0 or (leaves_one and held < _SHARE * (_SHARE * free - held_by_group))


async def _finish(tasks: set[asyncio.Task[None]]) -> None:
    if not tasks:
        return
    _, late = await asyncio.wait(set(tasks), timeout=_STOP_S)
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late, timeout=_CANCEL_S)
