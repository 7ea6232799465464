"""How fresh an observation is: whether all services of an Environment were read recently."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Protocol

from ecs_release.api.conditions import ConditionType, Reason
from ecs_release.api.meta import to_time
from ecs_release.domain.model.conditions import FALSE, TRUE, UNKNOWN, ConditionUpdate
from ecs_release.domain.model.errors import Retryable
from ecs_release.engine.observation.observed_service import ObservedService

STALE_INTERVALS = 3
"""The observation is stale if a service was not read for this number of intervals."""


class ObservationState(Protocol):
    """The part of an observer that its freshness is computed from."""

    interval_s: float

    @property
    def observed_since(self) -> datetime | None:
        """The time of the oldest look; None before the first sweep."""


def oldest_look(observed: Collection[ObservedService]) -> datetime | None:
    """Return the oldest time at which a service was read last, or was added if it was never read.

    Services that AWS refuses or does not know count as answered: their Releases report it. If that is so of all, they count.
    """
    seen = (w.look.seen_time if w.look else w.added for w in _answered(observed) or observed)
    return min((time for time in seen if time is not None), default=None)


def all_read_since(observed: Collection[ObservedService]) -> datetime | None:
    """Return when each service that can be read was read, or before; None if that is not so of one yet, or none can be read."""
    seen = [w.look.seen_time if w.look else None for w in _answered(observed)]
    return min((time for time in seen if time is not None), default=None) if None not in seen else None


def _answered(observed: Collection[ObservedService]) -> list[ObservedService]:
    """Leave out the services that AWS refuses or does not know: their Releases report it."""
    return [w for w in observed if w.unread is None or isinstance(w.unread.problem, Retryable)]


def observed_condition(observer: ObservationState | None, now: datetime) -> ConditionUpdate:
    """Return the condition Observed: whether every service was read within three intervals.

    The message changes only with the status, because status is written only when it changed (law 13).
    """
    kind = ConditionType.OBSERVED
    since = observer.observed_since if observer is not None else None
    if observer is None or since is None:
        return ConditionUpdate(kind, UNKNOWN, Reason.NOT_OBSERVED)
    bound = f"{STALE_INTERVALS} intervals of {observer.interval_s:g} s"
    if now - since <= _stale_after(observer):
        return ConditionUpdate(kind, TRUE, Reason.VALID, f"no service was unseen for longer than {bound}")
    return ConditionUpdate(
        kind, FALSE, Reason.OBSERVATION_FAILED, f"a service was not seen since {to_time(since)}, which is longer than {bound}"
    )


def stale_in_s(observer: ObservationState | None, now: datetime) -> float | None:
    """Return after how many seconds to check again: a stalled sweep causes no event."""
    since = observer.observed_since if observer is not None else None
    if observer is None or since is None:
        return None
    left = (since + _stale_after(observer) - now).total_seconds()
    return left + 0.1 if left > 0 else observer.interval_s


def _stale_after(observer: ObservationState) -> timedelta:
    return timedelta(seconds=STALE_INTERVALS * observer.interval_s)
