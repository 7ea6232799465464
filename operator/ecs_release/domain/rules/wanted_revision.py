"""The revision that an attempt deploys: registered anew, or one of ours that has the very content already."""

from __future__ import annotations

from ecs_release.api.names import TAG_BASE
from ecs_release.api.release_status import Rollout
from ecs_release.domain.decision.decision import Draft, Register
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ecs.service import TaskDefinition
from ecs_release.domain.ecs.task_definitions import Ownership, base_number, own_tags, ownership, pinned_name, with_images, with_ownership


def wanted_revision(facts: Facts, draft: Draft, rollout: Rollout) -> Register:
    """Build the revision on its base: other images in the listed containers, our own tags, nothing else (law 8).

    The base is the one that the service runs or, with baseRevision Latest, the newest that is not ours. Raises Blocked if it has no
    such container, holds what we cannot read, or has too many tags.
    """
    base, pin, target = facts.revisions.base or facts.revisions.running, draft.pin, facts.place.target
    assert base is not None and pin is not None and target is not None
    repositories = {c.name: c.repository for c in target.containers}
    images = {
        i.container: pinned_name(base, i.container, repositories[i.container], i.digest or "", target.registry_host)
        for i in pin.images or ()
        if i.container in repositories
    }
    owner = Ownership(
        facts.limits.installation, facts.name, rollout.source_hash or "", rollout.attempt_id, base_number(base, facts.limits.installation)
    )
    content = with_images(base, images)
    return Register(content, with_ownership(base, owner, content))


def reusable(facts: Facts, wanted: Register, rollout: Rollout) -> TaskDefinition | None:
    """Find a revision of this Release's, made for this very source, that has the wanted content already and is ACTIVE.

    RegisterTaskDefinition is AWS's tightest limit (ECS API reference, "Request throttling": one a second). One of another source is not
    used, though its content be the same: its tags would name the wrong source after a loss of status. Nor is one of another base,
    which would look outdated for ever.
    """
    base = facts.revisions.base or facts.revisions.running
    mine = (facts.limits.installation, facts.name, rollout.source_hash)
    for revision in facts.revisions.earlier:
        owner = ownership(revision)
        if owner is None or (owner.installation, owner.release, owner.source) != mine or revision.status != "ACTIVE":
            continue
        same_tags = base is not None and own_tags(revision) == own_tags(base) and owner.base == wanted.tags.get(TAG_BASE, "")
        if same_tags and revision.content == wanted.content and not revision.unknown_fields:
            return revision
    return None
