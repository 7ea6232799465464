"""What the engine needs from outside, as protocols. The adapters in `aws` and `cluster` implement them, and `app` connects both.

All methods may raise subclasses of `domain.model.errors.Problem`; AWS adapters raise nothing else for AWS's errors.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, Protocol

from ecs_release.api.notification import Notification
from ecs_release.domain.ecs.service import Access, ProtectedTask, RegistryImage, Service, ServiceDeployment, Task, TaskDefinition
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.ports.ledger import Ledger


@dataclass(frozen=True, slots=True)
class ServicesAnswer:
    """An answer of DescribeServices: found services by the name that was asked for, without tasks; `aws_time` is AWS's clock.

    `unread` holds those that AWS could not describe, each with why: whether they exist is not known.
    """

    services: Mapping[str, Service]
    aws_time: datetime
    unread: Mapping[str, Problem] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImagesAnswer:
    """What was found of images that were asked for, by their digests. Those that are in neither are not there.

    `unread` holds those that could not be read, each with why: whether they exist is not known.
    """

    images: Mapping[str, RegistryImage] = field(default_factory=dict)
    unread: Mapping[str, Problem] = field(default_factory=dict)

    def image(self, digest: str) -> RegistryImage | None:
        """Return an image; None if it is not there. Raises Problem if that is not known."""
        if digest in self.unread:
            raise self.unread[digest]
        return self.images.get(digest)


@dataclass(frozen=True, slots=True)
class StartedDeployment:
    """An answer of UpdateService: the PRIMARY deployment and its revision; `request_id` is AWS's."""

    deployment_id: str
    task_definition: str
    aws_time: datetime
    request_id: str = ""


class Priority(IntEnum):
    """Which read goes first if several wait for the same request rate: rollouts, then events, then sweeps."""

    ROLLOUT = 0
    EVENT = 1
    OBSERVATION = 2


class Ecs(Protocol):
    """ECS in one account and region. Reads are sent again after a fault that passes, mutating calls never (Ambiguous when in doubt)."""

    async def describe_services(self, cluster: str, names: Sequence[str], *, priority: Priority = Priority.OBSERVATION) -> ServicesAnswer:
        """Describe at most 10 services of one cluster. INACTIVE and unknown ones are left out.

        A missing cluster is Blocked(ServiceNotFound).
        """

    async def list_tasks(self, cluster: str, service: str, *, priority: Priority = Priority.OBSERVATION) -> list[str]:
        """List the ARNs of a service's tasks that are meant to run."""

    async def list_stopped_tasks(self, cluster: str, *, service: str = "", deployment_id: str = "") -> list[str]:
        """List the ARNs of tasks that have stopped lately, a few hundred at most: of a service, or those that one deployment started."""

    async def list_cluster_tasks(self, cluster: str, pages: int) -> list[str] | None:
        """List the ARNs of all tasks of a cluster that are meant to run; None if they are on more than `pages` pages of 100."""

    async def describe_tasks(self, cluster: str, arns: Sequence[str], *, priority: Priority = Priority.OBSERVATION) -> list[Task]:
        """Describe tasks (by 100); those that are gone are left out."""

    async def describe_task_definition(self, arn: str, *, fresh: bool = False) -> TaskDefinition:
        """Describe a revision with its tags. Its content does not change, so answers may be cached; its status may: then `fresh`."""

    async def newest_task_definitions(self, family: str, limit: int) -> list[str]:
        """List the ARNs of a family's newest ACTIVE revisions, newest first."""

    async def register_task_definition(self, content: Mapping[str, Any], tags: Mapping[str, str]) -> TaskDefinition:
        """Register a revision. `content` is as in `TaskDefinition.content`."""

    async def update_service(self, cluster: str, service: str, task_definition: str, *, force: bool = False) -> StartedDeployment:
        """Point a service at a revision; never sends desiredCount (Application Auto Scaling owns it)."""

    async def service_deployment(self, cluster: str, service_arn: str, deployment_id: str) -> ServiceDeployment | None:
        """Find the service deployment of an `ecs-svc/N` id; None if there is none or the API is not there."""

    async def protected_tasks(self, cluster: str, arns: Sequence[str]) -> list[ProtectedTask]:
        """Return which of at most 100 tasks are protected from scale-in; none if that cannot be found out."""

    async def stop_service_deployment(self, arn: str) -> bool:
        """Ask ECS to roll a deployment back. False if it is over, unknown, or the API is not there."""

    async def continue_service_deployment(self, arn: str, hook_id: str, action: str) -> None:
        """Answer the lifecycle hook at which a deployment waits: `action` is CONTINUE or ROLLBACK.

        A hook that does not wait, and a right that is missing, are Blocked.
        """


class Registry(Protocol):
    """One ECR registry (account and region)."""

    async def image(self, repository: str, *, tag: str = "", digest: str = "") -> RegistryImage | None:
        """Find an image by tag or by digest; None if the repository has none.

        A missing repository is Blocked(ArtifactNotFound).
        """

    async def images(self, repository: str, digests: Collection[str]) -> ImagesAnswer:
        """Look images up by digest as they are now, by 100, those in archive too. One that cannot be read hides no other.

        A missing repository is Blocked(ArtifactNotFound).
        """

    async def manifest_lists_naming(self, repository: str, images: Collection[RegistryImage]) -> ImagesAnswer:
        """Find the tagged manifest lists that list images as a platform's image; an image that none lists is left out.

        While one of the lists cannot be read, the images that no other one lists are unread.
        """

    async def tag_digest(self, repository: str, tag: str) -> str:
        """Return the digest that a tag points to now; an empty string if there is no such tag.

        A missing repository is Blocked(ArtifactNotFound).
        """

    async def check_movable(self, repository: str, tag: str) -> None:
        """Check that a tag may be moved: an immutable repository whose filters do not spare it is Blocked(RejectedByAWS)."""

    async def move_tag(self, repository: str, tag: str, digest: str) -> None:
        """Point a tag to an existing image, by the bytes of its manifest, and read it back.

        A tag that points to it already is no error. A missing image is Blocked(ArtifactNotFound).
        """


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a queue; `handle` deletes it, `sent_at` is when it came to the queue."""

    body: str
    handle: str
    sent_at: datetime | None = None


class EventQueue(Protocol):
    """A queue of events."""

    async def receive(self) -> list[Message]:
        """Wait for a while, and return at most ten messages."""

    async def delete(self, messages: Sequence[Message]) -> None:
        """Delete messages that `receive` returned."""


class Sink(Protocol):
    """The receiver of notifications."""

    async def send(self, notifications: Sequence[Notification]) -> int:
        """Send some, in order. Returns how many of the first were accepted, at least one; more may have been, and are sent again then.

        Raises Problem if the first was not accepted.
        """


class Aws(Protocol):
    """AWS as seen with some access. What these return is shared, and cheap to get."""

    def ecs(self, access: Access) -> Ecs:
        """Return ECS in the access's account and region."""

    def registry(self, access: Access, registry_id: str, region: str) -> Registry:
        """Return an ECR registry, read with the access's role in the region given."""

    def event_queue(self, access: Access, url: str) -> EventQueue:
        """Return an SQS queue, in the region that its URL names."""

    def sink(self, access: Access, arn: str) -> Sink:
        """Return an SNS topic or an EventBridge event bus, in the region that its ARN names."""

    def ledger(self, access: Access, table: str, *, create: bool = False) -> Ledger:
        """Return the ledger in a DynamoDB table of the access's region; `create`: its `check` makes the table if there is none.

        An access without a role may leave the account empty: it is the operator's own then.
        """

    async def caller(self, access: Access) -> str:
        """Return our ARN, by GetCallerIdentity.

        Raises Denied if the role cannot be assumed, or is in another account.
        """


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """A Kubernetes object of ours; `namespace` is empty for cluster-scoped kinds."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """Name it as kubectl does."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True)
class EventNote:
    """An Event to record on an object: `type` is Normal or Warning; `action` what was done or tried."""

    type: str
    reason: str
    action: str
    note: str


class Cluster(Protocol):
    """The control cluster's API."""

    async def get(self, key: ObjectKey) -> Mapping[str, Any] | None:
        """Read an object; None if it is gone."""

    async def write_status(self, key: ObjectKey, status: Mapping[str, Any], *, uid: str, resource_version: str) -> Mapping[str, Any]:
        """Replace the status by server-side apply and return the object.

        Raises Conflict if the object moved on, NotFound if it is gone.
        """

    async def list_labelled(self, kind: str, namespace: str, label: str, value: str, *, most: int) -> list[Mapping[str, Any]] | None:
        """List the objects of a kind in a namespace that carry a label, as they are now; None if there are more than `most`."""

    async def create(self, key: ObjectKey, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Create an object. Raises Conflict if one of that name is there."""

    async def replace(self, key: ObjectKey, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Write an object back as it was read, with changes. Raises Conflict if it moved on, NotFound if it is gone."""

    async def delete(self, key: ObjectKey, *, uid: str, resource_version: str) -> None:
        """Delete an object. Raises Conflict if it moved on or is another one; to find it gone is no error."""

    def record(self, key: ObjectKey, uid: str, note: EventNote) -> None:
        """Record an Event, aggregated and without waiting for it."""

    def names(self, kind: str) -> AsyncIterator[tuple[str, str, str]]:
        """Yield (namespace, name, uid) of every object of a kind, page by page."""

    async def count(self, kind: str) -> int:
        """Count the objects of a kind, as good as exactly."""

    async def refusal(self, namespace: str) -> str:
        """Return why a namespace may not be read; empty if it may."""

    async def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        """Return a Namespace's labels; None if it is gone or may not be read."""

    async def has_policy(self, resource: str, name: str) -> bool:
        """Return whether an admission policy, or a binding of one, is there. Raises Denied if it may not be read."""


class Fence(Protocol):
    """Keeps a process that is no longer the leader from changing anything."""

    def check(self, what: str) -> None:
        """Raise NotLeading unless this process may change something now. Called from any thread, and never waits."""


class Clock(Protocol):
    """The time, which tests can set."""

    def now(self) -> datetime:
        """Return the time in UTC."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""
