"""Connects passes with the image catalog: findings for a decision, and the images and tags that follow from the decision."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from ecs_release.api.names import RELEASE
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.artifacts.registry_images import Finding, Presence, RequiredImage
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.facts import Facts, Images
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.ports.protocols import Aws, ObjectKey
from ecs_release.domain.retention import image_availability, keep_tag
from ecs_release.domain.rules.new_attempt import may_begin_now
from ecs_release.engine.artifacts.image_catalog import ImageCatalog

_FRESH = timedelta(hours=1)


@dataclass(slots=True)
class ImageRequirements:
    """Passes findings from `ImageCatalog` to decisions, and requirements back."""

    aws: Aws
    artifacts: ImageCatalog

    async def read(self, facts: Facts) -> Images:
        """Return what is known of the images. If an attempt may begin now they are looked up once more, so that it is refused in time."""
        if facts.place.target is None or facts.wanted.pin is None or facts.revisions.running is None:
            return Images()
        needed = image_availability.artifacts(facts.place.target, facts.wanted.pin, facts.status, facts.revisions.running)
        urgent = attempts.is_open(facts.status.rollout) or image_availability.is_in_question(facts.status)
        findings: Mapping[RequiredImage, Finding] = self.artifacts.require(_key(facts), needed, urgent=urgent)
        if may_begin_now(facts):
            fresh = await asyncio.gather(*(self._look(a, findings.get(a)) for a in needed if not a.former))
            self.artifacts.note_found(a for a, f in fresh if f is not None and not image_availability.found_missing(f))
            findings = {**findings, **{a: f for a, f in fresh if f is not None}}
        return Images(needed, findings, self._keep_problem(facts))

    def update(self, facts: Facts, status: ReleaseStatus) -> None:
        """Set the tags to keep, as decided. A Release that has just become Ready has them moved at once."""
        if facts.place.target is None:
            self.artifacts.forget(_key(facts))
            return
        last = status.last_ready.time if status.last_ready else None
        at_once = (last is not None and facts.now - last < _FRESH) or image_availability.is_in_question(facts.status)
        self.artifacts.hold(_key(facts), keep_tag.holds(facts, status), at_once=at_once)

    def _keep_problem(self, facts: Facts) -> str:
        """Return why the tag is not kept; while that is unknown, what the status says."""
        if facts.place.environment is None or not facts.place.environment.spec.artifacts.keep_tag:
            return ""
        problem = keep_tag.problem(facts) or self.artifacts.keep_problem(_key(facts))
        return image_availability.reported_keep_problem(facts.status) if problem is None else problem

    async def _look(self, artifact: RequiredImage, known: Finding | None) -> tuple[RequiredImage, Finding | None]:
        """Look up one image now. A failed read refuses nothing: the image was there when it was resolved."""
        repository = artifact.repository
        registry = self.aws.registry(repository.access, repository.registry_id, repository.region)
        try:
            if image_availability.found_missing(known):
                image = (await registry.images(repository.name, [artifact.digest])).image(artifact.digest)
                there = image is not None and not image.archived
            else:
                there = await registry.image(repository.name, digest=artifact.digest) is not None
        except Problem:
            return artifact, known
        if there:
            return artifact, known if known is not None and not image_availability.found_missing(known) else Finding(Presence.TAGGED)
        return artifact, known if image_availability.found_missing(known) else Finding(Presence.GONE)


def _key(facts: Facts) -> ObjectKey:
    return ObjectKey(RELEASE, facts.release.metadata.namespace or "", facts.release.metadata.name)
