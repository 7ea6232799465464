"""Which of several Releases that claim one service is shown as what is there."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from ecs_release.api.conditions import Condition, ConditionType, Reason
from ecs_release.domain.model.conditions import find
from ecs_release.domain.presence.observed import unobserved


class Claim(IntEnum):
    """What a Release's last status says of its claim, whatever spec that was about: the least is shown."""

    LOOKED_AT = 0
    """The operator looks at the service for it, so that it may hold it."""
    NOT_LOOKED_AT = 1
    NEW = 2
    """The operator has not looked at the Release yet."""
    REFUSED = 3
    """Another one holds the service."""


def claim_of(conditions: Sequence[Condition] | None) -> Claim:
    """Return what the conditions of a Release say of its claim."""
    ready = find(conditions, ConditionType.READY)
    if ready is None:
        return Claim.NEW
    if ready.reason == Reason.TARGET_CONFLICT:
        return Claim.REFUSED
    return Claim.NOT_LOOKED_AT if unobserved(conditions) is not None else Claim.LOOKED_AT
