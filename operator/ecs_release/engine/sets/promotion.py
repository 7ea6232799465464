"""Promotion: the digests that the Releases of an Environment want, provided that they run there."""

from __future__ import annotations

import asyncio

from ecs_release.api.conditions import Reason
from ecs_release.api.project import Project
from ecs_release.api.release import Release
from ecs_release.api.source import Source
from ecs_release.domain.artifacts.source import pinned_source
from ecs_release.domain.model.errors import Blocked
from ecs_release.domain.model.parsing import read_object
from ecs_release.domain.ports.protocols import Cluster, ObjectKey
from ecs_release.domain.promotion.proof import why_unproven
from ecs_release.engine.store.references import References


class PromotionResolver:
    """Resolves sources that promote from another Environment."""

    def __init__(self, references: References, cluster: Cluster) -> None:
        """`references` finds the Releases of that Environment."""
        self._references = references
        self._cluster = cluster

    async def source(self, project: Project, service: str, environment: str) -> Source:
        """Return a service's desired digests there as a source.

        Raises Blocked: TargetNotAllowed if that Environment does not admit the namespace, SourceNotReady if no Release of the
        service is Ready there with all its tasks on the wanted digests, InvalidSpec if one cannot be read.
        """
        namespace = project.metadata.namespace or ""
        if why := await self._references.refusal(self._references.environment(environment), namespace):
            raise Blocked(Reason.TARGET_NOT_ALLOWED, f"not promoted from {environment}: {why}")
        its_releases = self._references.store.of_service(namespace, project.metadata.name, service)
        keys = [f.key for f in its_releases if f.environment == environment]
        found = await asyncio.gather(*(self._release(key) for key in sorted(keys, key=str)))
        releases = [r for r in found if r is not None]
        proven = next((r for r in releases if not why_unproven(r)), None)
        if proven is None:
            why = why_unproven(releases[0]) if releases else "no Release of it goes there"
            raise Blocked(Reason.SOURCE_NOT_READY, f"not promoted from {environment}: {why}")
        return pinned_source(proven.status.pin if proven.status else None)

    async def _release(self, key: ObjectKey) -> Release | None:
        body = await self._cluster.get(key)
        return read_object(Release, body) if body is not None else None
