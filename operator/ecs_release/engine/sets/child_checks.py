"""What would refuse a Release in its wave, asked before the set's first wave by the functions that the Release's own pass uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ecs_release.api.environment import Environment
from ecs_release.api.names import RELEASE
from ecs_release.api.release import Release
from ecs_release.api.release_status import Pin, PinnedImage
from ecs_release.domain.artifacts import environment_tag
from ecs_release.domain.decision.facts import Facts, Limits, Place, Revisions, Seen
from ecs_release.domain.decision.holding import conflict, unknown_holder
from ecs_release.domain.decision.suspension import check_supported
from ecs_release.domain.drift.base_revision import follows_latest
from ecs_release.domain.ecs.service import Look, TaskDefinition
from ecs_release.domain.ecs.task_definitions import as_registered, check_buildable, newest_base, ownership
from ecs_release.domain.environments.claims import Claim
from ecs_release.domain.environments.targets import Target
from ecs_release.domain.model.errors import Waiting
from ecs_release.domain.model.parsing import read_object
from ecs_release.domain.ports.protocols import Aws, ObjectKey
from ecs_release.domain.sets.child_manifests import child_name, new_child
from ecs_release.domain.sets.facts import SetFacts
from ecs_release.engine.release.environment_tag_reader import TagReader
from ecs_release.engine.release.revision_reader import find_newest_foreign, made_by
from ecs_release.engine.store.references import References


@dataclass(slots=True)
class ChildChecks:
    """Asks for the Release of a service, which may not exist yet."""

    references: References
    aws: Aws
    tag_reader: TagReader
    installation: str

    async def check_holder(self, child: Facts) -> Facts:
        """Check that the Release would hold its service, whatever runs there; returns the facts with the claims. Raises Problem."""
        assert child.place.target is not None and child.revisions.running is not None
        check_supported(child)
        key = ObjectKey(RELEASE, child.release.metadata.namespace or "", child.release.metadata.name)
        claims = await self.references.contenders(child.place.target.key, key, ownership(child.revisions.running))
        if all(claim.release != child.name for claim in claims):
            claims = (*claims, Claim(child.now, child.name))
        child = replace(child, place=replace(child.place, claims=claims))
        problem = conflict(child) or unknown_holder(child)
        if problem is not None:
            raise problem
        return child

    async def check_start(self, child: Facts, images: Sequence[PinnedImage]) -> TaskDefinition:
        """Check that an attempt at other images than those that run could begin; returns what it would build on. Raises Problem."""
        target, running = child.place.target, child.revisions.running
        assert target is not None and running is not None
        if environment_tag.uses(target):
            await self._check_tag(child, target, running, images)
            return running
        base = running
        if follows_latest(child):
            foreign = await find_newest_foreign(self.aws.ecs(target.access), child)
            base = newest_base(running, foreign, self.installation)
        check_buildable(base, [i.container for i in images])
        return base

    async def _check_tag(self, child: Facts, target: Target, running: TaskDefinition, images: Sequence[PinnedImage]) -> None:
        refusal = await self.tag_reader.refusal(target, running)
        if refusal is not None:
            raise refusal
        problem = environment_tag.disagreement(target, Pin(images=list(images)), await self.tag_reader.sharers(child, target))
        # Those of the set agree once it has told them, and those that are not resolved yet may.
        if problem is not None and not isinstance(problem, Waiting):
            raise problem

    def facts_of(
        self, facts: SetFacts, service: str, environment: Environment, target: Target, look: Look, running: TaskDefinition
    ) -> Facts:
        """Return what is known of a service's Release: as it is or, if it is not there yet, as the set would make it."""
        there = facts.children.get(child_name(facts.release_set.metadata.name, service))
        release = there.release if there is not None else _unmade(facts, service)
        history = (release.status.history if release.status is not None else None) or ()
        return Facts(
            release=release,
            now=facts.now,
            limits=Limits(installation=self.installation, namespaces=self.references.namespaces.open),
            place=Place(environment, target),
            seen=Seen(look),
            revisions=Revisions(running=as_registered(running, made_by(history))),
        )


def _unmade(facts: SetFacts, service: str) -> Release:
    """Return a child that does not exist yet. Its source is resolved meanwhile, and nothing here depends on it."""
    body = new_child(facts.release_set, service, [], None)
    return read_object(Release, body | {"spec": body["spec"] | {"source": {"tag": "unresolved"}}})
