"""What tags on task definitions show of a Release that has no status: a restored cluster, a re-created object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ecs_release.domain.ecs.service import Service, TaskDefinition
from ecs_release.domain.ecs.task_definitions import Ownership, ownership
from ecs_release.domain.verification.proof import named_digests
from ecs_release.domain.verification.replaced_deployment import started_by_ecs


class Past(StrEnum):
    """What happened to this source before, as far as our tags show."""

    NOTHING = "Nothing"
    """It was never tried here: an ordinary first release."""
    RUNS = "Runs"
    """Its revision is the one that runs, on the digests that the source means now."""
    UNDER_WAY = "UnderWay"
    """Its revision is PRIMARY and being rolled out."""
    OLDER = "Older"
    """Our revision of this very source runs other digests than the source resolves to now."""
    ROLLED_BACK = "RolledBack"
    """Its revision is there, and an earlier one runs, or ECS is rolling back. Tags do not tell who went back."""
    SUPERSEDED = "Superseded"
    """Its revision is there, and a later one runs. Tags do not tell whether that was deployed later, or before and gone back to."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was found, and the revision that it was found on."""

    past: Past
    revision: TaskDefinition | None = None
    owner: Ownership | None = None


def recover(
    service: Service,
    running: TaskDefinition,
    newest: Sequence[TaskDefinition],
    wanted: dict[str, str],
    *,
    installation: str,
    release: str,
    source: str,
) -> Recovered:
    """Return what became of a source. `wanted` maps each listed container to the digest that the source means now."""

    def ours(revision: TaskDefinition) -> Ownership | None:
        owner = ownership(revision)
        same = owner is not None and (owner.installation, owner.release, owner.source) == (installation, release, source)
        return owner if same else None

    owner = ours(running)
    if owner is not None:
        if named_digests(running, wanted) != wanted:
            return Recovered(Past.OLDER, running, owner)
        primary = service.primary
        done = primary is not None and (primary.rollout_state or "COMPLETED") == "COMPLETED" and len(service.deployments) == 1
        return Recovered(Past.RUNS if done else Past.UNDER_WAY, running, owner)
    for revision in sorted(newest, key=lambda r: -r.revision):
        owner = ours(revision)
        if owner is not None:
            rolls_back = service.primary is not None and started_by_ecs(service.primary)
            earlier_runs = revision.family == running.family and running.revision < revision.revision
            return Recovered(Past.ROLLED_BACK if rolls_back or earlier_runs else Past.SUPERSEDED, revision, owner)
    return Recovered(Past.NOTHING)
