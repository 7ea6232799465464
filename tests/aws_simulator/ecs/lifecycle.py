"""The life of one task: PROVISIONING, PENDING, RUNNING, (DEACTIVATING, STOPPING, DEPROVISIONING,) STOPPED.

Amazon ECS developer guide, "Amazon ECS task lifecycle". Durations are AWS's, roughly; `scaled` turns them into the simulator's.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from tests.aws_simulator.ecs.states import Container, Task

PROVISION_S = 2.0
HEALTHY_S = 40.0
"""Without a load balancer a task counts as healthy 40 s after it began to run (API reference, DeploymentConfiguration)."""
DEACTIVATE_S, STOP_S, DEPROVISION_S = 1.0, 3.0, 1.0
_SIGTERM = 143

Scaled = Callable[[float], float]


class Outcome(Enum):
    """What a step of a task's life means to its deployment."""

    NOTHING = "nothing"
    STARTED = "started"
    HEALTHY = "healthy"
    FAILED_TO_START = "failed to start"
    FAILED = "failed"


def due(task: Task, scaled: Scaled) -> float | None:
    """Return when a task does its next thing by itself; None: never."""
    if not task.alive:
        return None
    if task.status != "RUNNING":
        return task.next_at
    return min((at for at, _ in _running_steps(task, scaled)), default=None)


def advance(task: Task, at: float, scaled: Scaled) -> Outcome:
    """Take a task's next step."""
    task.version += 1
    if task.status == "RUNNING":
        _, step = min(_running_steps(task, scaled), key=lambda s: s[0])
        return step(at)
    return _CHANGES[task.status](task, at, scaled)


def stop(task: Task, reason: str, code: str, at: float, scaled: Scaled) -> None:
    """Tell a task to stop. It takes a while."""
    if task.leaving:
        return
    task.desired, task.stop_code, task.stopped_reason, task.stopping = "STOPPED", code, reason, at
    task.healthy = False
    ran = task.status == "RUNNING"
    task.status = "DEACTIVATING" if ran else "STOPPING"
    task.next_at = at + scaled(DEACTIVATE_S if ran else STOP_S)
    task.version += 1


def _running_steps(task: Task, scaled: Scaled) -> list[tuple[float, Callable[[float], Outcome]]]:
    began = task.started or 0.0
    steps: list[tuple[float, Callable[[float], Outcome]]] = []
    for container in task.containers:
        after = container.behaviour.exit_after
        if after is not None and container.exit_code is None:
            steps.append((began + scaled(after), lambda at, c=container: _exit(task, c, at, scaled)))
        fails = container.behaviour.fails_check_after
        if fails is not None and container.exit_code is None:
            steps.append((began + scaled(fails), lambda at: _fail_check(task, at, scaled)))
    if not task.healthy and all(c.behaviour.healthy for c in task.containers if c.essential):
        steps.append((began + scaled(HEALTHY_S), lambda at: _become_healthy(task)))
    return steps


def _become_healthy(task: Task) -> Outcome:
    task.healthy = task.ever_healthy = True
    return Outcome.HEALTHY


def _exit(task: Task, container: Container, at: float, scaled: Scaled) -> Outcome:
    container.exit_code = container.behaviour.exit_code
    if not container.essential:
        return Outcome.NOTHING
    for other in task.containers:
        if other.exit_code is None:
            other.exit_code = _SIGTERM
    _end(task, "EssentialContainerExited", "Essential container in task exited", at, scaled)
    return Outcome.FAILED


def _fail_check(task: Task, at: float, scaled: Scaled) -> Outcome:
    task.failed_check = True
    stop(task, "Task failed container health checks", "ServiceSchedulerInitiated", at, scaled)
    return Outcome.FAILED


def _end(task: Task, code: str, reason: str, at: float, scaled: Scaled) -> None:
    task.status, task.desired, task.healthy, task.stopping = "DEPROVISIONING", "STOPPED", False, at
    task.stop_code, task.stopped_reason = code, reason
    task.next_at = at + scaled(DEPROVISION_S)


def _provisioned(task: Task, at: float, scaled: Scaled) -> Outcome:
    task.status = "PENDING"
    task.next_at = at + scaled(max((c.behaviour.pull for c in task.containers), default=1.0))
    return Outcome.NOTHING


def _pulled(task: Task, at: float, scaled: Scaled) -> Outcome:
    broken = next((c for c in task.containers if c.behaviour.pull_error), None)
    if broken is None:
        task.status, task.started = "RUNNING", at
        return Outcome.STARTED
    broken.reason = f"{broken.behaviour.pull_error} {broken.image}: not found"
    _end(task, "TaskFailedToStart", broken.reason, at, scaled)
    return Outcome.FAILED_TO_START


def _deactivated(task: Task, at: float, scaled: Scaled) -> Outcome:
    task.status, task.next_at = "STOPPING", at + scaled(STOP_S)
    return Outcome.NOTHING


def _containers_stopped(task: Task, at: float, scaled: Scaled) -> Outcome:
    task.status, task.next_at = "DEPROVISIONING", at + scaled(DEPROVISION_S)
    for container in task.containers:
        if container.exit_code is None and task.started is not None:
            container.exit_code = 0
    return Outcome.NOTHING


def _gone(task: Task, at: float, _: Scaled) -> Outcome:
    task.status, task.stopped = "STOPPED", at
    return Outcome.NOTHING


_CHANGES: dict[str, Callable[[Task, float, Scaled], Outcome]] = {
    "PROVISIONING": _provisioned,
    "PENDING": _pulled,
    "DEACTIVATING": _deactivated,
    "STOPPING": _containers_stopped,
    "DEPROVISIONING": _gone,
}
