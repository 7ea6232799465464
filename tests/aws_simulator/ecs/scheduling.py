"""The scheduler of one service: applies the rules of `rolling`, or the stages of the other strategies, to the tasks that there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.aws_simulator.ecs import placing, stages
from tests.aws_simulator.ecs.failing import judge
from tests.aws_simulator.ecs.rolling import plan
from tests.aws_simulator.ecs.states import Deployment, Task

if TYPE_CHECKING:
    from tests.aws_simulator.ecs.service import Service

_DEADLOCK = (
    "was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the"
    " minimumHealthyPercent or maximumPercent value and try again."
)


def schedule(service: Service, now: float) -> None:
    """Launch, stop, complete, fail, roll back: whatever is due now."""
    judge(service, now)
    primary = service.primary
    if primary is None:
        _drained(service, now)
        return
    alive = [t for t in service.tasks if t.alive and not t.leaving]
    shifting = primary.shifting and service.status == "ACTIVE"
    if shifting and primary.state != "FAILED":
        stages.walk(service, primary, now)
    elif service.desired == 0:
        _empty(service, alive, now)
    elif primary.state != "FAILED":
        _replace(service, primary, alive, now)
    if service.primary is primary and (not shifting or stages.may_complete(primary)):
        _complete(service, primary, now)
    _drained(service, now)


def _empty(service: Service, alive: list[Task], now: float) -> None:
    held = [t for t in alive if t.protected_until > now]
    for task in alive:
        if task not in held:
            placing.stop(service, task, placing.SCALING, now)
    service.wake_at = min((t.protected_until for t in held), default=service.wake_at)
    placing.say_held(service, held, now)


def _replace(service: Service, primary: Deployment, alive: list[Task], now: float) -> None:
    new = [t for t in alive if t.deployment == primary.id]
    old = [t for t in alive if t.deployment != primary.id]
    deactivating = sum(t.status == "DEACTIVATING" for t in service.tasks)
    step = plan(service.bounds, new, old, now, deactivating)
    for task in step.stop:
        placing.stop(service, task, placing.SCALING if task in new else placing.REPLACING, now)
    wakes = [t.protected_until for t in alive if t.protected_until > now]
    if step.launch and now < primary.launch_at:
        wakes.append(primary.launch_at)
    elif step.launch:
        placing.launch(service, primary, step.launch, now)
    service.wake_at = min(wakes, default=None)
    # What is protected is said once nothing else is left to be done.
    over = not step.launch and len(new) >= service.desired and all(t.healthy for t in new)
    surplus = len(new) > service.desired
    held = [t for t in (*old, *(new if surplus else ())) if not t.leaving and t.protected_until > now] if over else []
    placing.say_held(service, held, now)
    incomplete = old or len(new) < service.desired
    if incomplete and not (step.launch or step.stop or primary.stalled) and service.next_at() is None and all(t.healthy for t in alive):
        primary.stalled = True
        service.voice.say(_DEADLOCK, now)


def _complete(service: Service, primary: Deployment, now: float) -> None:
    here = [t for t in service.tasks if t.alive]
    settled = len(here) == service.desired and all(t.deployment == primary.id and t.healthy and not t.leaving for t in here)
    if settled and primary.state == "IN_PROGRESS":
        primary.state, primary.updated, primary.reason = "COMPLETED", now, f"ECS deployment {primary.id} completed."
        if primary.shift is not None:
            primary.shift.done = True
        service.last_completed = primary
        service.records.completed(primary.number, now)
        service.voice.say(f"(deployment {primary.id}) deployment completed.", now)
        if service.controller == "ECS":
            service.voice.deployment(primary, "SERVICE_DEPLOYMENT_COMPLETED", now)
    if settled and not service.steady:
        service.voice.say("has reached a steady state.", now)
        service.voice.action("SERVICE_STEADY_STATE", now)
    service.steady = settled


def _drained(service: Service, now: float) -> None:
    """Let deployments without tasks go: INACTIVE, shown for a moment if that is switched on, then gone. A service that drains, too."""
    left = {t.deployment for t in service.tasks if t.alive}
    for deployment in service.deployments:
        empty = deployment.status != "PRIMARY" and deployment.id not in left and not stages.needs(service, deployment)
        if empty and deployment.drained is None:
            deployment.status, deployment.drained, deployment.updated = "INACTIVE", now, now
    lingers = service.world.inactive_lingers_s()
    service.deployments = [d for d in service.deployments if d.drained is None or now < d.drained + lingers]
    if service.status == "DRAINING" and not left:
        service.status, service.deployments, service.wake_at = "INACTIVE", [], None
