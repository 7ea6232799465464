"""Whether a Release proves that its digests run: only what is proven is promoted."""

from __future__ import annotations

from ecs_release.api.conditions import ConditionType
from ecs_release.api.release import Release
from ecs_release.domain.model.conditions import TRUE, find


def why_unproven(release: Release) -> str:
    """Return why a Release proves nothing; an empty string if it is Ready and every running task runs its digests."""
    status, name = release.status, release.metadata.name
    if status is None or status.pin is None or status.observed_generation != release.metadata.generation:
        return f"Release {name} is not up to date"
    ready, in_sync = find(status.conditions, ConditionType.READY), find(status.conditions, ConditionType.IN_SYNC)
    if ready is None or ready.status != TRUE:
        return f"Release {name} is not Ready ({ready.reason if ready else 'no condition'}: {ready.message if ready else ''})"
    if in_sync is None or in_sync.status != TRUE:
        return f"what Release {name} wants is not proven to run ({in_sync.reason if in_sync else 'no condition'})"
    return ""
