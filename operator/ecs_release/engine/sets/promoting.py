"""Promotion: what an environment's Releases want, provided that it is what runs there."""

from __future__ import annotations

import asyncio

from ecs_release.api.artifacts import Source
from ecs_release.api.conditions import ConditionType, Reason
from ecs_release.api.project import Project
from ecs_release.api.release import Release
from ecs_release.domain.conditions import TRUE, find
from ecs_release.domain.errors import Blocked
from ecs_release.domain.ports import Cluster, ObjectKey
from ecs_release.domain.sources import pinned_source
from ecs_release.engine.places import Places


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
        if not await self._places.allows(self._places.environment(environment), project, namespace):
            raise Blocked(
                Reason.TARGET_NOT_ALLOWED,
                f"Environment {environment!r}, which is promoted, does not allow namespace {namespace!r}: ask its owner",
            )
        keys = [
            f.key
            for f in self._places.store.of_project(namespace, project.metadata.name)
            if (f.service, f.environment) == (service, environment)
        ]
        found = await asyncio.gather(*(self._release(key) for key in sorted(keys, key=str)))
        releases = [r for r in found if r is not None]
        proven = next((r for r in releases if not _unproven(r)), None)
        if proven is None:
            why = _unproven(releases[0]) if releases else "no Release of it goes there"
            raise Blocked(Reason.SOURCE_NOT_READY, f"not promoted from {environment}: {why}")
        return pinned_source(proven.status.pin if proven.status else None)

    async def _release(self, key: ObjectKey) -> Release | None:
        body = await self._cluster.get(key)
        return Release.model_validate(body) if body is not None else None


def _unproven(release: Release) -> str:
    """Say why a Release proves nothing: an empty string where it is Ready, and every running task shows its digests."""
    status, name = release.status, release.metadata.name
    if status is None or status.pin is None or status.observed_generation != release.metadata.generation:
        return f"Release {name} is not up to date"
    ready, in_sync = find(status.conditions, ConditionType.READY), find(status.conditions, ConditionType.IN_SYNC)
    if ready is None or ready.status != TRUE:
        return f"Release {name} is not Ready ({ready.reason if ready else 'no condition'}: {ready.message if ready else ''})"
    if in_sync is None or in_sync.status != TRUE:
        return f"what Release {name} wants is not proven to run ({in_sync.reason if in_sync else 'no condition'})"
    return ""
