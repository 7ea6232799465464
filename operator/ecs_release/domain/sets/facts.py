"""Everything that one decision about a ReleaseSet rests on, as it was gathered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ecs_release.api.commits import EnvironmentCommits
from ecs_release.api.meta import OwnerReference
from ecs_release.api.names import API_VERSION, RELEASE_SET
from ecs_release.api.release import Release
from ecs_release.api.release_status import HistoryEntry, PinnedImage
from ecs_release.api.releaseset import ReleaseSet, ReleaseSetSpec
from ecs_release.api.releaseset_status import ReleaseSetStatus
from ecs_release.domain.artifacts.source import source_hash
from ecs_release.domain.decision.commit_rules import Answers
from ecs_release.domain.decision.suspension import Suspended, spec_suspensions
from ecs_release.domain.model.errors import Problem


@dataclass(frozen=True, slots=True)
class Child:
    """A child Release as the API server has it; `body` is the object itself, to be written back whole."""

    release: Release
    body: Mapping[str, Any] = field(hash=False)

    @property
    def name(self) -> str:
        """Its name."""
        return self.release.metadata.name

    def controller_uid(self) -> str:
        """Return the uid of the ReleaseSet that controls it; an empty string if none does."""
        owner = controller_of(self.release)
        return owner.uid if owner is not None else ""


@dataclass(frozen=True, slots=True)
class Resolved:
    """One service's artifacts as they were just resolved, and what runs, as far as tasks show it.

    `idle`: no task runs, so that `runs` is what one would run. `problem` is why it could not be resolved; `note` what people should know
    (older than what runs, kept).
    """

    service: str
    images: tuple[PinnedImage, ...] = ()
    runs: tuple[PinnedImage, ...] = ()
    idle: bool = False
    hash: str = ""
    kept: bool = False
    note: str = ""
    problem: Problem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFacts:
    """What was gathered. `members` are the services in the Project's order; `problem` is why they are not known.

    `resolved` is set if a new source, or a refresh, had to be resolved; `resolve_problem` is a fault that concerns all of them.
    `start_problem` is why a set that was resolved some time ago cannot begin: an image is gone since, or a service refuses by now.
    `tag_groups` are services that share an image tag, which moves for all of them at once. `settle_s` maps services to the seconds
    that they must be Ready before the next wave, `deadline_s` to those that an attempt may go without progress. `new_id` is for a
    deployment set that begins now; `interval_s` is after how many seconds a fault that may pass by itself is checked again.
    `commit_rules` is what the Environment asks the commit graph for, if it does; `commits` is what that has answered.
    `refused_requests` are those, by annotation, that lack the reason which is required: the set is as if they were not there.
    `awaits_window`: a window keeps each service from beginning with what was resolved. `is_overtaken`: a newer source waits, and nothing
    further of the one under way starts.
    `asks_commits`: the set was pinned, and none of its services has begun, so that it is asked once more.
    """

    release_set: ReleaseSet
    now: datetime
    new_id: str
    observed_only: bool = False
    problem: Problem | None = None
    members: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    tag_groups: tuple[frozenset[str], ...] = ()
    settle_s: Mapping[str, float] = field(default_factory=dict)
    deadline_s: Mapping[str, float] = field(default_factory=dict)
    children: dict[str, Child] = field(default_factory=dict)
    resolved: tuple[Resolved, ...] | None = None
    resolve_problem: Problem | None = None
    start_problem: Problem | None = None
    commit_rules: EnvironmentCommits | None = None
    commits: Answers = field(default_factory=Answers)
    asks_commits: bool = False
    awaits_window: bool = False
    is_overtaken: bool = False
    refreshed: bool = False
    refused_requests: Mapping[str, str] = field(default_factory=dict)
    retry_s: float = 10.0
    interval_s: float = 60.0

    @property
    def status(self) -> ReleaseSetStatus:
        """The current status."""
        return self.release_set.status or ReleaseSetStatus()

    @property
    def suspension(self) -> Suspended | None:
        """The suspension by the set's own spec, if it holds."""
        return next(spec_suspensions(self.release_set.spec, self.now, "no further service starts"), None)

    @property
    def wanted_hash(self) -> str:
        """The hash of what the spec asks for now."""
        return set_source_hash(self.release_set.spec)


def controller_of(release: Release) -> OwnerReference | None:
    """Return the reference to the ReleaseSet that controls a Release; None if none does."""
    return next(
        (o for o in release.metadata.owner_references or () if o.controller and (o.kind, o.api_version) == (RELEASE_SET, API_VERSION)), None
    )


def attempt_since(child: Release, begun: datetime) -> HistoryEntry | None:
    """Return the latest attempt of a child if it is of the deployment set that began then; one that began before is another's."""
    latest = next(iter((child.status.history if child.status else None) or ()), None)
    # Times in a status may be whole seconds.
    return latest if latest is not None and latest.start_time is not None and latest.start_time >= begun.replace(microsecond=0) else None


def set_source_hash(spec: ReleaseSetSpec) -> str:
    """Hash a set's source, services and overrides, in any order: only another hash is resolved again (law 2). 16 hexadecimal digits."""
    content: dict[str, object] = {"overrides": sorted([o.service, source_hash(o.source)] for o in spec.overrides or ())}
    if spec.source is not None:
        content["source"] = spec.source.to_kubernetes()
    if spec.services is not None:
        content["services"] = sorted(spec.services)
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]


def set_display_hash(spec: ReleaseSetSpec) -> str:
    """Return what to call a set's source: its hash or tag, the environment that is promoted, or "overrides"."""
    source = spec.source
    if source is None:
        return "overrides"
    if source.environment_ref is not None:
        return f"as in {source.environment_ref.name}"
    return source.release_hash or source.tag or ""
