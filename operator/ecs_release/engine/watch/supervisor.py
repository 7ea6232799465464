"""Restarts the watch, and finds changes that it missed."""

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
    """The watch broke too often: the process must end and be restarted."""


async def keep_running(watch: Callable[[], Awaitable[None]], stop: asyncio.Event, clock: Clock) -> None:
    """Restart a watch whenever it ends or breaks, with growing pauses, until `stop` is set.

    kopf ends a watch for good on any error in its stream but 410; queue, observers and caches must survive that. Raises WatchBroken
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
    """Wait until the API server serves every kind: a watch that starts before the CRD exists never reports it. False if stopped."""
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


class KnownObjects(Protocol):
    """The store's lists of objects."""

    def count(self, kind: str) -> int:
        """Count the stored objects of a kind."""

    def known(self, kind: str) -> Iterable[tuple[str, str, str]]:
        """List (namespace, name, uid) of the stored objects of a kind."""


async def until_synced(cluster: Cluster, store: KnownObjects, kinds: Iterable[str], clock: Clock, timeout_s: float, retry_s: float) -> None:
    """Wait until the watch has reported every object: a Release must not be judged before its Environment is known.

    Numbers are compared, not names: listing 5,000 names, which come with managed fields, takes longer than storing the objects.
    """
    for kind in kinds:
        deadline = math.inf
        while (missing := await _count(cluster, kind, retry_s) - store.count(kind)) > 0:
            # From the first count on: while objects cannot be counted the watch gets no objects either.
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
            # Denied, too: a namespace without access is left out soon.
            log.warning("cannot count %ss yet: %s", kind, problem.message)
            await asyncio.sleep(retry_s)


async def sweep_ghosts(
    cluster: Cluster, store: KnownObjects, kinds: Iterable[str], forget: Callable[[ObjectKey, str], None], interval_s: float
) -> None:
    """Forget objects that were deleted while the watch was interrupted: those cause no DELETED event. Runs until cancelled.

    Raises WatchBroken if an object exists at two sweeps and the watch has not reported it: the watch is stuck, and the
    process must be restarted rather than act on stale objects.
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


async def sweep_once(cluster: Cluster, store: KnownObjects, kind: str, forget: Callable[[ObjectKey, str], None]) -> set[str]:
    """Compare the stored objects with those in the cluster, page by page; if a LIST fails nothing is forgotten.

    Returns the uids of objects in the cluster that are not stored.

    Stored objects are listed first: one that is created meanwhile is not forgotten. One that was created again has another uid.
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
