"""Whether a new status says something new: counts of tasks are written at most once a minute (law 13)."""

from __future__ import annotations

from enum import Enum
from typing import Any

from ecs_release.api.meta import Model


class Change(Enum):
    """How much a status differs from the one that stands."""

    NOTHING = 0
    COUNTS = 1
    NEWS = 2


_COUNTS = frozenset(
    {"runningCount", "desiredCount", "pendingCount", "tasks", "message", "lastProgressTime", "newTasks", "oldTasks", "health"}
)


def compare(before: Model | None, after: Model) -> Change:
    """Compare two statuses. The time of a look is in neither, so that a look alone never writes."""
    old = before.to_kubernetes() if before else {}
    new = after.to_kubernetes()
    if old == new:
        return Change.NOTHING
    return Change.COUNTS if _without_counts(old) == _without_counts(new) else Change.NEWS


def _without_counts(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_counts(v) for k, v in value.items() if k not in _COUNTS}
    if isinstance(value, list):
        # A mere number of tasks that show no digest yet is no news, nor is the order: the most frequent comes first.
        return sorted((found for v in value if (found := _without_counts(v)) != {}), key=repr)
    return value
