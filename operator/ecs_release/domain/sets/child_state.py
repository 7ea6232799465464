"""The state of a service in the set, by its child Release: only a status of the spec that the set wrote last counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ecs_release.api.conditions import Condition, Reason
from ecs_release.api.release_status import PinnedImage, ReadyImage, ReleaseStatus
from ecs_release.api.releaseset_status import KEPT, SetService
from ecs_release.domain.artifacts.source import digests_of
from ecs_release.domain.decision.attempts import covers, is_deployed, is_open
from ecs_release.domain.decision.request_annotations import retry_requested
from ecs_release.domain.model.conditions import FALSE, TRUE, find
from ecs_release.domain.sets.facts import Child


class State(StrEnum):
    """How far a service is on its way to what the set wants."""

    PENDING = "Pending"
    """Its child does not exist, or does not yet have the set's source."""
    PROGRESSING = "Progressing"
    WAITING = "Waiting"
    READY = "Ready"
    FAILED = "Failed"


LEFT = "Left"
"""State of a service that is no longer in the set."""

# The reasons of failed attempts. Whatever else blocks a Release may pass by itself, and then nothing has failed.
VERDICT_REASONS = frozenset(
    {
        Reason.ROLLOUT_FAILED,
        Reason.ROLLED_BACK,
        Reason.SUPERSEDED,
        Reason.DEADLINE_EXCEEDED,
        Reason.ABORTED,
        Reason.REAPPEARED_OLDER,
        Reason.TAG_MOVED,
    }
)
_NOT_AS_WANTED = frozenset({Reason.DRIFTED, Reason.TASKS_UNHEALTHY})


@dataclass(frozen=True, slots=True)
class ChildState:
    """A service's state, with the reason and the message of its child Release.

    `since` is when it became Ready, `rolling_out` whether an attempt of it is open. `refused_since` is since when something blocks a
    failed one that may pass by itself or be corrected, a refusal of AWS say; None if it failed otherwise. `differs`: its Release says that
    what runs is not what the set wants.
    """

    state: State
    reason: str = ""
    message: str = ""
    since: datetime | None = None
    rolling_out: bool = False
    refused_since: datetime | None = None
    differs: bool = False

    @property
    def matches(self) -> bool | None:
        """Whether what runs is what the set wants; None if that is not known."""
        if self.state is State.READY:
            return not self.is_outdated
        return False if self.differs else None

    @property
    def in_flight(self) -> bool:
        """Whether it counts against `maxParallel`: a suspended or only observed one does not, unless an attempt of it is open."""
        is_paused = self.reason in (Reason.SUSPENDED, Reason.OBSERVING)
        return self.rolling_out or (self.state in (State.PROGRESSING, State.WAITING) and not is_paused)

    @property
    def is_outdated(self) -> bool:
        """Whether it runs the wanted images on an older base than is wanted: proven, and not Ready."""
        return self.reason == Reason.BASE_REVISION_OUTDATED

    @property
    def takes_retry(self) -> bool:
        """Whether a retry would do something for it."""
        return self.state is State.FAILED or self.is_outdated

    @property
    def is_verdict(self) -> bool:
        """Whether an attempt has failed: after that a Release holds until a new source or a retry (law 5)."""
        return self.state is State.FAILED and self.reason in VERDICT_REASONS


def wanted_images(service: SetService) -> list[PinnedImage]:
    """Return what the set wants a service to run now: its pins, or what it returns to."""
    return list((service.previous if service.reverting else service.images) or ())


def is_changed(service: SetService) -> bool:
    """Return whether the deployment set has started a service on other images than it is to return to."""
    return service.start_time is not None and digests_of(service.images) != digests_of(service.previous)


def is_stuck(service: SetService) -> bool:
    """Return whether a rollback leaves a service on what it is to take back. One that keeps what runs has nothing to take back."""
    return is_changed(service) and not service.reverting and service.origin != KEPT


def asks_for_wanted(service: SetService, child: Child) -> bool:
    """Return whether a child's spec asks for what the set wants."""
    return child.release.spec.source.digests == digests_of(wanted_images(service))


def has_deployed(service: SetService, child: Child | None) -> bool:
    """Return whether an attempt at what the set wants a service to run is under way in ECS."""
    status = child.release.status if child is not None and asks_for_wanted(service, child) else None
    if status is None or status.pin is None or digests_of(status.pin.images) != digests_of(wanted_images(service)):
        return False
    return is_open(status.rollout) and is_deployed(status.rollout) and covers(status.rollout, status.pin)


def last_proven(child: Child | None) -> list[ReadyImage]:
    """Return the images that a service's tasks were proven to run last; none if that is not known."""
    last_ready = child.release.status.last_ready if child is not None and child.release.status is not None else None
    return list((last_ready.images if last_ready is not None else None) or ())


def is_proven(service: SetService, child: Child | None) -> bool:
    """Return whether tasks have proven what the set wants a service to run. Ready alone does not say so: no task may be wanted."""
    proven = {i.container: i.digest for i in last_proven(child)}
    return bool(proven) and proven == digests_of(wanted_images(service))


def child_state(service: SetService, child: Child | None) -> ChildState:
    """Return the state of a service."""
    if child is None:
        return ChildState(State.PENDING)
    status = child.release.status or ReleaseStatus()
    rolling_out = is_open(status.rollout)
    generation, ready = child.release.metadata.generation, find(status.conditions, "Ready")
    if not asks_for_wanted(service, child):
        runs_another = status.observed_generation == generation and ready is not None and ready.status == TRUE
        return ChildState(State.PENDING, rolling_out=rolling_out, differs=runs_another)
    up_to_date = status.observed_generation == generation and generation >= (service.generation or 0)
    if not up_to_date or ready is None or _retries(child, status):
        return ChildState(State.PROGRESSING, "", "its Release was told", rolling_out=rolling_out)
    return _of_ready(service, status, ready, rolling_out=rolling_out)


def _of_ready(service: SetService, status: ReleaseStatus, ready: Condition, *, rolling_out: bool) -> ChildState:
    """Return the state of a service whose child's conditions are about the spec that the set wrote."""
    stalled, reconciling = (_is_true(status, kind) for kind in ("Stalled", "Reconciling"))
    pinned = digests_of(status.pin.images if status.pin else None) == digests_of(wanted_images(service))
    # The base is no part of the source: a wave ends once the wanted images are proven to run.
    if pinned and (ready.status == TRUE or ready.reason == Reason.BASE_REVISION_OUTDATED):
        return ChildState(State.READY, ready.reason, ready.message, ready.last_transition_time)
    differs = ready.status == FALSE
    corrects = reconciling and ready.reason == Reason.DRIFTED
    if stalled or (ready.reason in _NOT_AS_WANTED and not corrects):
        since = None if ready.reason in VERDICT_REASONS | _NOT_AS_WANTED else _refused_since(status)
        return ChildState(State.FAILED, ready.reason, ready.message, rolling_out=rolling_out, refused_since=since, differs=differs)
    if ready.status == TRUE or corrects or (reconciling and ready.status == "Unknown"):
        return ChildState(State.PROGRESSING, ready.reason, ready.message, rolling_out=rolling_out, differs=differs)
    return ChildState(State.WAITING, ready.reason, ready.message, rolling_out=rolling_out, differs=differs)


def _refused_since(status: ReleaseStatus) -> datetime | None:
    """Return since when a Release is blocked: its attempt's call was refused, or none could begin."""
    rollout, blocked = status.rollout, find(status.conditions, "Stalled")
    if rollout is not None and is_open(rollout) and rollout.refused_time is not None:
        return rollout.refused_time
    return blocked.last_transition_time if blocked is not None else None


def _retries(child: Child, status: ReleaseStatus) -> bool:
    return retry_requested(child.release.metadata, status) is not None


def _is_true(status: ReleaseStatus, kind: str) -> bool:
    condition = find(status.conditions, kind)
    return condition is not None and condition.status == TRUE
