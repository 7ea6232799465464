"""Reads what runs in the Environment that a Release is promoted from: its Release there, if that may be ahead.

It may belong to another shard, whose operator writes its status: the watch has told of it, and the API server has it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ecs_release.api.conditions import Reason
from ecs_release.api.project import Project
from ecs_release.api.release import Release
from ecs_release.domain.decision.facts import Facts, Upstream, UpstreamState
from ecs_release.domain.model.errors import Problem, Retryable
from ecs_release.domain.model.parsing import read_object
from ecs_release.domain.ports.commits import Repository
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.domain.promotion import overdue
from ecs_release.domain.promotion.proof import why_unproven
from ecs_release.engine.artifacts.commit_graph import CommitGraph
from ecs_release.engine.store.references import References


@dataclass(frozen=True, slots=True)
class UpstreamReader:
    """Finds the Release of a service in another Environment, and asks how its commits stand to those here."""

    references: References
    commit_graph: CommitGraph

    async def read(self, key: ObjectKey, facts: Facts) -> Upstream:
        """Read what runs there. Never raises Problem. At rest nothing is read: what both prove is in the store."""
        rule = facts.place.environment.spec.promotion if facts.place.environment is not None else None
        here = self.references.store.releases.get(key)
        if rule is None or here is None:
            return Upstream()
        its_releases = self.references.store.of_service_in(rule.from_.name, key.namespace, here.project, here.service)
        found = [f for f in its_releases if f.key != key]
        if not found:
            return Upstream()
        # Of several that claim one service, only the one that holds it proves anything.
        there = min(found, key=lambda f: (not f.proven, not f.in_flight, str(f.key)))
        if not there.proven:
            is_unknown = there.in_flight or there.reason == Reason.OBSERVATION_FAILED
            return Upstream(UpstreamState.MOVING if is_unknown else UpstreamState.UNPROVEN)
        if there.proven == here.proven:
            return Upstream(UpstreamState.LEVEL)
        return await self._compared(key, facts, there.key)

    async def _compared(self, key: ObjectKey, facts: Facts, its_key: ObjectKey) -> Upstream:
        try:
            body = await self.references.cluster.get(its_key)
            release = read_object(Release, body) if body is not None else None
            project = self.references.project(key.namespace, facts.release.spec.project_ref.name)
        except Retryable:
            return Upstream(UpstreamState.UNREAD)
        except Problem:
            return Upstream(UpstreamState.UNPROVEN)
        if release is None or why_unproven(release):
            # The watch is about to tell so.
            return Upstream(UpstreamState.UNREAD)
        upstream = Upstream(UpstreamState.PROVEN, release)
        asked = overdue.questions(replace(facts, upstream=upstream))
        answers = await self.commit_graph.answers(key, _repository(facts, project), asked)
        return replace(upstream, relations=answers)


def _repository(facts: Facts, project: Project) -> Repository | None:
    """Return where the Project's commits are: how two of them stand to each other is the same on any branch."""
    if facts.place.repository is not None:
        return facts.place.repository
    git = project.spec.git
    return Repository(project.metadata.namespace or "", git.url, git.branch) if git is not None else None
