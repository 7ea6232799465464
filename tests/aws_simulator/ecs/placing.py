"""Tasks that begin and end for the scheduler's sake, and what the service says of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tests.aws_simulator.ecs import lifecycle
from tests.aws_simulator.ecs.states import Container, Deployment, Task

if TYPE_CHECKING:
    from tests.aws_simulator.ecs.service import Service

SCALING = "Scaling activity initiated"
REPLACING = "Scaling activity initiated by deployment"


def launch(service: Service, deployment: Deployment, count: int, now: float) -> None:
    """Begin tasks of a deployment."""
    started = [_new_task(service, deployment, now) for _ in range(count)]
    service.tasks += started
    named = " ".join(f"(task {t.id})" for t in started)
    service.voice.say(f"has started {count} tasks: {named}.", now)
    for task in started:
        service.voice.task(task, now)


def stop(service: Service, task: Task, reason: str, now: float) -> None:
    """Tell a task to stop."""
    lifecycle.stop(task, reason, "ServiceSchedulerInitiated", now, service.world.scaled)
    service.voice.say(f"has stopped 1 running tasks: (task {task.id}).", now)
    service.voice.task(task, now)


def say_held(service: Service, held: Sequence[Task], now: float) -> None:
    """Say once for each set of them that protected tasks hold up what shall be scaled in.

    The words are those that aws-samples/ecs-task-protection-examples and public logs of service events show.
    """
    ids = frozenset(t.id for t in held)
    if ids and ids != service.held:
        for deployment in sorted({t.deployment for t in held}):
            count = sum(t.deployment == deployment for t in held)
            service.voice.say(
                f"was unable to reach steady state because (taskSet {deployment}) was unable to scale in due to"
                f" (reason {count} tasks under protection)",
                now,
            )
    service.held = ids


def _new_task(service: Service, deployment: Deployment, now: float) -> Task:
    containers = []
    for definition in service.world.containers_of(deployment.task_definition):
        image = definition["image"]
        # The first task that can resolves a tag, for all later ones (version consistency).
        digest = deployment.digests.get(image) or service.world.images.digest_of(image)
        if digest:
            deployment.digests[image] = digest
        behaviour = service.world.images.pulled(image, digest)
        essential, checked = definition.get("essential", True), bool(definition.get("healthCheck"))
        containers.append(Container(definition["name"], image, digest, behaviour, essential, checked))
    base, chance = service.arn.split(":service/")[0], f"{service.random.getrandbits(96):024x}"
    arn = f"{base}:task/{service.cluster}/{service.task_prefix}{chance}"
    return Task(arn, deployment.id, deployment.task_definition, containers, now, next_at=now + service.world.scaled(lifecycle.PROVISION_S))
