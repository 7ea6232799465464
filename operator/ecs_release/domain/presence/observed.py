"""Whether the operator looks at what a Release runs: where it does not, the status still has what was seen last."""

from __future__ import annotations

from collections.abc import Sequence

from ecs_release.api.conditions import Condition, ConditionType, Reason
from ecs_release.domain.model.conditions import UNKNOWN, find

# Why it is not known where a Release goes (domain/release/decide.py, `_known`): nothing is looked at then. InSync is unknown for other
# reasons, too, while the service is seen: nothing is pinned yet, or a deployment that failed proves nothing.
_GOES_NOWHERE = frozenset({Reason.INVALID_SPEC, Reason.TARGET_NOT_ALLOWED, Reason.AWAITING_PROJECT, Reason.AWAITING_ENVIRONMENT})


def unobserved(conditions: Sequence[Condition] | None) -> Condition | None:
    """Return condition Ready of a Release that the operator does not look at, or cannot; None if what its status says runs is observed."""
    ready, in_sync = find(conditions, ConditionType.READY), find(conditions, ConditionType.IN_SYNC)
    if ready is None:
        return None
    is_blind = in_sync is not None and (in_sync.status, in_sync.reason) == (UNKNOWN, Reason.NOT_OBSERVED)
    return ready if ready.reason == Reason.OBSERVATION_FAILED or (is_blind and ready.reason in _GOES_NOWHERE) else None
