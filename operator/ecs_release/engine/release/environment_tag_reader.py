"""Reading what method EnvironmentTag depends on: where the tag points, whether it may be moved, and which Releases share it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ecs_release.api.environment import Environment
from ecs_release.api.project import Project
from ecs_release.api.release import Release
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.artifacts.environment_tag import METHOD, Sharer, check_used, uses
from ecs_release.domain.artifacts.source import source_hash
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.due import may_begin
from ecs_release.domain.decision.facts import Facts, Tags
from ecs_release.domain.ecs.service import TaskDefinition
from ecs_release.domain.environments.claims import Admission
from ecs_release.domain.environments.rollout_policy import rollout_policy
from ecs_release.domain.environments.targets import Target, environment_tag, find_service
from ecs_release.domain.model.errors import Blocked, Problem
from ecs_release.domain.model.parsing import read_object
from ecs_release.domain.ports.protocols import Aws, ObjectKey, Registry
from ecs_release.domain.rules.tag_return import owes_return
from ecs_release.domain.sets.facts import controller_of
from ecs_release.engine.release.memory import Memory
from ecs_release.engine.store.references import References
from ecs_release.engine.store.store import ReleaseFacts

_AT_ONCE = 8


@dataclass(slots=True)
class TagReader:
    """Reads tags, and finds the Releases that share one."""

    references: References
    aws: Aws
    interval_s: float

    async def read(self, facts: Facts, memory: Memory) -> Tags:
        """Return what is known of the environment's tag. It is read if something is about to be done, else now and then."""
        target = facts.place.target
        if target is None or facts.wanted.pin is None or not uses(target) or not target.environment_tag:
            return Tags()
        begins = owes_return(facts.status.rollout) or may_begin(facts.release, facts.wanted.pin, may_correct=facts.permission.may_correct)
        moves = attempts.intended_action(facts.status.rollout) == attempts.PUT
        rests = not attempts.is_open(facts.status.rollout)
        old = memory.tags_time is None or (rests and facts.now - memory.tags_time >= timedelta(seconds=self.interval_s))
        # What was read when the move was announced still holds, unless it is in doubt whether the move was made.
        if begins or old or (moves and memory.doubt_since is not None):
            try:
                memory.tags, memory.tags_time = await self._tags(target), facts.now
            except Problem as unread:
                # Where it pointed is still the best that is known, unless something is about to be done by it.
                return Tags(None if begins or moves else memory.tags, problem=unread)
        running = facts.revisions.running
        if not (begins or moves) or running is None:
            return Tags(memory.tags)
        refusal = await self.refusal(target, running) if begins and facts.revisions.problem is None else None
        return Tags(memory.tags, refusal=refusal, sharers=await self.sharers(facts, target))

    def _registry(self, target: Target) -> Registry:
        return self.aws.registry(target.registry_access, target.registry_id, target.registry_region)

    async def _tags(self, target: Target) -> dict[str, str]:
        registry = self._registry(target)
        found = await asyncio.gather(*(registry.tag_digest(c.repository, target.environment_tag) for c in target.containers))
        return {c.name: digest for c, digest in zip(target.containers, found, strict=True)}

    async def refusal(self, target: Target, base: TaskDefinition) -> Problem | None:
        """Return why the tag cannot be moved, or would not be pulled."""
        registry = self._registry(target)
        try:
            check_used(base, target)
            repositories = {c.repository for c in target.containers}
            await asyncio.gather(*(registry.check_movable(r, target.environment_tag) for r in repositories))
        except Problem as problem:
            return problem
        return None

    async def sharers(self, facts: Facts, target: Target) -> tuple[Sharer, ...]:
        """Find the other Releases whose services pull one of our repositories by the same tag, and what they want of it."""
        mine = {c.repository for c in target.containers}
        store, admission = self.references.store, self.references.claims.admission
        services = {service for repository in mine for service in store.services_using(repository)}
        others = (other for service in services for other in store.of_service(*service) if str(other.key) != facts.name)
        # Anybody may name a repository: those that are refused are not looked at any further.
        may_act = (other for other in others if admission(other.key) is not Admission.REFUSED)
        found = [(other, shared) for other in may_act if (shared := self._shared(other, target, mine))]
        await self.references.read_unknown({other.key.namespace for other, _ in found})
        found = [(other, shared) for other, shared in found if admission(other.key) is not Admission.REFUSED]
        bodies = await self._read([other.key for other, _ in found])
        owner = controller_of(facts.release)
        sharers: list[Sharer] = []
        for (other, shared), body in zip(found, bodies, strict=True):
            if body is None:
                continue
            try:
                release = read_object(Release, body)
            except Blocked:
                continue  # It cannot act, and holds up nobody else.
            its_owner = controller_of(release)
            same_set = owner is not None and its_owner is not None and owner.uid == its_owner.uid
            wanted = _wanted(release)
            known = self.references.claims.admission(other.key) is Admission.ADMITTED
            sharers += [Sharer(str(other.key), repository, wanted.get(c, ""), same_set, known) for c, repository in shared.items()]
        return tuple(sharers)

    async def _read(self, keys: list[ObjectKey]) -> list[Mapping[str, Any] | None]:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(key: ObjectKey) -> Mapping[str, Any] | None:
            async with gate:
                return await self.references.cluster.get(key)

        return await asyncio.gather(*(one(key) for key in keys))

    def _shared(self, other: ReleaseFacts, target: Target, mine: set[str]) -> dict[str, str]:
        """Return another Release's containers whose repository's tag is the very one that ours moves."""
        environment = self.references.store.environments.get(other.environment)
        project = self.references.store.project(other.key.namespace, other.project)
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
        if rollout_policy(environment.spec.rollout, service.rollout).method != METHOD:
            return {}
        return {c.name: c.repository for c in service.containers if c.repository in mine}


def _wanted(release: Release) -> Mapping[str, Any]:
    """Return the digests that a Release wants by container, as far as they are resolved."""
    source = release.spec.source
    if source.images:
        return source.digests
    pin = (release.status or ReleaseStatus()).pin
    return attempts.digests(pin) if pin is not None and pin.source_hash == source_hash(source) else {}
