"""How deployments fail and are rolled back: by the circuit breaker, by an alarm, by a lifecycle hook, on request.

Amazon ECS developer guide, "How the Amazon ECS deployment circuit breaker detects failures", "How CloudWatch alarms detect Amazon ECS
deployment failures", "Stopping Amazon ECS service deployments".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.aws_simulator.ecs import placing
from tests.aws_simulator.ecs.rolling import breaker_threshold
from tests.aws_simulator.ecs.states import Deployment

if TYPE_CHECKING:
    from tests.aws_simulator.ecs.service import Service

_BREAKER = "ECS deployment circuit breaker"
_ROLLING_BACK = "Service deployment rolled back because the circuit breaker threshold was exceeded."
_TRIPPED_FOR_GOOD = "Service deployment failed: the circuit breaker threshold was exceeded."


def judge(service: Service, now: float) -> None:
    """Let the circuit breaker trip."""
    primary, breaker = service.primary, service.breaker
    if primary is None or not breaker.get("enable") or primary.state != "IN_PROGRESS" or service.desired == 0:
        return
    if primary.breaker_failures < breaker_threshold(breaker, service.desired):
        return
    service.records.tripped(primary.number, primary.breaker_failures)
    service.voice.say(f"(deployment {primary.id}) deployment failed: tasks failed to start.", now)
    primary.reason = f"{_BREAKER}: tasks failed to start."
    fail(service, primary, _ROLLING_BACK if breaker.get("rollback") else "", _TRIPPED_FOR_GOOD, now, by=_BREAKER)


def alarm(service: Service, name: str, now: float) -> bool:
    """An alarm goes off. False where no deployment that is under way watches it."""
    primary, alarms = service.primary, service.alarms
    record = service.records.of(primary.number) if primary is not None else None
    watching = alarms.get("enable") and name in (alarms.get("alarmNames") or ())
    if primary is None or record is None or not watching or primary.state != "IN_PROGRESS" or record.finished is not None:
        return False
    record.alarms, record.triggered = "TRIGGERED", [*record.triggered, name]
    service.voice.say(f"(deployment {primary.id}) deployment failed: alarm detected.", now)
    primary.reason = "ECS deployment failed: alarm detected."
    back = "Service deployment rolled back because of an alarm." if alarms.get("rollback") else ""
    fail(service, primary, back, "Service deployment failed: an alarm was detected.", now, by="ECS deployment alarm")
    return True


def fail(service: Service, failed: Deployment, back: str, for_good: str, now: float, *, by: str) -> None:
    """End a deployment: rolled back for the reason `back`, where there is one and something to return to, else STOPPED with `for_good`."""
    failed.state, failed.updated = "FAILED", now
    service.voice.deployment(failed, "SERVICE_DEPLOYMENT_FAILED", now, error=True)
    if not back or not roll_back(service, failed, back, now, by=by):
        service.records.failed(failed.number, for_good, now)


def roll_back(service: Service, failed: Deployment, why: str, now: float, *, requested: bool = False, by: str = "") -> bool:
    """Return to the last completed deployment, by its own id and digests; False where there is none that is not being returned to."""
    target = service.last_completed
    if target is None or target is failed:
        return False
    service.last_completed = None
    failed.status, failed.state, failed.updated = "ACTIVE", "FAILED", now
    failed.reason = why if requested else failed.reason
    target.status, target.state, target.updated, target.launch_at, target.drained = "PRIMARY", "IN_PROGRESS", now, now, None
    target.reason = f"{by}: rolling back to deploymentId {target.id}." if by else f"ECS deployment {target.id} in progress."
    target.breaker_failures = target.failed_tasks = target.start_failures = 0
    if failed.shift is not None:
        failed.shift.give_back()
    service.deployments = [target, *(d for d in service.deployments if d is not target)]
    for task in service.tasks:
        if task.deployment == failed.id and task.alive and not task.leaving and not task.healthy:
            placing.stop(service, task, placing.REPLACING, now)
    service.records.roll_back(failed.number, target.number, why, now, requested=requested)
    service.voice.say(f"rolling back to deployment {target.id}.", now)
    service.voice.deployment(target, "SERVICE_DEPLOYMENT_IN_PROGRESS", now)
    service.touch(now)
    return True
