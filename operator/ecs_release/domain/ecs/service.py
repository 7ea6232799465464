"""What was seen in AWS: the part of ECS's responses that a decision rests on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ecs_release.domain.ecs.revision_content import content_hash

PRIMARY = "PRIMARY"
COMPLETED = "COMPLETED"
FAILED = "FAILED"
IN_PROGRESS = "IN_PROGRESS"
ROLLING = "ROLLING"
DAEMON = "DAEMON"
_DEPLOYMENT_ID = "ecs-svc/"
RUNNING = "RUNNING"


@dataclass(frozen=True, slots=True)
class Access:
    """Where and as whom AWS is called. Clients are shared by everything with equal access."""

    account_id: str
    region: str
    role_arn: str | None = None
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class ServiceKey:
    """One ECS service, by the names that requests use."""

    account_id: str
    region: str
    cluster: str
    service: str

    def __str__(self) -> str:
        """Name it in messages."""
        return f"{self.cluster}/{self.service} in {self.account_id}/{self.region}"


@dataclass(frozen=True, slots=True)
class Deployment:
    """One entry of a service's `deployments[]`."""

    id: str
    status: str
    task_definition: str
    desired: int
    pending: int
    running: int
    failed_tasks: int
    created_at: datetime
    rollout_state: str | None = None
    rollout_state_reason: str = ""


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a task; `digest` is empty if ECS does not report it."""

    name: str
    image: str = ""
    digest: str = ""
    last_status: str = ""
    exit_code: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """One task. `started_by` is the id of the deployment that started it; `service` is empty for one that no service runs."""

    arn: str
    task_definition: str
    started_by: str
    last_status: str
    desired_status: str
    containers: tuple[Container, ...] = ()
    stopped_reason: str = ""
    stop_code: str = ""
    created_at: datetime | None = None
    stopped_at: datetime | None = None
    service: str = ""

    def is_of(self, deployment: Deployment) -> bool:
        """Return whether a deployment started this task."""
        return self.is_from(deployment.id, deployment.task_definition, deployment.created_at)

    def is_from(self, deployment_id: str, task_definition: str, since: datetime | None) -> bool:
        """Return whether a deployment that began at `since` started this task, which need not be listed any more.

        Some endpoints name the service instead of the deployment. Then it is one of the deployment's revision that was created at or
        after it; both times are AWS's.
        """
        if self.deployment_id or self.task_definition != task_definition:
            return self.started_by == deployment_id
        return self.created_at is not None and since is not None and self.created_at >= since

    @property
    def deployment_id(self) -> str:
        """The deployment that started it; an empty string if that is not reported."""
        return self.started_by if self.started_by.startswith(_DEPLOYMENT_ID) else ""

    def digest_of(self, container: str) -> str:
        """Return the digest that the container runs, or an empty string."""
        return next((c.digest for c in self.containers if c.name == container), "")


@dataclass(frozen=True, slots=True)
class Service:
    """One ECS service as DescribeServices answered, with the running tasks that belong to it.

    `strategy` is ROLLING, BLUE_GREEN, LINEAR or CANARY, `scheduling` REPLICA or DAEMON; `hooked` is whether lifecycle hooks are set.
    The bake times are how long ECS waits on purpose, in seconds: `bake_s` once all traffic has shifted, `step_bake_s` after each of `steps`
    shifts before that. `alarms` is whether CloudWatch alarms watch deployments: a rolling one then bakes, too, for a time that ECS
    computes and does not report (Amazon ECS developer guide, "How CloudWatch alarms detect Amazon ECS deployment failures").
    """

    arn: str
    name: str
    status: str
    created_at: datetime | None
    task_definition: str
    controller: str
    desired: int
    running: int
    pending: int
    deployments: tuple[Deployment, ...]
    minimum_healthy_percent: int = 100
    circuit_breaker: bool = False
    rollback: bool = False
    failed_deployments: frozenset[str] = frozenset()
    newest_event: str = ""
    last_event: str = ""
    resource_management: str = ""
    strategy: str = ROLLING
    scheduling: str = "REPLICA"
    bake_s: float = 0
    step_bake_s: float = 0
    steps: int = 0
    alarms: bool = False
    hooked: bool = False
    tasks: tuple[Task, ...] = ()

    @property
    def primary(self) -> Deployment | None:
        """The PRIMARY deployment: the one that ECS is working towards."""
        return next((d for d in self.deployments if d.status == PRIMARY), None)

    @property
    def is_moving(self) -> bool:
        """Whether ECS has not finished its PRIMARY deployment."""
        primary = self.primary
        if primary is None:
            return False
        if primary.rollout_state is None:
            return len(self.deployments) > 1
        return primary.rollout_state == IN_PROGRESS

    @property
    def has_stages(self) -> bool:
        """Whether a rollout passes through stages, and may progress without any change in these fields."""
        return self.strategy != ROLLING or self.hooked

    def deployment(self, deployment_id: str) -> Deployment | None:
        """Return the deployment with this id, if ECS still lists it."""
        return next((d for d in self.deployments if d.id == deployment_id), None)

    @property
    def running_tasks(self) -> tuple[Task, ...]:
        """Tasks that run and are meant to go on running."""
        return tuple(t for t in self.tasks if t.last_status == RUNNING and t.desired_status == RUNNING)


@dataclass(frozen=True, slots=True)
class Look:
    """One look at one service. `service` is None if ECS has none of that name (or only a deleted one).

    `aws_time` is AWS's clock (the response's Date header), `seen_time` ours when the look was complete, `asked_time` ours when it was
    requested, `serial` grows with every look at this service.
    """

    key: ServiceKey
    service: Service | None
    aws_time: datetime
    seen_time: datetime
    serial: int = 0
    asked_time: datetime | None = None

    @property
    def as_of(self) -> datetime:
        """The time (our clock) until which changes are sure to be in it, but for ECS's own lag: tasks may take a minute to be read."""
        return self.asked_time or self.seen_time


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which a service could not be read (our clock)."""

    since: datetime
    until: datetime

    def put_off(self, time: datetime) -> datetime:
        """Return a time from which something is counted, later by as much of the outage as came after it: that does not count."""
        return time + max(self.until - max(self.since, time), timedelta())


@dataclass(frozen=True, slots=True)
class TaskDefinition:
    """A revision. `content` is what RegisterTaskDefinition takes, in its own keys; `unknown_fields` are paths that the SDK lacks."""

    arn: str
    family: str
    revision: int
    status: str
    content: dict[str, Any] = field(hash=False)
    tags: dict[str, str] = field(hash=False, default_factory=dict)
    unknown_fields: tuple[str, ...] = ()
    registered_by: str = ""
    registered_at: datetime | None = None
    _content_hash: str = field(default="", init=False, repr=False, compare=False)

    @property
    def content_hash(self) -> str:
        """The hash of the content as it was registered. Kept, for a pass asks several times whose a revision is."""
        if not self._content_hash:
            object.__setattr__(self, "_content_hash", content_hash(self.content))
        return self._content_hash

    def image_of(self, container: str) -> str | None:
        """Return the image that a container has here, or None if there is no such container."""
        return next((c["image"] for c in self.containers if c["name"] == container), None)

    @property
    def containers(self) -> list[dict[str, Any]]:
        """The container definitions, as ECS writes them."""
        return list(self.content.get("containerDefinitions", ()))


@dataclass(frozen=True, slots=True)
class Hook:
    """A lifecycle hook that is active in a service deployment.

    `status` is AWAITING_ACTION, IN_PROGRESS, SUCCEEDED, FAILED or TIMED_OUT; when it expires ECS does `timeout_action`: CONTINUE or
    ROLLBACK. `target_type` is PAUSE, or AWS_LAMBDA with the function's ARN. ECS does not report the hook's stage, only the deployment's.
    """

    id: str
    status: str
    target_type: str = ""
    target_arn: str = ""
    expires_at: datetime | None = None
    timeout_action: str = ""


@dataclass(frozen=True, slots=True)
class ServiceDeployment:
    """What the service-deployment API reports about one deployment: it confirms and explains, and no verdict needs it.

    `stage` is its lifecycle stage, `traffic` the percentage of production traffic that the new revision gets (None if none is shifted).
    """

    arn: str
    status: str
    status_reason: str = ""
    stage: str = ""
    rollback_reason: str = ""
    triggered_alarms: tuple[str, ...] = ()
    breaker: str = ""
    """The circuit breaker's status: TRIGGERED, MONITORING, ...; empty if it is not told."""
    traffic: float | None = None
    hooks: tuple[Hook, ...] = ()


@dataclass(frozen=True, slots=True)
class ProtectedTask:
    """A task that its own application protects from scale-in and from rollouts; `until` is when the protection ends."""

    arn: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class RegistryImage:
    """An image in ECR. `platform_digests` are those of a manifest list's entries; `tags` are all that point to it now.

    One that is `archived` can be described, but not pulled. `other_artifact` is empty for a container image, and otherwise says what
    it is: registries hold Helm charts, signatures and indexes for lazy loading under tags, too.
    """

    digest: str
    tags: tuple[str, ...] = ()
    platform_digests: tuple[str, ...] = ()
    pushed_at: datetime | None = None
    archived: bool = False
    other_artifact: str = ""
