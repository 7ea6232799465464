"""What tasks prove: which digests run in which container, and whether they are the wanted ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from ecs_release.domain.ecs.service import DAEMON, Service, Task

Accepted: TypeAlias = Mapping[str, frozenset[str]]
"""The digests that prove each listed container: the wanted one and, of a manifest list, those of its platforms."""


class Match(StrEnum):
    """Whether what runs is what is wanted."""

    YES = "Yes"
    NO = "No"
    UNKNOWN = "Unknown"
    NOTHING_RUNS = "NothingRuns"


@dataclass(frozen=True, slots=True)
class SeenDigest:
    """A digest seen in a container, and in how many running tasks; empty where ECS does not tell it."""

    container: str
    digest: str
    tasks: int


def match_task(task: Task, accepted: Accepted) -> Match:
    """Compare one task's listed containers with what is wanted, by digest."""
    digests = {name: task.digest_of(name) for name in accepted}
    if any(digest and digest not in accepted[name] for name, digest in digests.items()):
        return Match.NO
    if not all(digests.values()):
        return Match.UNKNOWN
    return Match.YES


def match_service(service: Service, accepted: Accepted) -> Match:
    """Compare every running task of a service with what is wanted."""
    found = {match_task(task, accepted) for task in service.running_tasks}
    if not found:
        return Match.NOTHING_RUNS
    for answer in (Match.NO, Match.UNKNOWN):
        if answer in found:
            return answer
    return Match.YES


def nothing_runs(service: Service) -> str:
    """Say why nothing runs where ECS wants no task: a daemon's count is that of the instances that take it."""
    if service.scheduling == DAEMON:
        return "no container instance takes the daemon: nothing runs, so nothing is proven"
    return "desiredCount is 0: nothing runs, so nothing is proven"


def seen_digests(service: Service) -> tuple[SeenDigest, ...]:
    """Count the digests of all containers, sidecars too, over the running tasks; ordered by container, most frequent first."""
    counts = Counter((c.name, c.digest) for task in service.running_tasks for c in task.containers)
    ordered = sorted(counts.items(), key=lambda item: (item[0][0], -item[1], item[0][1]))
    return tuple(SeenDigest(name, digest, tasks) for (name, digest), tasks in ordered)


def other_digests(service: Service, accepted: Accepted) -> dict[str, str]:
    """Return, for each listed container, a digest that runs and is not wanted (the most frequent one)."""
    found: dict[str, str] = {}
    for seen in seen_digests(service):
        if seen.container in accepted and seen.digest and seen.digest not in accepted[seen.container]:
            found.setdefault(seen.container, seen.digest)
    return found
