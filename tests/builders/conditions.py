"""What a status says, in short."""

from __future__ import annotations

from ecs_release.api.conditions import Condition
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.decision.decision import Decision
from ecs_release.domain.model.conditions import find


def condition(status: ReleaseStatus, kind: str = "Ready") -> Condition:
    """One condition, which has to be there."""
    found = find(status.conditions, kind)
    assert found is not None, kind
    return found


def ready(status: ReleaseStatus) -> tuple[str, str]:
    """Status and reason of Ready."""
    return condition(status).status, condition(status).reason


def ready_and_reconciling(decision: Decision) -> tuple[str, str, str]:
    """Status and reason of Ready, and the status of Reconciling."""
    return *ready(decision.status), condition(decision.status, "Reconciling").status


def ready_and_stalled(decision: Decision) -> tuple[str, str, str]:
    """Status and reason of Ready, and the status of Stalled."""
    return *ready(decision.status), condition(decision.status, "Stalled").status
