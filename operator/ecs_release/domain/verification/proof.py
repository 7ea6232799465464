"""What tasks prove: which digests run in which container, and whether they are the wanted ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from ecs_release.domain.ecs.service import DAEMON, Deployment, Service, Task, TaskDefinition
from ecs_release.domain.model.image_names import parse_image, short_digest


class Match(StrEnum):
    """Whether what runs is what is wanted."""

    YES = "Yes"
    NO = "No"
    UNKNOWN = "Unknown"
    NOTHING_RUNS = "NothingRuns"


@dataclass(frozen=True, slots=True)
class ImageDigests:
    """The digests that prove a container: the wanted one and, of a manifest list, those of its platforms.

    `complete` is False while the platforms are not known, because ECR could not be asked: any other digest may be one of theirs.
    """

    digests: frozenset[str]
    complete: bool = True

    def match(self, digest: str | None) -> Match:
        """Compare a digest with these: Unknown if there is none, or if it may be a platform's."""
        if digest and digest in self.digests:
            return Match.YES
        return Match.NO if digest and self.complete else Match.UNKNOWN


Accepted: TypeAlias = Mapping[str, ImageDigests]
"""The digests that prove each listed container."""


@dataclass(frozen=True, slots=True)
class SeenDigest:
    """A digest seen in a container, and in how many running tasks; empty if ECS does not report it."""

    container: str
    digest: str
    tasks: int


def match_task(task: Task, accepted: Accepted) -> Match:
    """Compare one task's listed containers with what is wanted, by digest."""
    found = {digests.match(task.digest_of(name)) for name, digests in accepted.items()}
    if missing_containers(task, accepted) or Match.NO in found:
        return Match.NO
    return Match.UNKNOWN if Match.UNKNOWN in found else Match.YES


def missing_containers(task: Task, accepted: Accepted) -> tuple[str, ...]:
    """Return the listed containers that a task does not have. ECS lists all of a task's containers from its beginning."""
    names = {c.name for c in task.containers}
    return tuple(name for name in accepted if names and name not in names)


def named_digests(revision: TaskDefinition | None, containers: Iterable[str]) -> dict[str, str]:
    """Return the digest that a revision names for each container; empty if it names a tag, or has no such container."""
    return {c: parse_image((revision.image_of(c) if revision else None) or "").digest for c in containers}


def each_task_resolves(revision: TaskDefinition, containers: Iterable[str]) -> bool:
    """Return whether each task pulls what a tag points to by then, so that tasks of one deployment may run different images.

    Otherwise ECS resolves a tag once for a deployment (ECS API reference, ContainerDefinition: versionConsistency is enabled by default).
    """
    listed = set(containers)
    without = (c for c in revision.containers if c["name"] in listed and c.get("versionConsistency") == "disabled")
    return any(not parse_image(c["image"]).digest for c in without)


def match_deployment(service: Service, deployment: Deployment, accepted: Accepted, named: Mapping[str, str]) -> Match:
    """Compare what a deployment runs, or will run, with what is wanted: by the digests that its revision names, else by its own tasks.

    `named` has the digest for each container, and none if the revision names a tag.
    """
    compared = {digests.match(named.get(name)) for name, digests in accepted.items()}
    if compared == {Match.YES}:
        return Match.YES
    if Match.NO in compared:
        return Match.NO
    found = {match_task(task, accepted) for task in tasks_of(service, deployment)}
    if Match.NO in found:
        return Match.NO
    return Match.YES if found == {Match.YES} else Match.UNKNOWN


def match_service(service: Service, accepted: Accepted) -> Match:
    """Compare every running task of a service with what is wanted.

    One other digest is a difference. Otherwise each task that ECS counts must have been seen: ListTasks lags behind DescribeServices, and
    the tasks that it leaves out prove nothing.
    """
    tasks = service.running_tasks
    found = {match_task(task, accepted) for task in tasks}
    if Match.NO in found:
        return Match.NO
    if Match.UNKNOWN in found or len(tasks) < service.running:
        return Match.UNKNOWN
    return Match.YES if found else Match.NOTHING_RUNS


def tasks_of(service: Service, deployment: Deployment) -> tuple[Task, ...]:
    """Return the running tasks of one deployment."""
    return tuple(task for task in service.running_tasks if task.is_of(deployment))


def why_unproven(service: Service, accepted: Accepted) -> str:
    """Return what is missing for a proof that the wanted digests run; an empty string if nothing is."""
    tasks = service.running_tasks
    wrong = sum(match_task(task, accepted) is Match.NO for task in tasks)
    if wrong:
        return f"{wrong} of {len(tasks)} running tasks show other digests"
    if len(tasks) < service.running:
        return f"ECS counts {service.running} running tasks and lists {len(tasks)} of them"
    if not tasks:
        return f"no task of {service.desired} runs"
    unproven = [task for task in tasks if match_task(task, accepted) is Match.UNKNOWN]
    silent = sum(not all(task.digest_of(name) for name in accepted) for task in unproven)
    if silent:
        return f"ECS does not report the digests of {silent} of {len(tasks)} running tasks"
    if unproven:
        return (
            f"{len(unproven)} of {len(tasks)} running tasks show digests that may be of the wanted images' platforms: ECR has not told yet"
        )
    return ""


def why_nothing_runs(service: Service) -> str:
    """Return why nothing runs if no task is desired: a daemon's desired count is the number of instances that take it."""
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
        if seen.container in accepted and accepted[seen.container].match(seen.digest) is Match.NO:
            found.setdefault(seen.container, seen.digest)
    return found


def first_task_mismatch(service: Service, deployment_id: str, accepted: Accepted, *, each_resolves: bool = False) -> str:
    """Describe a task of our deployment that runs another digest than the tag was moved to; an empty string if none does.

    The first task of a deployment resolves the tag for all of it (Amazon ECS developer guide, "Container image resolution"): if the tag
    was moved before that, something else was deployed. Where each task resolves it, that may have come later.
    """
    whose = "one of its tasks" if each_resolves else "its first task"
    deployment = service.deployment(deployment_id)
    for task in service.tasks if deployment is not None else ():
        if deployment is None or not task.is_of(deployment):
            continue
        for container, digests in accepted.items():
            digest = task.digest_of(container)
            if digests.match(digest) is Match.NO:
                return f"container {container} of {whose} runs {short_digest(digest)}: the tag was moved before it was pulled"
    return ""
