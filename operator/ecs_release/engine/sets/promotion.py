"""Promotion: what an environment's Releases want, provided that it is what runs there."""

from __future__ import annotations

import asyncio

from ecs_release.api.conditions import Reason
from ecs_release.api.project import Project
from ecs_release.api.release import Release
from ecs_release.api.source import Source
from ecs_release.domain.artifacts.source import pinned_source
from ecs_release.domain.model.errors import Blocked
from ecs_release.domain.ports.protocols import Cluster, ObjectKey
from ecs_release.domain.sets.promotion_proof import unproven
from ecs_release.engine.store.references import Places


class Promoter:
    """Looks up what runs in the environment that is promoted."""

    def __init__(self, places: Places, cluster: Cluster) -> None:
        """`places` knows which Releases go there."""
        self._places = places
        self._cluster = cluster

    async def source(self, project: Project, service: str, environment: str) -> Source:
        """Return a service's desired digests there as a source.

        Raises Blocked: TargetNotAllowed where that Environment does not admit the namespace, SourceNotReady where no Release of the
        service is Ready there with all its tasks on the wanted digests.
        """
        namespace = project.metadata.namespace or ""
        if why := await self._places.refused(self._places.environment(environment), project, namespace):
            raise Blocked(Reason.TARGET_NOT_ALLOWED, f"not promoted from {environment}: {why}")
        keys = [
            f.key
            for f in self._places.store.of_project(namespace, project.metadata.name)
            if (f.service, f.environment) == (service, environment)
        ]
        found = await asyncio.gather(*(self._release(key) for key in sorted(keys, key=str)))
        releases = [r for r in found if r is not None]
        proven = next((r for r in releases if not unproven(r)), None)
        if proven is None:
            why = unproven(releases[0]) if releases else "no Release of it goes there"
            raise Blocked(Reason.SOURCE_NOT_READY, f"not promoted from {environment}: {why}")
        return pinned_source(proven.status.pin if proven.status else None)

    async def _release(self, key: ObjectKey) -> Release | None:
        body = await self._cluster.get(key)
        return Release.model_validate(body) if body is not None else None
