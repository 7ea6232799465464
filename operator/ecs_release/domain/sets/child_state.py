"""How a child Release stands in the set's eyes: only what it says of the spec that we wrote last counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ecs_release.api.conditions import Condition, Reason
from ecs_release.api.names import RETRY_ANNOTATION
from ecs_release.api.release_status import PinnedImage, ReleaseStatus
from ecs_release.api.releaseset_status import SetService
from ecs_release.domain.artifacts.source import digests_of
from ecs_release.domain.decision.attempts import is_open
from ecs_release.domain.decision.request_annotations import token_of
from ecs_release.domain.model.conditions import TRUE, find
from ecs_release.domain.sets.facts import Child


class State(StrEnum):
    """Where a service stands on its way to what the set wants of it."""

    PENDING = "Pending"
    """Its child is not there, or was not yet told."""
    PROGRESSING = "Progressing"
    WAITING = "Waiting"
    READY = "Ready"
    FAILED = "Failed"


LEFT = "Left"
"""State of a service that is no longer in the set."""

# The verdicts of attempts. What blocks a Release otherwise may mend itself, and then nothing has failed.
VERDICTS = frozenset(
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
class Standing:
    """A service's state, with the reason and the message of its child; `since` is when it became Ready; `moves` that ECS is at work."""

    state: State
    reason: str = ""
    message: str = ""
    since: datetime | None = None
    moves: bool = False

    @property
    def in_flight(self) -> bool:
        """Whether it takes one of the set's parallel places: one that people hold does not."""
        return self.moves or (self.state in (State.PROGRESSING, State.WAITING) and self.reason not in (Reason.SUSPENDED, Reason.OBSERVING))

    @property
    def is_verdict(self) -> bool:
        """Whether an attempt has failed, which only a new source or a retry mends (law 5)."""
        return self.state is State.FAILED and self.reason in VERDICTS


def wanted_images(service: SetService) -> list[PinnedImage]:
    """Return what the set wants a service to run now: its pins, or what it returns to."""
    return list((service.previous if service.reverting else service.images) or ())


def is_told(service: SetService, child: Child) -> bool:
    """Tell whether a child's spec asks for what the set wants."""
    return child.release.spec.source.digests == digests_of(wanted_images(service))


def standing(service: SetService, child: Child | None) -> Standing:
    """Tell how a service stands."""
    if child is None:
        return Standing(State.PENDING)
    status = child.release.status or ReleaseStatus()
    moves = is_open(status.rollout)
    if not is_told(service, child):
        return Standing(State.PENDING, moves=moves)
    generation = child.release.metadata.generation
    up_to_date = status.observed_generation == generation and generation >= (service.generation or 0)
    ready = find(status.conditions, "Ready")
    if not up_to_date or ready is None or _retries(child, status):
        return Standing(State.PROGRESSING, "", "its Release was told", moves=moves)
    return _of_ready(service, status, ready, moves=moves)


def _of_ready(service: SetService, status: ReleaseStatus, ready: Condition, *, moves: bool) -> Standing:
    """Tell how a service stands whose child's conditions are about what it was told."""
    stalled, reconciling = (_is_true(status, kind) for kind in ("Stalled", "Reconciling"))
    pinned = digests_of(status.pin.images if status.pin else None) == digests_of(wanted_images(service))
    if ready.status == TRUE and pinned:
        return Standing(State.READY, ready.reason, ready.message, ready.last_transition_time)
    corrects = reconciling and ready.reason == Reason.DRIFTED
    if stalled or (ready.reason in _NOT_AS_WANTED and not corrects):
        return Standing(State.FAILED, ready.reason, ready.message, moves=moves)
    if ready.status == TRUE or corrects or (reconciling and ready.status == "Unknown"):
        return Standing(State.PROGRESSING, ready.reason, ready.message, moves=moves)
    return Standing(State.WAITING, ready.reason, ready.message, moves=moves)


def _retries(child: Child, status: ReleaseStatus) -> bool:
    token = token_of(child.release.metadata, RETRY_ANNOTATION)
    return token is not None and token != status.last_handled_retry


def _is_true(status: ReleaseStatus, kind: str) -> bool:
    condition = find(status.conditions, kind)
    return condition is not None and condition.status == TRUE
