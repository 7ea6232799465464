"""Services that roll out: tasks that come and go, deployments that complete, fail and are rolled back.

Time-driven: `catch_up` replays what happened up to the clock, so that the state never depends on who looks when. Rules from the Amazon ECS
developer guide, "Deploy Amazon ECS services by replacing tasks" and "How the Amazon ECS deployment circuit breaker detects failures".
"""

from __future__ import annotations

import itertools
import math
import random
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.aws_simulator.behaviour import Behaviour
from tests.aws_simulator.world import WORLD

PROVISION_S, HEALTHY_S, STOP_S, KEPT_S = 2.0, 40.0, 5.0, 3600.0
_LAUNCH_PAUSE_S = 1.0

Resolve = Callable[[str], tuple[str, Behaviour]]


@dataclass
class SimContainer:
    """A container of a task."""

    name: str
    image: str
    digest: str
    behaviour: Behaviour
    essential: bool = True
    exit_code: int | None = None
    reason: str = ""


@dataclass
class SimTask:
    """A task and when it does what."""

    arn: str
    deployment: str
    task_definition: str
    containers: list[SimContainer]
    created: float
    status: str = "PROVISIONING"
    desired: str = "RUNNING"
    next_at: float = 0.0
    started: float | None = None
    healthy: bool = False
    ever_healthy: bool = False
    stopped: float | None = None
    stopped_reason: str = ""
    stop_code: str = ""
    version: int = 1
    protected: bool = False

    @property
    def alive(self) -> bool:
        """Whether it still takes a place."""
        return self.status != "STOPPED"

    @property
    def leaving(self) -> bool:
        """Whether it has been told to stop."""
        return self.desired == "STOPPED"


@dataclass
class SimDeployment:
    """A deployment of a service."""

    number: int
    task_definition: str
    created: float
    status: str = "PRIMARY"
    state: str = "IN_PROGRESS"
    reason: str = ""
    failed_tasks: int = 0
    breaker_failures: int = 0
    launch_at: float = 0.0
    updated: float = 0.0
    completed_once: bool = False
    digests: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Its id."""
        return f"ecs-svc/{self.number}"


@dataclass
class SimServiceDeployment:
    """A record of the service-deployment API."""

    arn: str
    deployment: int
    status: str
    created: float
    sources: list[int] = field(default_factory=list)
    reason: str = ""
    finished: float | None = None
    rollback_reason: str = ""
    rollback_to: int | None = None
    rollback_at: float | None = None
    breaker: str = "MONITORING"
    failures: int = 0


_numbers = itertools.count(1)


@dataclass
class SimService:
    """A service."""

    arn: str
    name: str
    cluster_arn: str
    created: float
    settings: dict[str, Any]
    desired: int
    emit: Callable[[str, dict[str, Any]], None]
    resolve: Resolve
    containers_of: Callable[[str], list[dict[str, Any]]]
    status: str = "ACTIVE"
    deployments: list[SimDeployment] = field(default_factory=list)
    tasks: list[SimTask] = field(default_factory=list)
    records: list[SimServiceDeployment] = field(default_factory=list)
    events: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=100))
    steady: bool = False
    before_update: tuple[float, dict[str, Any]] | None = None
    random: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        """Ids depend on the seed and on the service, one created again included."""
        self.random = random.Random(f"{WORLD.seed} {self.arn} {self.created}")

    # What is asked of it.

    @property
    def primary(self) -> SimDeployment | None:
        """The PRIMARY deployment."""
        return next((d for d in self.deployments if d.status == "PRIMARY"), None)

    @property
    def moving(self) -> bool:
        """Whether anything happens by itself."""
        return not self.steady or any(t.status not in ("RUNNING", "STOPPED") or self._ends_at(t) is not None for t in self.tasks)

    def deploy(self, task_definition: str, now: float) -> SimDeployment:
        """Begin a deployment; what was PRIMARY is replaced."""
        sources = [d.number for d in self.deployments]
        for old in self.deployments:
            if old.status == "PRIMARY":
                old.status = "ACTIVE"
                self._close(old, "STOPPED", "The deployment was stopped because a newer deployment took its place.", now)
        deployment = SimDeployment(self._number(), task_definition, now, updated=now, launch_at=now)
        deployment.reason = f"ECS deployment {deployment.id} in progress."
        self.deployments.insert(0, deployment)
        self._open_record(deployment, sources, now)
        self.steady = False
        self._deployment_event(deployment, "SERVICE_DEPLOYMENT_IN_PROGRESS", "INFO")
        return deployment

    def stop_deployment(self, record: SimServiceDeployment, now: float) -> bool:
        """Roll a deployment back on request. False where it is over."""
        deployment = next((d for d in self.deployments if d.number == record.deployment), None)
        if record.status not in ("PENDING", "IN_PROGRESS") or deployment is None or deployment.status != "PRIMARY":
            return False
        return self._roll_back(deployment, "Service deployment rolled back because StopServiceDeployment was called.", now)

    def lose_task(self, task: SimTask, reason: str, code: str, now: float) -> None:
        """End a task from outside (Spot, an administrator)."""
        self._stop(task, reason, code, now)
        self.steady = False

    # Time.

    def catch_up(self, now: float) -> None:
        """Replay everything up to now, in order."""
        if self.status == "INACTIVE":
            return
        for _ in range(10_000):
            due = [at for t in self.tasks if t.alive and (at := self._due(t)) is not None and at <= now]
            primary = self.primary
            if primary is not None and not self.steady and primary.launch_at <= now:
                due.append(max(primary.launch_at, primary.updated))
            at = min(due, default=None)
            if at is None:
                break
            before = self._mark()
            for task in self.tasks:
                when = self._due(task)
                if task.alive and when is not None and when <= at:
                    self._advance(task, when)
            self._schedule(at)
            if primary is not None and primary.launch_at <= at:
                primary.launch_at = math.inf if before == self._mark() else at + self._s(_LAUNCH_PAUSE_S)
        self._schedule(now)
        self.tasks = [t for t in self.tasks if t.stopped is None or now - t.stopped < KEPT_S]

    def _mark(self) -> tuple[object, ...]:
        return (
            tuple((t.arn, t.status, t.desired, t.healthy) for t in self.tasks),
            tuple((d.id, d.state, d.status) for d in self.deployments),
        )

    def _due(self, task: SimTask) -> float | None:
        """When a task does its next thing."""
        if task.status == "RUNNING" and not task.leaving:
            waits = [w for w in (self._healthy_at(task), self._ends_at(task)) if w is not None]
            return min(waits, default=None)
        return task.next_at if task.alive else None

    def _healthy_at(self, task: SimTask) -> float | None:
        if task.healthy or task.started is None or not all(c.behaviour.healthy for c in task.containers):
            return None
        return task.started + self._s(HEALTHY_S)

    def _ends_at(self, task: SimTask) -> float | None:
        if task.started is None or not task.alive:
            return None
        ends = [c.behaviour.exit_after for c in task.containers if c.behaviour.exit_after is not None and c.essential]
        return task.started + self._s(min(ends)) if ends else None

    def _advance(self, task: SimTask, at: float) -> None:
        task.version += 1
        if task.leaving:
            task.status, task.stopped = "STOPPED", at
            for container in task.containers:
                if container.exit_code is None and task.started is not None:
                    container.exit_code = 0
        elif task.status == "PROVISIONING":
            task.status = "PENDING"
            task.next_at = at + self._s(max((c.behaviour.pull for c in task.containers), default=1.0))
        elif task.status == "PENDING":
            self._pull(task, at)
        elif (end := self._ends_at(task)) is not None and end <= at:
            self._exit(task, at)
        else:
            task.healthy = task.ever_healthy = True
            deployment = self._deployment_of(task)
            if deployment is not None:
                deployment.breaker_failures = 0
        self._task_event(task)

    def _pull(self, task: SimTask, at: float) -> None:
        broken = next((c for c in task.containers if c.behaviour.pull_error), None)
        if broken is None:
            task.status, task.started = "RUNNING", at
            deployment = self._deployment_of(task)
            if deployment is not None:
                deployment.failed_tasks = 0
            return
        broken.reason = f"{broken.behaviour.pull_error} {broken.image}: not found"
        task.status, task.desired, task.stopped = "STOPPED", "STOPPED", at
        task.stop_code, task.stopped_reason = "TaskFailedToStart", broken.reason
        self._failed(task, at)

    def _exit(self, task: SimTask, at: float) -> None:
        crashed = min((c for c in task.containers if c.behaviour.exit_after is not None), key=lambda c: c.behaviour.exit_after or 0.0)
        crashed.exit_code = crashed.behaviour.exit_code
        task.status, task.desired, task.stopped, task.healthy = "STOPPED", "STOPPED", at, False
        task.stop_code, task.stopped_reason = "EssentialContainerExited", "Essential container in task exited"
        for container in task.containers:
            if container is not crashed:
                container.exit_code = 143
        self._failed(task, at)

    def _failed(self, task: SimTask, at: float) -> None:
        deployment = self._deployment_of(task)
        if deployment is not None and not task.ever_healthy:
            deployment.failed_tasks += 1
            deployment.breaker_failures += 1
            deployment.launch_at = at + self._s(_LAUNCH_PAUSE_S)
        elif deployment is not None:
            deployment.launch_at = at + self._s(_LAUNCH_PAUSE_S)
        self.steady = False

    def _stop(self, task: SimTask, reason: str, code: str, now: float) -> None:
        task.desired, task.stop_code, task.stopped_reason = "STOPPED", code, reason
        task.status = "DEACTIVATING" if task.status == "RUNNING" else "STOPPING"
        task.healthy = False
        task.next_at = now + self._s(STOP_S)
        task.version += 1

    # The scheduler.

    def _schedule(self, now: float) -> None:
        primary = self.primary
        if primary is None:
            return
        self._judge_breaker(primary, now)
        primary = self.primary
        if primary is None:
            return
        alive = [t for t in self.tasks if t.alive and not t.leaving]
        new = [t for t in alive if t.deployment == primary.id]
        old = [t for t in alive if t.deployment != primary.id]
        if self.status == "DRAINING" or self.desired == 0:
            for task in alive:
                self._stop(task, "Scaling activity initiated", "ServiceSchedulerInitiated", now)
            old, new = [], []
        elif primary.state != "FAILED":
            self._launch(primary, new, len(alive), now)
            self._retire(old, alive, now)
            self._scale_in(new, now)
        self._complete(primary, now)

    def _launch(self, primary: SimDeployment, new: list[SimTask], alive: int, now: float) -> None:
        if now < primary.launch_at and primary.launch_at != math.inf:
            return
        most = max(self.desired * self._percent("maximumPercent", 200) // 100, 1)
        leaving = (
            sum(t.alive and t.leaving and t.status != "STOPPED" for t in self.tasks) if self._percent("maximumPercent", 200) <= 100 else 0
        )
        room = min(self.desired - len(new), most - alive - leaving)
        for _ in range(max(0, room)):
            self.tasks.append(self._new_task(primary, now))

    def _retire(self, old: list[SimTask], alive: list[SimTask], now: float) -> None:
        """Stop old tasks as long as enough healthy ones remain (rounded up); unhealthy ones first."""
        least = -(-self.desired * self._percent("minimumHealthyPercent", 100) // 100)
        healthy = sum(t.healthy for t in alive)
        for task in sorted(old, key=lambda t: (t.healthy, t.created)):
            if task.protected:
                continue
            if not task.healthy:
                self._stop(task, "Scaling activity initiated by deployment", "ServiceSchedulerInitiated", now)
            elif healthy - 1 >= least:
                healthy -= 1
                self._stop(task, "Scaling activity initiated by deployment", "ServiceSchedulerInitiated", now)

    def _scale_in(self, new: list[SimTask], now: float) -> None:
        for task in sorted(new, key=lambda t: (t.healthy, -t.created))[: max(0, len(new) - self.desired)]:
            self._stop(task, "Scaling activity initiated", "ServiceSchedulerInitiated", now)

    def _complete(self, primary: SimDeployment, now: float) -> None:
        here = [t for t in self.tasks if t.alive]
        old = [t for t in here if t.deployment != primary.id]
        healthy = [t for t in here if t.deployment == primary.id and t.healthy and not t.leaving]
        left = {t.deployment for t in old}
        self.deployments = [d for d in self.deployments if d is primary or d.id in left]
        if not old and len(healthy) == self.desired and primary.state == "IN_PROGRESS":
            primary.state, primary.completed_once = "COMPLETED", True
            primary.reason = f"ECS deployment {primary.id} completed."
            primary.updated = now
            self._finish_records(primary, now)
            self._say(f"(service {self.name}) (deployment {primary.id}) deployment completed.", now)
            self._deployment_event(primary, "SERVICE_DEPLOYMENT_COMPLETED", "INFO")
        settled = not old and len(healthy) == self.desired and len(here) == self.desired
        if settled and not self.steady:
            self._say(f"(service {self.name}) has reached a steady state.", now)
            self._service_event("SERVICE_STEADY_STATE")
        self.steady = settled or (primary.state == "FAILED" and all(t.status == "RUNNING" and t.healthy for t in here))

    # The circuit breaker.

    def _judge_breaker(self, primary: SimDeployment, now: float) -> None:
        breaker = self._breaker
        if not breaker.get("enable") or primary.state != "IN_PROGRESS" or primary.breaker_failures < self.threshold:
            return
        self._say(f"(service {self.name}) (deployment {primary.id}) deployment failed: tasks failed to start.", now)
        record = self._record_of(primary)
        if record is not None:
            record.breaker, record.failures = "TRIGGERED", primary.breaker_failures
        self._deployment_event(primary, "SERVICE_DEPLOYMENT_FAILED", "ERROR")
        if not breaker.get("rollback") or not self._roll_back(
            primary, "Service deployment rolled back because the circuit breaker threshold was exceeded.", now
        ):
            primary.state, primary.updated = "FAILED", now
            primary.reason = "ECS deployment circuit breaker: tasks failed to start."
            self._close(primary, "STOPPED", "Service deployment failed: the circuit breaker threshold was exceeded.", now)

    @property
    def threshold(self) -> int:
        """How many failures trip the circuit breaker: half of desired, between 3 and 200, unless configured."""
        configured = self._breaker.get("thresholdConfiguration") or {}
        kind, value = configured.get("type", "BOUNDED_PERCENT"), configured.get("value", 50)
        if kind == "COUNT":
            return int(value)
        share = math.ceil(self.desired * value / 100)
        return max(1, share) if kind == "UNBOUNDED_PERCENT" else min(200, max(3, share))

    @property
    def _breaker(self) -> dict[str, Any]:
        return dict((self.settings.get("deploymentConfiguration") or {}).get("deploymentCircuitBreaker") or {})

    def _roll_back(self, failed: SimDeployment, why: str, now: float) -> bool:
        """Return to the last deployment that was completed, by its own id; False where there is none left."""
        target = next((d for d in self.deployments if d is not failed and d.completed_once and d.state == "COMPLETED"), None)
        if target is None:
            return False
        failed.status, failed.state, failed.updated = "ACTIVE", "FAILED", now
        failed.reason = "ECS deployment circuit breaker: tasks failed to start." if "breaker" in why else why
        target.status, target.state, target.updated, target.launch_at = "PRIMARY", "IN_PROGRESS", now, now
        target.reason = f"ECS deployment circuit breaker: rolling back to deploymentId {target.id}."
        self.deployments.sort(key=lambda d: d.status != "PRIMARY")
        for task in self.tasks:
            if task.deployment == failed.id and task.alive and not task.leaving:
                self._stop(task, "Scaling activity initiated by deployment", "ServiceSchedulerInitiated", now)
        record = self._record_of(failed)
        if record is not None:
            record.status, record.rollback_reason, record.rollback_to, record.rollback_at = "ROLLBACK_IN_PROGRESS", why, target.number, now
            record.reason = why
        self._say(f"(service {self.name}) rolling back to deployment {target.id}.", now)
        self.steady = False
        return True

    # Records of the service-deployment API.

    def _open_record(self, deployment: SimDeployment, sources: list[int], now: float) -> None:
        cluster = self.cluster_arn.rpartition("/")[2]
        base = self.arn.split(":service/")[0]
        arn = f"{base}:service-deployment/{cluster}/{self.name}/{uuid.UUID(int=self.random.getrandbits(128)).hex[:20]}"
        breaker = "MONITORING" if self._breaker.get("enable") else "DISABLED"
        self.records.insert(0, SimServiceDeployment(arn, deployment.number, "IN_PROGRESS", now, sources, breaker=breaker))

    def _record_of(self, deployment: SimDeployment) -> SimServiceDeployment | None:
        return next((r for r in self.records if r.deployment == deployment.number), None)

    def _close(self, deployment: SimDeployment, status: str, reason: str, now: float) -> None:
        record = self._record_of(deployment)
        if record is not None and record.finished is None and not record.status.startswith("ROLLBACK"):
            record.status, record.reason, record.finished = status, reason, now

    def _finish_records(self, primary: SimDeployment, now: float) -> None:
        for record in self.records:
            if record.finished is not None:
                continue
            if record.deployment == primary.number and record.status == "IN_PROGRESS":
                record.status, record.finished = "SUCCESSFUL", now
                record.breaker = "MONITORING_COMPLETE" if record.breaker == "MONITORING" else record.breaker
            elif record.status == "ROLLBACK_IN_PROGRESS" and record.rollback_to == primary.number:
                record.status, record.finished = "ROLLBACK_SUCCESSFUL", now

    # Small things.

    def _new_task(self, deployment: SimDeployment, now: float) -> SimTask:
        containers = []
        for definition in self.containers_of(deployment.task_definition):
            image = definition["image"]
            if image not in deployment.digests:
                # Tags are resolved by the first task of a deployment, for all of them.
                deployment.digests[image] = self.resolve(image)[0]
            digest = deployment.digests[image]
            behaviour = self.resolve(image)[1] if not digest else WORLD.behaviours.of(digest)
            containers.append(SimContainer(definition["name"], image, digest, behaviour, definition.get("essential", True)))
        cluster = self.cluster_arn.rpartition("/")[2]
        task_id = uuid.UUID(int=self.random.getrandbits(128)).hex
        arn = f"{self.arn.split(':service/')[0]}:task/{cluster}/{task_id}"
        task = SimTask(arn, deployment.id, deployment.task_definition, containers, now, next_at=now + self._s(PROVISION_S))
        self._say(f"(service {self.name}) has started 1 tasks: (task {task_id}).", now)
        self._task_event(task)
        return task

    def _deployment_of(self, task: SimTask) -> SimDeployment | None:
        return next((d for d in self.deployments if d.id == task.deployment), None)

    def _percent(self, name: str, default: int) -> int:
        return int((self.settings.get("deploymentConfiguration") or {}).get(name, default))

    @staticmethod
    def _s(duration: float) -> float:
        return WORLD.clock.seconds(duration)

    def _number(self) -> int:
        return 10**18 + self.random.randrange(10**17) * 10 + next(_numbers) % 10

    def _say(self, message: str, now: float) -> None:
        self.events.appendleft({"id": str(uuid.UUID(int=self.random.getrandbits(128))), "createdAt": now, "message": message})

    def _deployment_event(self, deployment: SimDeployment, name: str, level: str) -> None:
        self.emit(
            "ECS Deployment State Change",
            {"resource": self.arn, "eventType": level, "eventName": name, "deploymentId": deployment.id, "reason": deployment.reason},
        )

    def _service_event(self, name: str) -> None:
        self.emit("ECS Service Action", {"resource": self.arn, "eventType": "INFO", "eventName": name, "clusterArn": self.cluster_arn})

    def _task_event(self, task: SimTask) -> None:
        self.emit("ECS Task State Change", {"resource": task.arn, "task": task, "service": self.name, "clusterArn": self.cluster_arn})
