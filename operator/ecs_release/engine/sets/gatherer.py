"""Gathers the facts of a ReleaseSet: its services, its children as they are now and, for a new source, the resolved images."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ecs_release.api.environment import Environment
from ecs_release.api.names import LABEL_RELEASE_SET, REFRESH_ANNOTATION, RELEASE, RELEASE_SET
from ecs_release.api.project import Project, Service
from ecs_release.api.release import Release
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.domain.artifacts.environment_tag import METHOD
from ecs_release.domain.artifacts.source import digests_of
from ecs_release.domain.decision.request_annotations import refused, token_of, without
from ecs_release.domain.environments.rollout_policy import rollout_policy
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.model.parsing import read_object
from ecs_release.domain.ports.protocols import Clock, Cluster, ObjectKey
from ecs_release.domain.sets import commit_gate
from ecs_release.domain.sets.child_manifests import child_name
from ecs_release.domain.sets.child_state import LEFT
from ecs_release.domain.sets.facts import Child, Resolved, SetFacts
from ecs_release.domain.sets.pins import check_spec, combined_problem, first_wave_is_due
from ecs_release.domain.sets.window_gate import awaits_window
from ecs_release.engine.artifacts.commit_graph import CommitGraph, repository_of
from ecs_release.engine.runtime.attempt_ids import new_id
from ecs_release.engine.runtime.settings import EngineSettings
from ecs_release.engine.sets.resolver import SetResolver
from ecs_release.engine.store.references import References

_STANDS_S = 60.0
_STEP = 8
_MOST_REFUSED = 1000
_MOST = 200
"""Children that are listed at most; a set has fifty services, and those that have left it. More are read by name."""


class RefusedSources:
    """What sets were resolved to lately, that the commit graph may have refused."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._known: OrderedDict[str, tuple[object, float, tuple[Resolved, ...]]] = OrderedDict()

    def of(self, uid: str, asked: object, now: float) -> tuple[Resolved, ...] | None:
        """Return what a set was resolved to, if it asks for the same still; None if it is to be resolved anew."""
        known = self._known.get(uid)
        return known[2] if known is not None and known[0] == asked and known[1] > now else None

    def keep(self, uid: str, asked: object, resolved: tuple[Resolved, ...], until: float) -> None:
        """Keep what a set was resolved to, until a time of the monotonic clock."""
        self._known[uid] = (asked, until, resolved)
        self._known.move_to_end(uid)
        while len(self._known) > _MOST_REFUSED:
            self._known.popitem(last=False)


@dataclass(slots=True)
class SetGatherer:
    """Reads what decisions about sets need."""

    references: References
    cluster: Cluster
    clock: Clock
    settings: EngineSettings
    set_resolver: SetResolver
    commit_graph: CommitGraph
    refused: RefusedSources = field(default_factory=RefusedSources)

    async def gather(self, release_set: ReleaseSet) -> SetFacts:
        """Gather for one set. Raises Problem only if the API server, or a child, cannot be read."""
        now, namespace = self.clock.now(), release_set.metadata.namespace or ""
        facts = SetFacts(release_set=release_set, now=now, new_id=new_id(now), retry_s=self.settings.retry_interval_s)
        facts = replace(facts, children=await self._children(release_set, [s.name for s in facts.status.services or ()]))
        spec = release_set.spec
        try:
            environment = self.references.environment(spec.environment_ref.name)
            project = self.references.project(namespace, spec.project_ref.name)
            services = self.references.service_set(project, spec.service_set).services
            there = [s.name for s in services]
            check_spec(spec, there)
        except Problem as problem:
            return replace(facts, problem=problem)
        requests = refused(environment, release_set.metadata, facts.status)
        asked = release_set.model_copy(update={"metadata": without(release_set.metadata, requests)})
        facts = replace(facts, release_set=asked, refused_requests=requests)
        members = tuple(name for name in there if spec.services is None or name in spec.services)
        policies = {s.name: rollout_policy(environment.spec.rollout, s.rollout) for s in services}
        interval_s = float(environment.spec.observation.interval_seconds)
        observed_only = environment.spec.mode == "Observe"
        tag_groups = sharing(environment, services, members)
        facts = replace(
            facts,
            tag_groups=tag_groups,
            members=members,
            settle_s={name: float(policy.settle_s) for name, policy in policies.items()},
            deadline_s={name: float(policy.progress_deadline_s) for name, policy in policies.items()},
            observed_only=observed_only,
            interval_s=interval_s,
            commit_rules=environment.spec.commits if environment.spec.commits and environment.spec.commits.are_asked else None,
        )
        facts = replace(facts, children=facts.children | await self._named(facts, members))
        stands_s = min(_STANDS_S, self.settings.artifact_interval_s)
        if not _must_resolve(facts):
            facts = await self._with_commits(facts, environment, project)
            if not first_wave_is_due(facts, stands_s):
                return facts
            return replace(facts, start_problem=await self.set_resolver.start_problem(facts, environment, project))
        return await self._with_commits(await self._resolve(facts, environment, project), environment, project)

    async def _with_commits(self, facts: SetFacts, environment: Environment, project: Project) -> SetFacts:
        """Ask the commit graph about what was resolved just now or, before the first wave, some time ago."""
        if facts.commit_rules is None or facts.resolve_problem is not None or facts.observed_only:
            return facts
        if facts.resolved is None:
            if not first_wave_is_due(facts, 0.0):
                return facts
            facts = replace(facts, asks_commits=True)
        asked = commit_gate.asked(facts, facts.resolved if facts.resolved is not None else commit_gate.pinned(facts))
        meta = facts.release_set.metadata
        key = ObjectKey(RELEASE_SET, meta.namespace or "", meta.name)
        return replace(facts, commits=await self.commit_graph.answers(key, repository_of(environment, project), asked))

    async def _resolve(self, facts: SetFacts, environment: Environment, project: Project) -> SetFacts:
        resolved = await self._pinned(facts, environment, project)
        facts = replace(facts, now=self.clock.now(), resolved=resolved, resolve_problem=combined_problem(resolved))
        return replace(facts, refreshed=_differs(facts, resolved), awaits_window=awaits_window(facts, environment, resolved))

    async def _pinned(self, facts: SetFacts, environment: Environment, project: Project) -> tuple[Resolved, ...]:
        """Resolve a set. If it may not begin with that at once, it stands for an interval: each event of its children brings a pass."""
        release_set, now = facts.release_set, self.clock.monotonic()
        asked = (facts.wanted_hash, release_set.metadata.generation, token_of(release_set.metadata, REFRESH_ANNOTATION), facts.members)
        known = self.refused.of(release_set.metadata.uid, asked, now)
        if known is not None:
            return known
        resolved = await self.set_resolver.pin(facts, environment, project)
        if combined_problem(resolved) is None and (facts.commit_rules is not None or _may_wait(facts, environment, resolved)):
            self.refused.keep(release_set.metadata.uid, asked, resolved, now + facts.interval_s)
        return resolved

    async def _children(self, release_set: ReleaseSet, known: list[str]) -> dict[str, Child]:
        """List the children by their label, and those known ones whose label somebody has removed."""
        namespace, name = release_set.metadata.namespace or "", release_set.metadata.name
        listed = await self.cluster.list_labelled(RELEASE, namespace, LABEL_RELEASE_SET, name, most=_MOST)
        # Anybody who may write Releases may give them the label: what no service of the set has as its child is not parsed.
        names = [child_name(name, s) for s in known]
        children = await _parsed([b for b in listed or () if b["metadata"]["name"] in names])
        return children | await self._read(namespace, names, children)

    async def _named(self, facts: SetFacts, members: tuple[str, ...]) -> dict[str, Child]:
        """Read the Releases that have the names of missing children: they may be somebody else's."""
        meta = facts.release_set.metadata
        return await self._read(meta.namespace or "", [child_name(meta.name, s) for s in members], facts.children)

    async def _read(self, namespace: str, names: list[str], known: dict[str, Child] | object) -> dict[str, Child]:
        # Only those in the store: others are found when creating them fails because the name is taken.
        keys = [ObjectKey(RELEASE, namespace, n) for n in names if n not in known]  # type: ignore[operator]
        there = [key for key in keys if key in self.references.store.releases]
        found: list[Mapping[str, Any] | None] = []
        for step in range(0, len(there), _STEP):
            found += await asyncio.gather(*(self.cluster.get(key) for key in there[step : step + _STEP]))
        return await _parsed([body for body in found if body is not None])


async def _parsed(bodies: list[Mapping[str, Any]]) -> dict[str, Child]:
    """Parse children in steps: other passes go on in between."""
    children: dict[str, Child] = {}
    for number, body in enumerate(bodies, start=1):
        child = Child(read_object(Release, body), body)
        children[child.name] = child
        if number % _STEP == 0:
            await asyncio.sleep(0)
    return children


def sharing(environment: Environment, services: list[Service], members: tuple[str, ...]) -> tuple[frozenset[str], ...]:
    """Group the services whose images are named by one and the same environment tag: of one repository, by method EnvironmentTag."""
    tagged = [s for s in services if s.name in members and rollout_policy(environment.spec.rollout, s.rollout).method == METHOD]
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


def _may_wait(facts: SetFacts, environment: Environment, resolved: tuple[Resolved, ...]) -> bool:
    """Return whether a set may have to wait with what it was resolved to for what is under way."""
    current = facts.status.history[0] if facts.status.history else None
    is_held = facts.suspension is not None or facts.observed_only or awaits_window(facts, environment, resolved)
    return is_held and current is not None and not current.outcome


def _differs(facts: SetFacts, resolved: tuple[Resolved, ...]) -> bool:
    """Return whether a fresh resolution differs from the pins."""
    pinned = {s.name: digests_of(s.images) for s in facts.status.services or () if s.state != LEFT}
    return pinned != {r.service: digests_of(r.images) for r in resolved}
