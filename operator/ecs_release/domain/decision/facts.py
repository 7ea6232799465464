"""Everything that one decision about a Release rests on, gathered before it: `decide` reads nothing else.

`Facts` consists of records, and each is gathered by one function of `engine.release.gatherer`. What could not be read is None, with a
problem beside it that says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from ecs_release.api.commits import AttemptCommits
from ecs_release.api.environment import Environment
from ecs_release.api.ledger import LedgerCurrent
from ecs_release.api.names import LABEL_SERVICE_SET
from ecs_release.api.release import Release
from ecs_release.api.release_status import Evidence, Pin, ReleaseStatus, TargetStatus
from ecs_release.domain.artifacts.environment_tag import Sharer
from ecs_release.domain.artifacts.pin_key import Membership
from ecs_release.domain.artifacts.registry_images import Finding, RequiredImage
from ecs_release.domain.artifacts.source import source_hash
from ecs_release.domain.decision.commit_rules import Answers
from ecs_release.domain.ecs.events import Author, Instruction
from ecs_release.domain.ecs.service import Look, Outage, ProtectedTask, Service, ServiceDeployment, TaskDefinition
from ecs_release.domain.environments.claims import Claim
from ecs_release.domain.environments.targets import Target
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.ports.commits import Repository, Span
from ecs_release.domain.ports.ledger_acknowledgements import Acknowledgement
from ecs_release.domain.verification.health import Health


@dataclass(frozen=True, slots=True)
class Limits:
    """Settings that decisions depend on; durations in seconds."""

    installation: str = "default"
    visible_s: float = 30
    """How long reads may lag behind what was done."""
    rollback_s: float = 60
    grace_s: float = 300
    retry_s: float = 10
    namespaces: tuple[str, ...] = ()
    """Those that are watched and may be looked into; empty: all."""


@dataclass(frozen=True, slots=True)
class Permission:
    """What the Release may do, by the ReleaseSet that controls it."""

    hold: Problem | None = None
    """Why the set keeps the Release from acting."""
    hold_ends: datetime | None = None
    """When that ends by itself; None if it does not."""
    awaits_turn: bool = False
    """What the Release asks for is what its set wants, and it is not its turn yet: what runs already is adopted, nothing is deployed."""
    is_edited: bool = False
    """What the spec asks for is not what was resolved last, and is not acted on: it is not what is compared with what runs."""
    reverting: bool = False
    """The set takes the Release back to its former source."""
    returning: bool = False
    """The set goes back to what it was Ready on, and this Release to what it was proven to run then."""
    commit_right: str = ""
    """By what right the set's deployment set goes on although the commit graph speaks against it."""
    member: Membership | None = None
    """The set that the Release acts for."""
    may_correct: bool = False
    """Drift may be corrected now: the time has come, and all that the correction depends on was read anew."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the Release goes: its Environment, and the ECS service there."""

    environment: Environment | None = None
    target: Target | None = None
    problem: Problem | None = None
    """Why the target is not known: there is no such Project, the Environment does not allow it, ..."""
    claims: tuple[Claim, ...] = ()
    """Of the Releases that go to this service those that decide which of them holds it."""
    links: Mapping[str, str] = field(default_factory=dict)
    repository: Repository | None = None
    """Where the Project's commits are, on the branch that counts in the Environment."""

    @property
    def deadline(self) -> timedelta:
        """How long an attempt may go without progress."""
        return timedelta(seconds=self.target.policy.progress_deadline_s if self.target else 1800)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the source means: the pin in force or, if the source is new or a refresh is requested, the one resolved just now."""

    pin: Pin | None = None
    problem: Problem | None = None
    by_retry: bool = False
    """A retry has resolved what the pin in force lacks: that stands once its attempt has begun, for until then it may be withdrawn."""
    refreshed: bool = False
    """A refresh has found other digests than those of the former pin."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the observer saw of the ECS service."""

    look: Look | None = None
    unread: Problem | None = None
    """Why the service cannot be read now; `look` is an earlier one then."""
    unread_since: datetime | None = None
    health: Health = field(default_factory=Health)
    health_due: datetime | None = None
    """When the health changes if the number of tasks does not."""
    authors: tuple[Author, ...] = ()
    """Who changed the service lately, newest first."""
    instructions: tuple[Instruction, ...] = ()
    """Who had ECS go on with its deployments, go back or stop, newest first."""


@dataclass(frozen=True, slots=True)
class Revisions:
    """Task definitions of the service's family."""

    running: TaskDefinition | None = None
    newest: tuple[TaskDefinition, ...] = ()
    """The running one and, if the past is to be recovered from tags, the family's newest."""
    newest_foreign: TaskDefinition | None = None
    """The newest that this installation has not registered."""
    base: TaskDefinition | None = None
    """What an attempt builds on, if that is not the running one (baseRevision Latest)."""
    earlier: tuple[TaskDefinition, ...] = ()
    """Our own, which may be used again."""
    is_gone: bool = False
    """The one that the attempt is about to deploy was deregistered."""
    problem: Problem | None = None
    """Why no attempt can begin: the base cannot be read or built upon, an image is missing in the registry that the service pulls from."""


@dataclass(frozen=True, slots=True)
class Tags:
    """Where the environment's tag points, for method EnvironmentTag."""

    digests: Mapping[str, str] | None = None
    """The tagged digest of each container."""
    problem: Problem | None = None
    """Why the tag cannot be read."""
    refusal: Problem | None = None
    """Why no attempt can begin: the tag cannot be moved, or the service would not pull it."""
    sharers: tuple[Sharer, ...] = ()
    """Other Releases whose services pull the same tag."""


@dataclass(frozen=True, slots=True)
class Images:
    """Whether the images that the Release needs can be pulled."""

    artifacts: tuple[RequiredImage, ...] = ()
    findings: Mapping[RequiredImage, Finding] = field(default_factory=dict)
    """What the latest look-up of an artifact found, if there was one."""
    keep_problem: str = ""
    """Why the tag that keeps the running images (artifacts.keepTag) could not be moved."""


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """What explains a rollout that is under way."""

    service_deployment: ServiceDeployment | None = None
    """The attempt's, as ECS describes it."""
    foreign: ServiceDeployment | None = None
    """Somebody else's, which an attempt has to wait for."""
    evidence: tuple[Evidence, ...] = ()
    protected: tuple[ProtectedTask, ...] = ()
    primary_digests: Mapping[str, str] = field(default_factory=dict)
    """The digests that the PRIMARY deployment's revision names, if that deployment is not the attempt's."""
    each_task_resolves: bool = False
    """Whether each task of the attempt's deployment resolves its tag, as far as is known; read if another one is PRIMARY."""


class UpstreamState(StrEnum):
    """How the Release of the service in the Environment that releases are promoted from stands."""

    NONE = "None"
    """There is none, or the Environment is promoted from nowhere."""
    LEVEL = "Level"
    """What is proven to run there is what is proven to run here."""
    MOVING = "Moving"
    """It is being rolled out, or cannot be observed."""
    UNPROVEN = "Unproven"
    PROVEN = "Proven"
    UNREAD = "Unread"


@dataclass(frozen=True, slots=True)
class Upstream:
    """What runs in the Environment that releases are promoted from. `there` is its Release, read only if it may be ahead.

    `relations` are how the commits of its attempts stand to those that run here, as far as the commit graph says.
    """

    state: UpstreamState = UpstreamState.NONE
    there: Release | None = None
    relations: Answers = field(default_factory=Answers)


@dataclass(frozen=True, slots=True)
class Doubt:
    """An intent that may have been carried out already: the answer was lost, or the process that wrote it has died.

    `since` is when doubt began. `registered` is a revision found in AWS that this attempt registered; `started` is the id of a
    deployment that it started. `left_tasks` is whether tasks were found that such a deployment must have started, which ECS does not list
    and they do not name.
    """

    since: datetime
    registered: str = ""
    started: str = ""
    left_tasks: bool = False


@dataclass(frozen=True, slots=True)
class Tracking:
    """What this process remembers of the attempt that it follows. `engine.release.memory` says why none of it has to outlive that."""

    doubt: Doubt | None = None
    missing_since: datetime | None = None
    """Since when looks do not show what an earlier one did (the attempt's deployment, the wanted digests), and may be older than it."""
    outage: Outage | None = None
    """The latest time in which the service could not be read, if status does not yet reckon with it: it counts as no lack of progress."""


@dataclass(frozen=True, slots=True)
class LedgerFacts:
    """What the ledger has of the Release."""

    is_configured: bool = False
    problem: Problem | None = None
    """Why the ledger cannot be written."""
    acknowledged: tuple[Acknowledgement, ...] = ()
    """What was written since the status was."""
    remembered: LedgerCurrent | None = None
    """The current record, if the status says nothing of the past."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was gathered; the records are in the order in which that is done."""

    release: Release
    now: datetime
    limits: Limits = field(default_factory=Limits)
    attempt_id: str = ""
    """The id of an attempt that begins now."""
    permission: Permission = field(default_factory=Permission)
    place: Place = field(default_factory=Place)
    ledger: LedgerFacts = field(default_factory=LedgerFacts)
    wanted: Wanted = field(default_factory=Wanted)
    seen: Seen = field(default_factory=Seen)
    revisions: Revisions = field(default_factory=Revisions)
    release_hashes: Mapping[str, str] = field(default_factory=dict)
    """The release hashes of the digests that run, as far as they are known."""
    commits: Answers = field(default_factory=Answers)
    """What the commit graph says of the attempt that may begin, or that is about to change what runs."""
    spans: Mapping[Span, AttemptCommits] = field(default_factory=dict)
    """The commits that attempts bring, as far as that is known: a statistic, on which nothing may depend."""
    tracking: Tracking = field(default_factory=Tracking)
    tags: Tags = field(default_factory=Tags)
    images: Images = field(default_factory=Images)
    upstream: Upstream = field(default_factory=Upstream)
    refused_requests: Mapping[str, str] = field(default_factory=dict)
    """Requests, by annotation, that lack the reason that the Environment requires. The Release is as if they had not been made."""
    diagnostics: Diagnostics = field(default_factory=Diagnostics)

    @property
    def status(self) -> ReleaseStatus:
        """The status as it stands."""
        return self.release.status or ReleaseStatus()

    @property
    def service(self) -> Service | None:
        """The ECS service, if one was seen."""
        return self.seen.look.service if self.seen.look else None

    @property
    def target_seen(self) -> TargetStatus | None:
        """The target as status records it: a service of the same name that was made again is another one. None if no service was seen."""
        target, service = self.place.target, self.service
        if target is None or service is None:
            return None
        return TargetStatus(
            account_id=target.key.account_id,
            region=target.key.region,
            cluster=target.key.cluster,
            service_arn=service.arn,
            service_created_time=service.created_at,
        )

    @property
    def service_set(self) -> str:
        """The service set that the service belongs to; an empty string if that is not known."""
        return self.place.target.service_set if self.place.target else (self.release.metadata.labels or {}).get(LABEL_SERVICE_SET, "")

    @property
    def source_hash(self) -> str:
        """The hash of what the spec asks for now."""
        return source_hash(self.release.spec.source)

    @property
    def name(self) -> str:
        """`namespace/name`, as tags and messages have it."""
        return f"{self.release.metadata.namespace}/{self.release.metadata.name}"

    @property
    def start_problem(self) -> Problem | None:
        """Why no attempt can begin, whatever is permitted."""
        return self.revisions.problem or self.tags.problem or self.tags.refusal
