"""The plan in status: what would be changed, and what keeps it from being changed."""

from __future__ import annotations

from ecs_release.api.release_status import Pin, Plan, PlannedImage
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.model.image_names import short_digest
from ecs_release.domain.verification.proof import ImageDigests, Match


def plan(facts: Facts, pin: Pin, blocked_by: str) -> Plan:
    """Plan from what runs to what is wanted, for the containers that differ."""
    accepted = attempts.accepted(facts, pin)
    images = [
        PlannedImage(
            container=change.container,
            from_digest=change.from_digest,
            from_hash=change.from_hash,
            to_digest=change.to_digest,
            to_hash=change.to_hash,
        )
        for change in attempts.changes(facts, pin)
        if not change.unlisted and _differs(accepted.get(change.container or ""), change.from_digest)
    ]
    steps = ", ".join(
        f"{i.container}: {i.from_hash or short_digest(i.from_digest or '') or 'nothing'} to {i.to_hash or short_digest(i.to_digest or '')}"
        for i in images
    )
    return Plan(images=images, blocked_by=[blocked_by[:1024]], message=f"would deploy {steps}"[:1024] if steps else None)


def _differs(accepted: ImageDigests | None, digest: str | None) -> bool:
    """Return whether a container runs something else than what is wanted, or nothing."""
    return accepted is None or not digest or accepted.match(digest) is Match.NO
