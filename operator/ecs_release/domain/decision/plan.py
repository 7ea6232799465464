"""The plan: what would be changed, and what keeps it from being changed."""

from __future__ import annotations

from ecs_release.api.release_status import Pin, Plan, PlannedImage
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.model.image_names import short_digest


def plan(facts: Facts, pin: Pin, blocked_by: str) -> Plan:
    """Plan from what runs to what is wanted, for the containers that differ."""
    images = [
        PlannedImage(
            container=change.container,
            from_digest=change.from_digest,
            from_hash=change.from_hash,
            to_digest=change.to_digest,
            to_hash=change.to_hash,
        )
        for change in attempts.changes(facts, pin)
        if not change.unlisted and change.from_digest not in attempts.accepted(pin).get(change.container or "", frozenset())
    ]
    steps = ", ".join(
        f"{i.container}: {i.from_hash or short_digest(i.from_digest or '') or 'nothing'} to {i.to_hash or short_digest(i.to_digest or '')}"
        for i in images
    )
    return Plan(images=images, blocked_by=[blocked_by[:1024]], message=f"would deploy {steps}"[:1024] if steps else None)
