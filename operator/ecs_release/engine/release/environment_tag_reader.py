"""What method EnvironmentTag needs to know: where the tag points, whether it may be moved, and whom else it concerns."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from ecs_release.api.environment import Environment
from ecs_release.api.project import Project
from ecs_release.api.release import Release
from ecs_release.api.release_status import Pin, ReleaseStatus
from ecs_release.domain.artifacts.environment_tag import METHOD, Sharer, check_used, uses
from ecs_release.domain.artifacts.source import source_hash
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.request_annotations import pending
from ecs_release.domain.ecs.service import TaskDefinition
from ecs_release.domain.environments.rollout_policy import rules
from ecs_release.domain.environments.targets import Target, environment_tag, find_service
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.ports.protocols import Aws, Registry
from ecs_release.domain.rules.tag_return import owes_return
from ecs_release.domain.sets.facts import controller_of
from ecs_release.engine.release.memory import Memory
from ecs_release.engine.store.references import Places
from ecs_release.engine.store.store import ReleaseFacts


@dataclass(slots=True)
class TagReader:
    """Reads tags, and finds the Releases that share one."""

    places: Places
    aws: Aws
    interval_s: float

    async def read(self, facts: Facts, memory: Memory) -> Facts:
        """Add what is known of the environment's tag: read where something is about to be done, else now and then."""
        target = facts.target
        if target is None or facts.pin is None or not uses(target) or not target.environment_tag:
            return facts
        begins = _may_begin(facts, facts.pin)
        moves = attempts.intends(facts.status.rollout) == attempts.PUT
        rests = not attempts.is_open(facts.status.rollout)
        old = memory.tags_time is None or (rests and facts.now - memory.tags_time >= timedelta(seconds=self.interval_s))
        # What was read when the move was announced still holds, unless it is in doubt whether the move was made.
        if begins or old or (moves and memory.doubt_since is not None):
            try:
                memory.tags, memory.tags_time = await self._tags(target), facts.now
            except Problem as unread:
                return replace(facts, tags_problem=unread, start_problem=facts.start_problem or unread)
        facts = replace(facts, tags=memory.tags)
        if not (begins or moves) or facts.running is None:
            return facts
        problem = facts.start_problem or (await self._problem(target, facts.running) if begins else None)
        return replace(facts, start_problem=problem, sharers=await self._sharers(facts, target))

    def _registry(self, target: Target) -> Registry:
        return self.aws.registry(target.registry_access, target.registry_id, target.registry_region)

    async def _tags(self, target: Target) -> dict[str, str]:
        registry = self._registry(target)
        found = await asyncio.gather(*(registry.tag_digest(c.repository, target.environment_tag) for c in target.containers))
        return {c.name: digest for c, digest in zip(target.containers, found, strict=True)}

    async def _problem(self, target: Target, base: TaskDefinition) -> Problem | None:
        """Say why the tag cannot be moved, or would not be pulled."""
        registry = self._registry(target)
        try:
            check_used(base, target)
            repositories = {c.repository for c in target.containers}
            await asyncio.gather(*(registry.check_movable(r, target.environment_tag) for r in repositories))
        except Problem as problem:
            return problem
        return None

    async def _sharers(self, facts: Facts, target: Target) -> tuple[Sharer, ...]:
        """Find the other Releases whose services pull one of our repositories by the same tag, and what they want of it."""
        mine = {c.repository for c in target.containers}
        found: list[tuple[ReleaseFacts, dict[str, str]]] = []
        for other in self.places.store.releases.values():
            shared = self._shared(other, target, mine)
            if shared and str(other.key) != facts.name:
                found.append((other, shared))
        bodies = await asyncio.gather(*(self.places.cluster.get(other.key) for other, _ in found))
        owner = controller_of(facts.release)
        sharers: list[Sharer] = []
        for (other, shared), body in zip(found, bodies, strict=True):
            if body is None:
                continue
            release = Release.model_validate(body)
            its_owner = controller_of(release)
            same_set = owner is not None and its_owner is not None and owner.uid == its_owner.uid
            wanted = _wanted(release)
            sharers += [Sharer(str(other.key), repository, wanted.get(c, ""), same_set) for c, repository in shared.items()]
        return tuple(sharers)

    def _shared(self, other: ReleaseFacts, target: Target, mine: set[str]) -> dict[str, str]:
        """Return another Release's containers whose repository's tag is the very one that ours moves."""
        environment = self.places.store.environments.get(other.environment)
        project = self.places.store.project(other.key.namespace, other.project)
        if not isinstance(environment, Environment) or not isinstance(project, Project):
            return {}
        artifacts = environment.spec.artifacts
        tag = environment_tag(environment)
        registry = (artifacts.registry_id or environment.spec.aws.account_id, artifacts.region or environment.spec.aws.region)
        if tag != target.environment_tag or registry != (target.registry_id, target.registry_region):
            return {}
        try:
            _, service = find_service(project, other.service)
        except Problem:
            return {}
        if rules(environment.spec.rollout, service.rollout).method != METHOD:
            return {}
        return {c.name: c.repository for c in service.containers if c.repository in mine}


def _may_begin(facts: Facts, pin: Pin) -> bool:
    """Tell whether an attempt may begin now, or a tag is to be taken back."""
    rollout = facts.status.rollout
    if owes_return(rollout) or pending(facts.release, facts.status):
        return True
    return not attempts.is_settled(facts.status, pin) and not attempts.is_open(rollout)


def _wanted(release: Release) -> Mapping[str, Any]:
    """Return the digests that a Release wants by container, as far as they are resolved."""
    source = release.spec.source
    if source.images:
        return source.digests
    pin = (release.status or ReleaseStatus()).pin
    return attempts.digests(pin) if pin is not None and pin.source_hash == source_hash(source) else {}
