"""The scheduler of one service and its circuit breaker: applies the rules of `rolling` to the tasks that there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.aws_simulator.ecs import lifecycle
from tests.aws_simulator.ecs.rolling import breaker_threshold, plan
from tests.aws_simulator.ecs.states import Container, Deployment, Task

if TYPE_CHECKING:
    from tests.aws_simulator.ecs.service import Service

_SCALING = "Scaling activity initiated"
_REPLACING = "Scaling activity initiated by deployment"
_DEADLOCK = (
    "was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the"
    " minimumHealthyPercent or maximumPercent value and try again."
)
_ROLLING_BACK = "Service deployment rolled back because the circuit breaker threshold was exceeded."
_TRIPPED = "ECS deployment circuit breaker: tasks failed to start."
_TRIPPED_FOR_GOOD = "Service deployment failed: the circuit breaker threshold was exceeded."


def schedule(service: Service, now: float) -> None:
    """Launch, stop, complete, fail, roll back: whatever is due now."""
    _judge(service, now)
    primary = service.primary
    if primary is None:
        _drained(service, now)
        return
    alive = [t for t in service.tasks if t.alive and not t.leaving]
    if service.desired == 0:
        for task in alive:
            if task.protected_until <= now:
                _stop(service, task, _SCALING, now)
    elif primary.state != "FAILED":
        _replace(service, primary, alive, now)
    _complete(service, primary, now)
    _drained(service, now)


def _replace(service: Service, primary: Deployment, alive: list[Task], now: float) -> None:
    new = [t for t in alive if t.deployment == primary.id]
    old = [t for t in alive if t.deployment != primary.id]
    deactivating = sum(t.status == "DEACTIVATING" for t in service.tasks)
    step = plan(service.bounds, new, old, now, deactivating)
    for task in step.stop:
        _stop(service, task, _SCALING if task in new else _REPLACING, now)
    wakes = [t.protected_until for t in alive if t.protected_until > now]
    if step.launch and now < primary.launch_at:
        wakes.append(primary.launch_at)
    elif step.launch:
        _launch(service, primary, step.launch, now)
    service.wake_at = min(wakes, default=None)
    incomplete = old or len(new) < service.desired
    if incomplete and not (step.launch or step.stop or primary.stalled) and service.next_at() is None and all(t.healthy for t in alive):
        primary.stalled = True
        service.voice.say(_DEADLOCK, now)


def _launch(service: Service, primary: Deployment, count: int, now: float) -> None:
    started = [_new_task(service, primary, now) for _ in range(count)]
    service.tasks += started
    named = " ".join(f"(task {t.id})" for t in started)
    service.voice.say(f"has started {count} tasks: {named}.", now)
    for task in started:
        service.voice.task(task, now)


def _stop(service: Service, task: Task, reason: str, now: float) -> None:
    lifecycle.stop(task, reason, "ServiceSchedulerInitiated", now, service.world.scaled)
    service.voice.say(f"has stopped 1 running tasks: (task {task.id}).", now)
    service.voice.task(task, now)


def _complete(service: Service, primary: Deployment, now: float) -> None:
    here = [t for t in service.tasks if t.alive]
    settled = len(here) == service.desired and all(t.deployment == primary.id and t.healthy and not t.leaving for t in here)
    if settled and primary.state == "IN_PROGRESS":
        primary.state, primary.updated, primary.reason = "COMPLETED", now, f"ECS deployment {primary.id} completed."
        service.last_completed = primary
        service.records.completed(primary.number, now)
        service.voice.say(f"(deployment {primary.id}) deployment completed.", now)
        service.voice.deployment(primary, "SERVICE_DEPLOYMENT_COMPLETED", now)
    if settled and not service.steady:
        service.voice.say("has reached a steady state.", now)
        service.voice.action("SERVICE_STEADY_STATE", now)
    service.steady = settled


def _drained(service: Service, now: float) -> None:
    """Let deployments without tasks go: INACTIVE, shown for a moment if that is switched on, then gone. A service that drains, too."""
    left = {t.deployment for t in service.tasks if t.alive}
    for deployment in service.deployments:
        empty = deployment.status != "PRIMARY" and deployment.id not in left
        if empty and deployment.drained is None:
            deployment.status, deployment.drained, deployment.updated = "INACTIVE", now, now
    lingers = service.world.inactive_lingers_s()
    service.deployments = [d for d in service.deployments if d.drained is None or now < d.drained + lingers]
    if service.status == "DRAINING" and not left:
        service.status, service.deployments, service.wake_at = "INACTIVE", [], None


# The circuit breaker.


def _judge(service: Service, now: float) -> None:
    primary, breaker = service.primary, service.breaker
    if primary is None or not breaker.get("enable") or primary.state != "IN_PROGRESS" or service.desired == 0:
        return
    if primary.breaker_failures < breaker_threshold(breaker, service.desired):
        return
    service.records.tripped(primary.number, primary.breaker_failures)
    service.voice.say(f"(deployment {primary.id}) deployment failed: tasks failed to start.", now)
    primary.state, primary.reason, primary.updated = "FAILED", _TRIPPED, now
    service.voice.deployment(primary, "SERVICE_DEPLOYMENT_FAILED", now, error=True)
    if not breaker.get("rollback") or not roll_back(service, primary, _ROLLING_BACK, now):
        service.records.failed(primary.number, _TRIPPED_FOR_GOOD, now)


def roll_back(service: Service, failed: Deployment, why: str, now: float, *, requested: bool = False) -> bool:
    """Return to the last completed deployment, by its own id and digests; False where there is none that is not being returned to."""
    target = service.last_completed
    if target is None or target is failed:
        return False
    service.last_completed = None
    failed.status, failed.state, failed.updated = "ACTIVE", "FAILED", now
    failed.reason = why if requested else failed.reason
    target.status, target.state, target.updated, target.launch_at, target.drained = "PRIMARY", "IN_PROGRESS", now, now, None
    target.reason = (
        f"ECS deployment {target.id} in progress."
        if requested
        else f"ECS deployment circuit breaker: rolling back to deploymentId {target.id}."
    )
    target.breaker_failures = target.failed_tasks = target.start_failures = 0
    service.deployments = [target, *(d for d in service.deployments if d is not target)]
    for task in service.tasks:
        if task.deployment == failed.id and task.alive and not task.leaving and not task.healthy:
            _stop(service, task, _REPLACING, now)
    service.records.roll_back(failed.number, target.number, why, now, requested=requested)
    service.voice.say(f"rolling back to deployment {target.id}.", now)
    service.voice.deployment(target, "SERVICE_DEPLOYMENT_IN_PROGRESS", now)
    service.touch(now)
    return True


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
