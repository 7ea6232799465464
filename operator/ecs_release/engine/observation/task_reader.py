"""Reads the running tasks of services: one list for each service, or for a whole cluster if that takes fewer calls.

ListTasks has no batches and a low rate limit (20 a second for each account): at the start, with five thousand unread services, a list for
each would take minutes. A cluster's tasks come by the hundred, with the service that each belongs to.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from ecs_release.domain.ecs.service import RUNNING, Access, Service, Task
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.model.halving import is_faulty, read_by_halves
from ecs_release.domain.ports.protocols import Aws, Clock, Ecs, Priority

TASKS_A_CALL = 100
_KEPT_S = 60.0
_MANY = 20
"""From this number of services that were never read on, a cluster is listed as a whole."""


@dataclass(slots=True)
class _Cluster:
    """All tasks of a cluster as listed at a time, by service; None if there are too many."""

    tasks: asyncio.Task[Mapping[str, tuple[Task, ...]] | None]
    at: float


class TaskReader:
    """Reads tasks for one observer."""

    def __init__(self, aws: Aws, clock: Clock) -> None:
        """The list of a whole cluster is kept for a minute."""
        self._aws = aws
        self._clock = clock
        self._clusters: dict[tuple[Access, str], _Cluster] = {}

    async def read(
        self,
        access: Access,
        cluster: str,
        services: Sequence[Service],
        *,
        first: Collection[str],
        unknown: Callable[[], int],
        priority: Priority,
    ) -> dict[str, tuple[Task, ...] | Problem]:
        """Read the running tasks of services, by name; a Problem for each whose tasks cannot be read.

        Those in `first`, which were never read, may come from a list of the whole cluster, up to a minute old; the others are always
        read now. `unknown` counts the observed services of the cluster that were never read.
        """
        ecs = self._aws.ecs(access)
        known = await self._of_cluster(ecs, access, cluster, unknown) if first else None
        found = {s.name: t for s in services if known is not None and s.name in first and _fits(s, t := known.get(s.name, ()))}
        rest = [s.name for s in services if s.name not in found]
        return {**found, **await _by_service(ecs, cluster, rest, priority)}

    async def _of_cluster(
        self, ecs: Ecs, access: Access, cluster: str, unknown: Callable[[], int]
    ) -> Mapping[str, tuple[Task, ...]] | None:
        key, now = (access, cluster), self._clock.monotonic()
        self._clusters = {k: c for k, c in self._clusters.items() if now - c.at < _KEPT_S or not c.tasks.done()}
        if key not in self._clusters:
            count = unknown()
            if count < _MANY:
                return None
            self._clusters[key] = _Cluster(asyncio.create_task(_whole_cluster(ecs, cluster, count)), now)
        # Others wait for the same list: a caller that gives up must not cancel it.
        return await asyncio.shield(self._clusters[key].tasks)


def _fits(service: Service, tasks: Sequence[Task]) -> bool:
    """Return whether tasks that were listed at another time match the counts of the service now.

    A task that was PENDING then and counts as RUNNING now would be kept as PENDING until something changes again.
    """
    running = sum(t.last_status == RUNNING for t in tasks)
    counts = (running, len(tasks) - running) == (service.running, service.pending)
    return counts and {t.started_by for t in tasks} <= {d.id for d in service.deployments}


async def _whole_cluster(ecs: Ecs, cluster: str, unknown: int) -> Mapping[str, tuple[Task, ...]] | None:
    """Read all tasks of a cluster; None if that would take more calls than a list for each service, or fails."""
    try:
        arns = await ecs.list_cluster_tasks(cluster, pages=max(1, unknown // 2))
    except Problem:
        return None
    tasks = _found(arns, await _described(ecs, cluster, arns, Priority.OBSERVATION)) if arns is not None else None
    if tasks is None or isinstance(tasks, Problem):
        return None
    by_service: dict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        by_service[task.service].append(task)
    return {name: tuple(of_it) for name, of_it in by_service.items()}


async def _by_service(ecs: Ecs, cluster: str, names: Sequence[str], priority: Priority) -> dict[str, tuple[Task, ...] | Problem]:
    lists = dict(zip(names, await asyncio.gather(*(_listed(ecs, cluster, name, priority) for name in names)), strict=True))
    tasks = await _described(ecs, cluster, [arn for arns in lists.values() if not isinstance(arns, Problem) for arn in arns], priority)
    return {name: arns if isinstance(arns, Problem) else _found(arns, tasks) for name, arns in lists.items()}


async def _listed(ecs: Ecs, cluster: str, name: str, priority: Priority) -> list[str] | Problem:
    try:
        return await ecs.list_tasks(cluster, name, priority=priority)
    except Problem as problem:
        return problem


async def _described(ecs: Ecs, cluster: str, arns: Sequence[str], priority: Priority) -> dict[str, Task | Problem]:
    """Describe tasks, by ARN; tasks that are gone are left out, and those that cannot be read get a Problem."""
    found: dict[str, Task | Problem] = {}

    async def describe(page: Sequence[str]) -> None:
        found.update({task.arn: task for task in await ecs.describe_tasks(cluster, page, priority=priority)})

    def failed(page: Sequence[str], problem: Problem) -> None:
        found.update(dict.fromkeys(page, problem))

    await asyncio.gather(
        *(read_by_halves(arns[i : i + TASKS_A_CALL], describe, failed, is_faulty) for i in range(0, len(arns), TASKS_A_CALL))
    )
    return found


def _found(arns: Sequence[str], tasks: Mapping[str, Task | Problem]) -> tuple[Task, ...] | Problem:
    """Return the tasks of a list, or the first Problem among them."""
    there: list[Task] = []
    for found in (tasks[arn] for arn in arns if arn in tasks):
        if isinstance(found, Problem):
            return found
        there.append(found)
    return tuple(there)
