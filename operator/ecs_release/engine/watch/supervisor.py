"""Keeps the watch alive, and finds what it missed."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol

from ecs_release.domain.model.errors import Conflict, NotFound, Problem, Retryable
from ecs_release.domain.ports.protocols import Clock, Cluster, ObjectKey

log = logging.getLogger(__name__)

_FIRST_S, _LAST_S = 1.0, 60.0
_MANY, _WINDOW_S = 10, 600.0
_SERVED_S = 5.0
_TOLD_S = 0.1


class WatchBroken(RuntimeError):
    """The watch broke too often: the process must end and be started anew."""


async def keep_running(watch: Callable[[], Awaitable[None]], stop: asyncio.Event, clock: Clock) -> None:
    """Run a watch again whenever it ends or breaks, with growing pauses, until `stop` is set.

    kopf ends a watch for good on any error in its stream but 410; the queue, observers and caches must outlive that. Raises WatchBroken
    after ten breaks in ten minutes.
    """
    broken: list[float] = []
    while not stop.is_set():
        try:
            await watch()
        except Exception as error:
            log.warning("the watch broke: %s: %s", type(error).__name__, error)
            log.debug("the watch broke", exc_info=error)
        if stop.is_set():
            return
        now = clock.monotonic()
        broken = [t for t in broken if now - t < _WINDOW_S] + [now]
        if len(broken) >= _MANY:
            raise WatchBroken(f"the watch broke {len(broken)} times within {_WINDOW_S:.0f} s; the reasons are in the log before this")
        pause = min(_LAST_S, _FIRST_S * 2 ** (len(broken) - 1))
        log.info("watching again in %.0f s", pause)
        if await _stopped_within(stop, pause):
            return


async def until_served(cluster: Cluster, kinds: Sequence[str], stop: asyncio.Event) -> bool:
    """Wait until the API server serves every kind: a watch begun before its CRD is there never tells of that kind. False where stopped."""
    for kind in kinds:
        said = ""
        while not stop.is_set():
            try:
                await cluster.count(kind)
                break
            except Retryable as problem:
                if problem.message != said:
                    log.warning("waiting to watch %ss: %s", kind, problem.message)
                    said = problem.message
                await _stopped_within(stop, _SERVED_S)
    return not stop.is_set()


class Known(Protocol):
    """What is remembered of objects."""

    def count(self, kind: str) -> int:
        """Count all remembered objects of a kind."""

    def known(self, kind: str) -> Iterable[tuple[str, str, str]]:
        """List (namespace, name, uid) of all remembered objects of a kind."""


async def until_told(cluster: Cluster, store: Known, kinds: Iterable[str], clock: Clock, timeout_s: float, retry_s: float) -> None:
    """Wait until the watch has told of every object that is there: a Release must not be judged before its Environment is known.

    Counted, not compared: to list 5,000 names, with the managed fields that come with them, takes longer than to take the objects in.
    """
    for kind in kinds:
        deadline = math.inf
        while (missing := await _count(cluster, kind, retry_s) - store.count(kind)) > 0:
            # From the first count on: while nothing can be counted the watch is told nothing either.
            deadline = min(deadline, clock.monotonic() + timeout_s)
            if clock.monotonic() > deadline:
                log.warning("the watch has not told of %d %ss: going on without", missing, kind)
                break
            await asyncio.sleep(_TOLD_S)


async def _count(cluster: Cluster, kind: str, retry_s: float) -> int:
    while True:
        try:
            return await cluster.count(kind)
        except Problem as problem:
            # Denied, too: a namespace that is not let into is left out in a moment.
            log.warning("cannot count %ss yet: %s", kind, problem.message)
            await asyncio.sleep(retry_s)


async def sweep_ghosts(
    cluster: Cluster, store: Known, kinds: Iterable[str], forget: Callable[[ObjectKey, str], None], interval_s: float
) -> None:
    """Forget objects that were deleted while nobody watched: those give no DELETED event. Runs until cancelled.

    Raises WatchBroken where an object is there at two sweeps and the watch has told of it at neither: the watch is blind, and the
    process must be started anew rather than show yesterday's truth.
    """
    missed: dict[str, set[str]] = {}
    while True:
        await asyncio.sleep(interval_s)
        for kind in kinds:
            try:
                unknown = await sweep_once(cluster, store, kind, forget)
                if still := unknown & missed.get(kind, set()):
                    raise WatchBroken(f"the watch has not told of {len(still)} {kind}s for {interval_s:.0f} s")
                missed[kind] = unknown
            except (Problem, Conflict, NotFound) as problem:
                log.warning("cannot look for deleted %ss, the next time is in %.0f s: %s", kind, interval_s, problem)


async def sweep_once(cluster: Cluster, store: Known, kind: str, forget: Callable[[ObjectKey, str], None]) -> set[str]:
    """Compare what is remembered with what is there, page by page to the end; a LIST that breaks off forgets nothing.

    Returns the uids of objects that are there and not remembered.

    What is remembered is listed first: an object made meanwhile is not taken for a ghost. One made again under its name has another uid.
    """
    before = set(store.known(kind))
    there = {uid async for _, _, uid in cluster.names(kind)}
    for namespace, name, uid in before:
        if uid not in there:
            key = ObjectKey(kind, namespace, name)
            log.info("%s %s was deleted unnoticed", kind, key, extra={"object": str(key)})
            forget(key, uid)
    return there - {uid for _, _, uid in store.known(kind)}


async def _stopped_within(stop: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return False
    return True
