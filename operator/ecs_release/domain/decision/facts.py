"""Everything that one decision about a Release rests on, gathered before it: `decide` reads nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ecs_release.api.environment import Environment
from ecs_release.api.ledger import LedgerCurrent
from ecs_release.api.names import LABEL_SERVICE_SET
from ecs_release.api.release import Release
from ecs_release.api.release_status import Evidence, Pin, ReleaseStatus
from ecs_release.domain.artifacts.environment_tag import Sharer
from ecs_release.domain.artifacts.pin_key import Membership
from ecs_release.domain.artifacts.registry_images import Artifact, Finding
from ecs_release.domain.artifacts.source import source_hash
from ecs_release.domain.ecs.events import Author
from ecs_release.domain.ecs.service import Look, ProtectedTask, Service, ServiceDeployment, TaskDefinition
from ecs_release.domain.environments.claims import Claim
from ecs_release.domain.environments.targets import Target
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.ports.ledger_acknowledgements import Acknowledged
from ecs_release.domain.verification.health import Health
from ecs_release.domain.verification.judgement import Progress


@dataclass(frozen=True, slots=True)
class Limits:
    """Settings that decisions depend on; durations in seconds."""

    installation: str = "default"
    visible_s: float = 30
    read_lag_s: float = 10
    rollback_s: float = 60
    grace_s: float = 300
    retry_s: float = 10
    namespaces: tuple[str, ...] = ()
    """Those that are watched and may be looked into; empty: all."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """An intent that may have been carried out already: the answer was lost, or the process that wrote it has died.

    `since` is when doubt began. `registered` is a revision found in AWS that this attempt registered; `started` is the id of a
    deployment that it started.
    """

    since: datetime
    registered: str = ""
    started: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was gathered. What could not be is None, with a problem beside it that says why.

    `hold` is why the ReleaseSet that controls the Release keeps it from acting, `reverting` that it takes the Release back;
    `problem` is why nothing is known of the target (no such Project, not allowed ...); `pin` is the pin in force or, where the source
    is new or a refresh was asked for, the one resolved just now; `patient_from` is when AWS became readable to this process: time before
    that is nobody's lack of progress; `explained` is the service deployment of the attempt, `foreign` of somebody else's that an attempt
    would have to wait for; `may_correct` that drift may be corrected now: what that rests on was read anew; `start_problem` is why no
    attempt could begin (the base revision cannot be read or built upon, an image is missing where the service pulls from); `authors` are
    those who changed the service lately, newest first. `findings` tell of `artifacts` what was found at the latest look-up, if there was
    one; `keep_problem` is why the tag that holds what runs could not be moved. `member` is the set that the Release acts for;
    `ledger_problem` is why the ledger cannot be written, `acknowledged` what it has since the status was written, and `remembered`
    its current record, where the status tells nothing of the past.
    """

    release: Release
    now: datetime
    hold: Problem | None = None
    reverting: bool = False
    limits: Limits = field(default_factory=Limits)
    environment: Environment | None = None
    target: Target | None = None
    problem: Problem | None = None
    pin: Pin | None = None
    pin_problem: Problem | None = None
    refreshed: bool = False
    look: Look | None = None
    unread: Problem | None = None
    unread_since: datetime | None = None
    health: Health = field(default_factory=Health)
    running: TaskDefinition | None = None
    newest: tuple[TaskDefinition, ...] = ()
    start_problem: Problem | None = None
    claims: tuple[Claim, ...] = ()
    explained: ServiceDeployment | None = None
    foreign: ServiceDeployment | None = None
    evidence: tuple[Evidence, ...] = ()
    protected: tuple[ProtectedTask, ...] = ()
    doubt: Doubt | None = None
    progress: Progress | None = None
    patient_from: datetime | None = None
    attempt_id: str = ""
    may_correct: bool = False
    base: TaskDefinition | None = None
    newest_foreign: TaskDefinition | None = None
    earlier: tuple[TaskDefinition, ...] = ()
    revision_gone: bool = False
    tags: Mapping[str, str] | None = None
    tags_problem: Problem | None = None
    sharers: tuple[Sharer, ...] = ()
    primary_pins: Mapping[str, str] = field(default_factory=dict)
    release_hashes: Mapping[str, str] = field(default_factory=dict)
    authors: tuple[Author, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    artifacts: tuple[Artifact, ...] = ()
    findings: Mapping[Artifact, Finding] = field(default_factory=dict)
    keep_problem: str = ""
    member: Membership | None = None
    has_ledger: bool = False
    ledger_problem: Problem | None = None
    acknowledged: tuple[Acknowledged, ...] = ()
    remembered: LedgerCurrent | None = None

    @property
    def status(self) -> ReleaseStatus:
        """The status as it stands."""
        return self.release.status or ReleaseStatus()

    @property
    def service(self) -> Service | None:
        """The ECS service, where one was seen."""
        return self.look.service if self.look else None

    @property
    def service_set(self) -> str:
        """The service set that the service belongs to; an empty string where that is not known."""
        return self.target.service_set if self.target else (self.release.metadata.labels or {}).get(LABEL_SERVICE_SET, "")

    @property
    def source_hash(self) -> str:
        """The hash of what the spec asks for now."""
        return source_hash(self.release.spec.source)

    @property
    def name(self) -> str:
        """`namespace/name`, as tags and messages have it."""
        return f"{self.release.metadata.namespace}/{self.release.metadata.name}"

    @property
    def deadline(self) -> timedelta:
        """How long an attempt may go without progress."""
        return timedelta(seconds=self.target.rules.progress_deadline_s if self.target else 1800)
