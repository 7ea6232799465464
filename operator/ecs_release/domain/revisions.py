"""The revision that an attempt registers."""

from __future__ import annotations

from ecs_release.api.release_status import Rollout
from ecs_release.domain.decision import Draft, Register
from ecs_release.domain.facts import Facts
from ecs_release.domain.taskdefinitions import Ownership, pinned_name, with_images, with_ownership


def wanted_revision(facts: Facts, draft: Draft, rollout: Rollout) -> Register:
    """Build the revision on the one that the service runs: other images in the listed containers, our own tags, nothing else (law 8).

    Raises Blocked where the base has no such container, holds what we cannot read, or has too many tags.
    """
    base, pin, target = facts.running, draft.pin, facts.target
    assert base is not None and pin is not None and target is not None
    repositories = {c.name: c.repository for c in target.containers}
    images = {
        i.container: pinned_name(base, i.container, repositories[i.container], i.digest or "", target.registry_host)
        for i in pin.images or ()
        if i.container in repositories
    }
    owner = Ownership(facts.limits.installation, facts.name, rollout.source_hash or "", rollout.attempt_id)
    return Register(with_images(base, images), with_ownership(base, owner))
