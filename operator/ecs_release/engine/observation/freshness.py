"""How old an observation is: whether an Environment's services were all seen lately."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Protocol

from ecs_release.api.conditions import ConditionType, Reason
from ecs_release.api.meta import to_time
from ecs_release.domain.model.conditions import FALSE, TRUE, UNKNOWN, Said
from ecs_release.domain.model.errors import Retryable
from ecs_release.engine.observation.observed_service import Watched

STALE_INTERVALS = 3
"""After how many intervals without a look at each service the observation is stale."""


class Observed(Protocol):
    """The part of an observer that tells how fresh it is."""

    interval_s: float

    @property
    def observed_since(self) -> datetime | None:
        """The time of the oldest look; None before the first sweep."""


def oldest_look(watched: Collection[Watched]) -> datetime | None:
    """Return since when the service was not seen that was not seen for longest: its last look, or when it was to be looked at first.

    What AWS refuses or does not know was answered, and is its Releases' affair, unless it is so of all: then nothing is observed.
    """
    answered = [w for w in watched if w.unread is None or isinstance(w.unread.problem, Retryable)]
    seen = (w.look.seen_time if w.look else w.added for w in answered or watched)
    return min((time for time in seen if time is not None), default=None)


def observed(observer: Observed | None, now: datetime) -> Said:
    """Say whether every service was seen within three intervals. The message stands as long as the status does (law 13)."""
    kind = ConditionType.OBSERVED
    since = observer.observed_since if observer is not None else None
    if observer is None or since is None:
        return Said(kind, UNKNOWN, Reason.NOT_OBSERVED)
    bound = f"{STALE_INTERVALS} intervals of {observer.interval_s:g} s"
    if now - since <= _stale_after(observer):
        return Said(kind, TRUE, Reason.VALID, f"no service was unseen for longer than {bound}")
    return Said(kind, FALSE, Reason.OBSERVATION_FAILED, f"a service was not seen since {to_time(since)}, which is longer than {bound}")


def stale_in_s(observer: Observed | None, now: datetime) -> float | None:
    """Return after how many seconds to ask again, for sweeps that stall tell nobody."""
    since = observer.observed_since if observer is not None else None
    if observer is None or since is None:
        return None
    left = (since + _stale_after(observer) - now).total_seconds()
    return left + 0.1 if left > 0 else observer.interval_s


def _stale_after(observer: Observed) -> timedelta:
    return timedelta(seconds=STALE_INTERVALS * observer.interval_s)
