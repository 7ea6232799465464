"""What a decision must know of the images that a Release needs, and what the loop that looks them up must know of the decision."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from ecs_release.api.names import RELEASE
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.artifacts.registry_images import Artifact, Finding, Presence
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.ports.protocols import Aws, ObjectKey
from ecs_release.domain.retention import image_availability as availability
from ecs_release.domain.retention import keep_tag as keep_tags
from ecs_release.domain.rules.new_attempt import may_begin
from ecs_release.engine.artifacts.image_catalog import Artifacts

_FRESH = timedelta(hours=1)


@dataclass(slots=True)
class Needs:
    """Stands between passes and `Artifacts`."""

    aws: Aws
    artifacts: Artifacts

    async def read(self, facts: Facts) -> Facts:
        """Add what is known of the images; where an attempt may begin now they are looked at once more, so that it is refused in time."""
        if facts.target is None or facts.pin is None or facts.running is None:
            return facts
        needed = availability.artifacts(facts.target, facts.pin, facts.status, facts.running)
        urgent = attempts.is_open(facts.status.rollout) or availability.is_in_question(facts.status)
        findings: Mapping[Artifact, Finding] = self.artifacts.need(_key(facts), needed, urgent=urgent)
        if may_begin(facts):
            fresh = await asyncio.gather(*(self._look(a, findings.get(a)) for a in needed if not a.former))
            self.artifacts.seen(a for a, f in fresh if f is not None and not availability.found_missing(f))
            findings = {**findings, **{a: f for a, f in fresh if f is not None}}
        return replace(facts, artifacts=needed, findings=findings, keep_problem=self._keep_problem(facts))

    def tell(self, facts: Facts, status: ReleaseStatus) -> None:
        """Tell which tags are to be held, as the decision has it. One that has just become Ready has them moved at once."""
        if facts.target is None:
            self.artifacts.forget(_key(facts))
            return
        last = status.last_ready.time if status.last_ready else None
        at_once = (last is not None and facts.now - last < _FRESH) or availability.is_in_question(facts.status)
        self.artifacts.hold(_key(facts), keep_tags.holds(facts, status), at_once=at_once)

    def _keep_problem(self, facts: Facts) -> str:
        """Say why the tag is not held; what is not known yet stays as it was said."""
        if facts.environment is None or not facts.environment.spec.artifacts.keep_tag:
            return ""
        problem = keep_tags.problem(facts) or self.artifacts.keep_problem(_key(facts))
        return availability.keep_problem_said(facts.status) if problem is None else problem

    async def _look(self, artifact: Artifact, known: Finding | None) -> tuple[Artifact, Finding | None]:
        """Look at one image now. What cannot be read refuses nothing: it was there when it was resolved."""
        place = artifact.repository
        registry = self.aws.registry(place.access, place.registry_id, place.region)
        try:
            if availability.found_missing(known):
                image = (await registry.images(place.name, [artifact.digest])).get(artifact.digest)
                there = image is not None and not image.archived
            else:
                there = await registry.image(place.name, digest=artifact.digest) is not None
        except Problem:
            return artifact, known
        if there:
            return artifact, known if known is not None and not availability.found_missing(known) else Finding(Presence.TAGGED)
        return artifact, known if availability.found_missing(known) else Finding(Presence.GONE)


def _key(facts: Facts) -> ObjectKey:
    return ObjectKey(RELEASE, facts.release.metadata.namespace or "", facts.release.metadata.name)
