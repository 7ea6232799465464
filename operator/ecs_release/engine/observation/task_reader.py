"""Reads the running tasks of services: one list a service, or those of a whole cluster where that takes fewer calls.

ListTasks has no batches and a tight limit (20 a second an account): at the start, when nothing is known of five thousand services, a list
for each would take minutes. A cluster's tasks come by the hundred, and say whose they are.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from ecs_release.domain.ecs.service import RUNNING, Access, Service, Task
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.ports.protocols import Aws, Clock, Ecs, Priority

TASKS_A_CALL = 100
_KEPT_S = 60.0
_MANY = 20
"""Services of which nothing is known, from which on a cluster is looked at as a whole."""


@dataclass(slots=True)
class _Cluster:
    """All tasks of a cluster as they were a moment ago, by service; None where there are too many."""

    tasks: asyncio.Task[Mapping[str, tuple[Task, ...]] | None]
    at: float


class TaskReader:
    """Reads tasks for one observer."""

    def __init__(self, aws: Aws, clock: Clock) -> None:
        """Clusters that were looked at as a whole are remembered for a minute."""
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

        Those of `first`, of which nothing is known yet, may be told by a look at the whole cluster, up to a minute old; the others were
        read before, and want to know what is there now. `unknown` counts the cluster's observed services of which nothing is known.
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
        # Somebody else's look, too: whoever gives up waiting must not end it.
        return await asyncio.shield(self._clusters[key].tasks)


def _fits(service: Service, tasks: Sequence[Task]) -> bool:
    """Tell whether tasks that were listed at another moment are those that the service counts, each as far as it is by now.

    One that was PENDING then and is counted as RUNNING now would be remembered as PENDING until something moves again.
    """
    running = sum(t.last_status == RUNNING for t in tasks)
    counts = (running, len(tasks) - running) == (service.running, service.pending)
    return counts and {t.started_by for t in tasks} <= {d.id for d in service.deployments}


async def _whole_cluster(ecs: Ecs, cluster: str, unknown: int) -> Mapping[str, tuple[Task, ...]] | None:
    """Read all tasks of a cluster; None where that would take more calls than a list for each service, or fails."""
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
    """Describe tasks, by ARN; those that are gone are left out, and a page that cannot be read is a Problem of all on it."""

    async def described(page: Sequence[str]) -> dict[str, Task | Problem]:
        try:
            return {task.arn: task for task in await ecs.describe_tasks(cluster, page, priority=priority)}
        except Problem as problem:
            return dict.fromkeys(page, problem)

    pages = await asyncio.gather(*(described(arns[i : i + TASKS_A_CALL]) for i in range(0, len(arns), TASKS_A_CALL)))
    return {arn: found for page in pages for arn, found in page.items()}


def _found(arns: Sequence[str], tasks: Mapping[str, Task | Problem]) -> tuple[Task, ...] | Problem:
    """Return the tasks of a list; the Problem that kept some of them from being read, where there is one."""
    there: list[Task] = []
    for found in (tasks[arn] for arn in arns if arn in tasks):
        if isinstance(found, Problem):
            return found
        there.append(found)
    return tuple(there)
