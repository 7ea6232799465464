"""Gathering for a ReleaseSet: its services, its children as they are now and, for a new source, everything that it means."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from ecs_release.api.environment import Environment
from ecs_release.api.names import LABEL_RELEASE_SET, REFRESH_ANNOTATION, RELEASE
from ecs_release.api.project import Project, Service
from ecs_release.api.release import Release
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.domain.artifacts.environment_tag import METHOD
from ecs_release.domain.artifacts.source import digests_of
from ecs_release.domain.decision.request_annotations import token_of
from ecs_release.domain.environments.rollout_policy import rules
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.ports.protocols import Clock, Cluster, ObjectKey
from ecs_release.domain.sets.child_manifests import child_name
from ecs_release.domain.sets.child_state import LEFT
from ecs_release.domain.sets.facts import Child, Resolved, SetFacts
from ecs_release.domain.sets.pins import check_spec, first_wave_is_due, together
from ecs_release.engine.runtime.attempt_ids import new_id
from ecs_release.engine.runtime.settings import EngineSettings
from ecs_release.engine.sets.resolver import Pinner
from ecs_release.engine.store.references import Places

_STANDS_S = 60.0


@dataclass(slots=True)
class SetGatherer:
    """Reads what decisions about sets need."""

    places: Places
    cluster: Cluster
    clock: Clock
    settings: EngineSettings
    pinner: Pinner

    async def gather(self, release_set: ReleaseSet) -> SetFacts:
        """Gather for one set. Raises Problem only where the API server cannot be read."""
        now, namespace = self.clock.now(), release_set.metadata.namespace or ""
        facts = SetFacts(release_set=release_set, now=now, new_id=new_id(now), retry_s=self.settings.retry_interval_s)
        facts = replace(facts, children=await self._children(release_set, [s.name for s in facts.status.services or ()]))
        spec = release_set.spec
        try:
            environment = self.places.environment(spec.environment_ref.name)
            project = self.places.project(namespace, spec.project_ref.name)
            services = self.places.service_set(project, spec.service_set).services
            there = [s.name for s in services]
            check_spec(spec, there)
        except Problem as problem:
            return replace(facts, problem=problem)
        members = tuple(name for name in there if spec.services is None or name in spec.services)
        settle_s = {s.name: float(rules(environment.spec.rollout, s.rollout).settle_s) for s in services}
        interval_s = float(environment.spec.observation.interval_seconds)
        observed_only = environment.spec.mode == "Observe"
        together = sharing(environment, services, members)
        facts = replace(facts, together=together, members=members, settle_s=settle_s, observed_only=observed_only, interval_s=interval_s)
        facts = replace(facts, children=facts.children | await self._named(facts, members))
        stands_s = min(_STANDS_S, self.settings.artifact_interval_s)
        if not _must_resolve(facts):
            return replace(facts, lost=await self.pinner.lost(facts, environment, project)) if first_wave_is_due(facts, stands_s) else facts
        return await self._resolve(facts, environment, project)

    async def _resolve(self, facts: SetFacts, environment: Environment, project: Project) -> SetFacts:
        resolved = await self.pinner.pin(facts.release_set, environment, project, facts.members, facts.now)
        return replace(
            facts, now=self.clock.now(), resolved=resolved, resolve_problem=together(resolved), refreshed=_differs(facts, resolved)
        )

    async def _children(self, release_set: ReleaseSet, known: list[str]) -> dict[str, Child]:
        """List the children by their label, and those known ones that somebody took the label from."""
        namespace, name = release_set.metadata.namespace or "", release_set.metadata.name
        listed = await self.cluster.labelled(RELEASE, namespace, LABEL_RELEASE_SET, name)
        children = {child.name: child for child in (Child(Release.model_validate(body), body) for body in listed)}
        return children | await self._read(namespace, [child_name(name, s) for s in known], children)

    async def _named(self, facts: SetFacts, members: tuple[str, ...]) -> dict[str, Child]:
        """Read the Releases that have the names of children that are not there yet: they may be somebody else's."""
        meta = facts.release_set.metadata
        return await self._read(meta.namespace or "", [child_name(meta.name, s) for s in members], facts.children)

    async def _read(self, namespace: str, names: list[str], known: dict[str, Child] | object) -> dict[str, Child]:
        # Only those that the watch has told of: what it has not yet told of is found when its name turns out to be taken.
        keys = [ObjectKey(RELEASE, namespace, n) for n in names if n not in known]  # type: ignore[operator]
        bodies = await asyncio.gather(*(self.cluster.get(key) for key in keys if key in self.places.store.releases))
        return {child.name: child for child in (Child(Release.model_validate(b), b) for b in bodies if b is not None)}


def sharing(environment: Environment, services: list[Service], members: tuple[str, ...]) -> tuple[frozenset[str], ...]:
    """Group the services whose images are named by one and the same environment tag: of one repository, by method EnvironmentTag."""
    tagged = [s for s in services if s.name in members and rules(environment.spec.rollout, s.rollout).method == METHOD]
    groups: list[tuple[set[str], set[str]]] = []
    for service in tagged:
        names, repositories = {service.name}, {c.repository for c in service.containers}
        joined = [g for g in groups if g[1] & repositories]
        groups = [g for g in groups if g not in joined]
        groups.append((names.union(*(g[0] for g in joined)), repositories.union(*(g[1] for g in joined))))
    return tuple(frozenset(names) for names, _ in groups if len(names) > 1)


def _must_resolve(facts: SetFacts) -> bool:
    status = facts.status
    refresh = token_of(facts.release_set.metadata, REFRESH_ANNOTATION)
    return status.source_hash != facts.wanted_hash or (refresh is not None and refresh != status.last_handled_refresh)


def _differs(facts: SetFacts, resolved: tuple[Resolved, ...]) -> bool:
    """Tell whether a fresh resolution means anything else than the pins."""
    pinned = {s.name: digests_of(s.images) for s in facts.status.services or () if s.state != LEFT}
    return pinned != {r.service: digests_of(r.images) for r in resolved}
