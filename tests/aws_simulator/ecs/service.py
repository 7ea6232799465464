"""A service that rolls out: its tasks come and go, its deployments complete, fail and are rolled back.

Time-driven: `catch_up` replays what happened up to a time, in order, so that the state never depends on who looks when.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.aws_simulator.behaviour import Behaviour
from tests.aws_simulator.ecs import lifecycle, stages
from tests.aws_simulator.ecs.announcing import Announcer, Emit, TaskView
from tests.aws_simulator.ecs.failing import roll_back
from tests.aws_simulator.ecs.lifecycle import Outcome, Scaled
from tests.aws_simulator.ecs.records import Records
from tests.aws_simulator.ecs.rolling import Bounds
from tests.aws_simulator.ecs.scheduling import schedule
from tests.aws_simulator.ecs.states import Deployment, ServiceDeployment, Task

KEPT_S = 3600.0
"""Stopped tasks are described for at least an hour (API reference, DescribeTasks)."""
_STOPPED_KEPT = 1000
_REVISIONS_KEPT = 500
_LAUNCH_PAUSE_S, _LAUNCH_PAUSE_MOST_S = 1.0, 60.0
"""Tasks that never run are tried again ever more slowly (AWS: up to 27 minutes; a minute keeps a mended image's tests short)."""
_STEPS_AT_ONCE = 20_000
_ON_REQUEST = "Service deployment rolled back because StopServiceDeployment was called."


class Images(Protocol):
    """Where images come from."""

    def digest_of(self, name: str) -> str:
        """Resolve an image's name; empty where there is no such image."""

    def pulled(self, name: str, digest: str) -> Behaviour:
        """Pull an image: how it behaves, or the error."""

    def platforms_of(self, name: str, digest: str) -> tuple[str, ...]:
        """List what a manifest list names."""


@dataclass(slots=True)
class Surroundings:
    """What a service needs of the world. `containers_of` returns a task definition's container definitions."""

    images: Images
    containers_of: Callable[[str], list[dict[str, Any]]]
    emit: Emit
    task_view: Callable[[Service, Task], dict[str, Any]]
    scaled: Scaled
    seed: int = 1
    inactive_lingers_s: Callable[[], float] = lambda: 0.0
    hook_result: Callable[[str], str] = lambda _: "SUCCEEDED"
    """What a lifecycle hook's function answers, by its ARN."""


@dataclass(slots=True)
class Service:
    """A service. `wake_at` is when its scheduler looks again though nothing has happened; `hidden_until` and `shown_before`: read lag.

    `held` are the protected tasks that the last event told of.
    """

    arn: str
    name: str
    cluster_arn: str
    created: float
    settings: dict[str, Any]
    desired: int
    world: Surroundings
    status: str = "ACTIVE"
    tags: list[dict[str, str]] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)
    revisions: dict[int, Deployment] = field(default_factory=dict)
    tasks: list[Task] = field(default_factory=list)
    wake_at: float | None = None
    steady: bool = False
    held: frozenset[str] = frozenset()
    last_completed: Deployment | None = None
    hidden_until: float = 0.0
    shown_before: dict[str, Any] | None = None
    random: random.Random = field(init=False)
    records: Records = field(init=False)
    voice: Announcer = field(init=False)

    def __post_init__(self) -> None:
        """Ids depend on the seed and on the service, one created again included."""
        self.random = random.Random(f"{self.world.seed} {self.arn} {self.created}")
        self.records = Records(self.arn, self.world.scaled)
        view: TaskView = lambda task: self.world.task_view(self, task)  # noqa: E731
        self.voice = Announcer(self.arn, self.name, self.cluster_arn, self.world.emit, view, self.random)

    # What it is.

    @property
    def cluster(self) -> str:
        """The cluster's name."""
        return self.cluster_arn.rpartition("/")[2]

    @property
    def task_prefix(self) -> str:
        """How the ids of its tasks begin, so that a task's service is found without looking through all of them."""
        return f"{zlib.crc32(self.arn.encode()):08x}"

    @property
    def controller(self) -> str:
        """ECS, CODE_DEPLOY or EXTERNAL."""
        return str((self.settings.get("deploymentController") or {}).get("type", "ECS"))

    @property
    def daemon(self) -> bool:
        """Whether it runs one task an instance."""
        return bool(self.settings.get("schedulingStrategy") == "DAEMON")

    @property
    def primary(self) -> Deployment | None:
        """The PRIMARY deployment."""
        return next((d for d in self.deployments if d.status == "PRIMARY"), None)

    @property
    def bounds(self) -> Bounds:
        """How many tasks there may and must be."""
        configured = self.settings.get("deploymentConfiguration") or {}
        least, most = (0, 100) if self.daemon else (100, 200)
        return Bounds(self.desired, int(configured.get("minimumHealthyPercent", least)), int(configured.get("maximumPercent", most)))

    @property
    def breaker(self) -> dict[str, Any]:
        """The circuit breaker's settings."""
        if self.controller != "ECS":
            return {}
        return dict((self.settings.get("deploymentConfiguration") or {}).get("deploymentCircuitBreaker") or {})

    @property
    def alarms(self) -> dict[str, Any]:
        """The deployment alarms' settings."""
        return dict((self.settings.get("deploymentConfiguration") or {}).get("alarms") or {})

    # What is done to it.

    def deploy(self, task_definition: str, now: float) -> Deployment:
        """Begin a deployment; what was PRIMARY is replaced."""
        sources = [d.number for d in self.deployments if d.status != "INACTIVE"]
        for old in self.deployments:
            if old.status == "PRIMARY":
                old.status, old.updated = "ACTIVE", now
                self.records.overtaken(old.number, now)
        deployment = Deployment(self._new_number(), task_definition, now, updated=now, launch_at=now)
        deployment.reason = f"ECS deployment {deployment.id} in progress."
        deployment.containers = [(c["name"], c["image"]) for c in self.world.containers_of(task_definition)]
        self.deployments.insert(0, deployment)
        self.revisions[deployment.number] = deployment
        while len(self.revisions) > _REVISIONS_KEPT:
            del self.revisions[next(iter(self.revisions))]
        deployment.shift = stages.begin(self, sources)
        if self.controller == "ECS":
            self.records.open(deployment, sources, self.breaker, self.alarms, self.desired, self.random.getrandbits(128), now)
            self.voice.deployment(deployment, "SERVICE_DEPLOYMENT_IN_PROGRESS", now)
        self.touch(now)
        return deployment

    def touch(self, now: float) -> None:
        """Something was changed: the scheduler looks again."""
        self.steady, self.wake_at = False, now

    def stop_deployment(self, record: ServiceDeployment, now: float, *, abort: bool) -> bool:
        """Roll a deployment back on request, or just stop it. False where it is over, or where there is nothing to return to."""
        deployment = self.primary
        if record.status != "IN_PROGRESS" or deployment is None or deployment.number != record.deployment:
            return False
        if not abort:
            return roll_back(self, deployment, _ON_REQUEST, now, requested=True)
        deployment.state, deployment.updated = "FAILED", now
        deployment.reason = f"ECS deployment {deployment.id} stopped."
        self.records.close(deployment.number, "STOPPED", "Service deployment stopped because StopServiceDeployment was called.", now)
        self.touch(now)
        return True

    def stop_task(self, task: Task, reason: str, code: str, now: float) -> None:
        """End a task from outside (Spot, an administrator)."""
        lifecycle.stop(task, reason, code, now, self.world.scaled)
        self.voice.task(task, now)
        self.touch(now)

    def drain(self, now: float) -> None:
        """Begin to go: DRAINING until the last task has stopped."""
        self.desired, self.status = 0, "DRAINING"
        self.touch(now)

    # Time.

    def next_at(self) -> float | None:
        """Return when anything happens by itself; None: never."""
        times = [at for t in self.tasks if (at := lifecycle.due(t, self.world.scaled)) is not None]
        if self.wake_at is not None:
            times.append(self.wake_at)
        times += [d.drained + self.world.inactive_lingers_s() for d in self.deployments if d.drained is not None]
        return min(times, default=None)

    def catch_up(self, now: float) -> None:
        """Replay everything up to now, in order."""
        for _ in range(_STEPS_AT_ONCE):
            at = self.next_at()
            if at is None or at > now:
                break
            self._step(at)
        kept = now - self.world.scaled(KEPT_S)
        if any(t.stopped is not None and t.stopped < kept for t in self.tasks) or len(self.tasks) > _STOPPED_KEPT:
            gone = [t for t in self.tasks if not t.alive and (t.stopped or 0.0) >= kept][-_STOPPED_KEPT:]
            self.tasks = [*gone, *(t for t in self.tasks if t.alive)]

    def _step(self, at: float) -> None:
        for task in self.tasks:
            when = lifecycle.due(task, self.world.scaled)
            if when is not None and when <= at:
                outcome = lifecycle.advance(task, when, self.world.scaled)
                self.voice.task(task, when)
                self._count(task, outcome, at)
        if self.wake_at is not None and self.wake_at <= at:
            self.wake_at = None
        schedule(self, at)

    def _count(self, task: Task, outcome: Outcome, at: float) -> None:
        deployment = next((d for d in self.deployments if d.id == task.deployment), None)
        if deployment is None:
            return
        if outcome is Outcome.STARTED:
            deployment.failed_tasks = deployment.start_failures = 0
        elif outcome is Outcome.HEALTHY and self.breaker.get("resetOnHealthyTask", True):
            deployment.breaker_failures = 0
        elif outcome in (Outcome.FAILED, Outcome.FAILED_TO_START):
            self.steady = False
            deployment.start_failures += outcome is Outcome.FAILED_TO_START
            pause = min(_LAUNCH_PAUSE_S * 2 ** min(deployment.start_failures, 10), _LAUNCH_PAUSE_MOST_S)
            deployment.launch_at = at + self.world.scaled(pause)
            if not task.ever_healthy:
                deployment.failed_tasks += 1
                deployment.breaker_failures += 1

    def _new_number(self) -> int:
        number = 10**18 + self.random.randrange(10**18)
        return number if number not in self.revisions else self._new_number()
