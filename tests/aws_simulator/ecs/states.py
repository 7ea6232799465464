"""What the simulated ECS remembers of tasks, deployments and service deployments. Times are seconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.aws_simulator.behaviour import Behaviour
from tests.aws_simulator.ecs.strategies import Step


@dataclass(slots=True)
class Container:
    """A container of a task."""

    name: str
    image: str
    digest: str
    behaviour: Behaviour
    essential: bool = True
    has_health_check: bool = False
    exit_code: int | None = None
    reason: str = ""


@dataclass(slots=True)
class Task:
    """A task. `next_at` is when its status changes by itself, while it is not simply running."""

    arn: str
    deployment: str
    task_definition: str
    containers: list[Container]
    created: float
    status: str = "PROVISIONING"
    desired: str = "RUNNING"
    next_at: float = 0.0
    started: float | None = None
    healthy: bool = False
    ever_healthy: bool = False
    failed_check: bool = False
    stopping: float | None = None
    stopped: float | None = None
    stopped_reason: str = ""
    stop_code: str = ""
    version: int = 1
    protected_until: float = 0.0

    @property
    def id(self) -> str:
        """The last part of its ARN."""
        return self.arn.rpartition("/")[2]

    @property
    def alive(self) -> bool:
        """Whether it is there at all."""
        return self.status != "STOPPED"

    @property
    def leaving(self) -> bool:
        """Whether it has been told to stop."""
        return self.desired == "STOPPED"

    @property
    def pending(self) -> bool:
        """Whether it has not begun to run."""
        return self.status in ("PROVISIONING", "PENDING", "ACTIVATING")


@dataclass(slots=True)
class Hook:
    """A run of a lifecycle hook. `asked_at` is when its function is called next."""

    id: str
    stage: str
    target_type: str
    status: str
    expires: float
    timeout_action: str
    target_arn: str = ""
    asked_at: float = 0.0

    @property
    def open(self) -> bool:
        """Whether the deployment waits for it."""
        return self.status in ("AWAITING_ACTION", "IN_PROGRESS")


@dataclass(slots=True)
class Shift:
    """How far a deployment that is no rolling update has come: its stage, the new revision's shares of traffic, what is to come.

    `source` is the number of the revision that traffic comes from; a stage lasts until `until` at least.
    """

    configuration: dict[str, Any]
    source: int | None
    steps: list[Step]
    stage: str = ""
    until: float = 0.0
    production: float = 0.0
    test: float = 0.0
    hooks: list[Hook] = field(default_factory=list)
    done: bool = False

    def give_back(self) -> None:
        """All traffic returns to where it came from; what paused does so no longer. That it shows CLEAN_UP is guessed."""
        self.stage, self.production, self.test, self.done = "CLEAN_UP", 0.0, 0.0, True
        for hook in self.hooks:
            hook.status = "FAILED" if hook.open else hook.status


@dataclass(slots=True)
class Deployment:
    """A deployment of a service, and the service revision of the same number.

    `digests` are what its images were resolved to, for all of its tasks. `breaker_failures` is the circuit breaker's own count;
    `start_failures` are those in a row that never ran, which slow the scheduler down.
    """

    number: int
    task_definition: str
    created: float
    status: str = "PRIMARY"
    state: str = "IN_PROGRESS"
    reason: str = ""
    failed_tasks: int = 0
    breaker_failures: int = 0
    start_failures: int = 0
    launch_at: float = 0.0
    updated: float = 0.0
    drained: float | None = None
    stalled: bool = False
    digests: dict[str, str] = field(default_factory=dict)
    containers: list[tuple[str, str]] = field(default_factory=list)
    shift: Shift | None = None

    @property
    def id(self) -> str:
        """Its id."""
        return f"ecs-svc/{self.number}"

    @property
    def shifting(self) -> bool:
        """Whether it is on its way through stages."""
        return self.shift is not None and not self.shift.done


@dataclass(slots=True)
class ServiceDeployment:
    """A record of the service-deployment API. `status` is reached at `since`; what comes before it is told by `status_at`."""

    arn: str
    deployment: int
    status: str
    created: float
    started: float
    sources: list[int] = field(default_factory=list)
    reason: str = ""
    stop_requested: float | None = None
    finished: float | None = None
    rollback_reason: str = ""
    rollback_to: int | None = None
    rollback_at: float | None = None
    breaker: str = "MONITORING"
    threshold: int = 3
    failures: int = 0
    alarms: str = "DISABLED"
    alarm_names: list[str] = field(default_factory=list)
    triggered: list[str] = field(default_factory=list)

    def status_at(self, now: float) -> str:
        """Return the status as it shows now: PENDING at first, STOP_REQUESTED and ROLLBACK_REQUESTED before what they lead to."""
        if self.status == "IN_PROGRESS" and now < self.started:
            return "PENDING"
        if self.status == "STOPPED" and self.finished is not None and now < self.finished:
            return "STOP_REQUESTED"
        if (
            self.status == "ROLLBACK_IN_PROGRESS"
            and self.stop_requested is not None
            and self.rollback_at is not None
            and now < self.rollback_at
        ):
            return "ROLLBACK_REQUESTED"
        return self.status
