"""Looking artifacts up in ECR: from what a source says to digests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime

from ecs_release.api.conditions import Reason
from ecs_release.api.release_status import Pin, PinnedImage
from ecs_release.api.source import Source
from ecs_release.domain.artifacts.source import Lookup, hash_of_tags, lookups, source_hash
from ecs_release.domain.ecs.service import RegistryImage
from ecs_release.domain.environments.targets import Target
from ecs_release.domain.model.errors import Blocked, Waiting
from ecs_release.domain.model.image_names import EcrHost, short_digest
from ecs_release.domain.ports.protocols import Aws, Registry
from ecs_release.engine.artifacts.hash_index import Hashes


class Resolver:
    """Resolves sources, and names digests by the release hash that their tags tell."""

    def __init__(self, aws: Aws) -> None:
        """It remembers which hash a digest has."""
        self._aws = aws
        self._hashes = Hashes(aws)

    async def resolve(self, source: Source, target: Target, now: datetime) -> Pin:
        """Resolve a source. Raises Problem: ArtifactNotFound names all that is missing."""
        wanted = lookups(source, target.containers, target.tag_formats)
        registry = self._registry(target)
        found = await asyncio.gather(*(self._find(registry, lookup, target) for lookup in wanted), return_exceptions=True)
        problems = [f for f in found if isinstance(f, BaseException)]
        if problems:
            raise _together(problems)
        images = [image for image in found if isinstance(image, PinnedImage)]
        return Pin(source_hash=source_hash(source), resolved_time=now, images=images)

    async def check_replicated(self, target: Target, host: EcrHost | None, image: PinnedImage, repository: str) -> None:
        """Check that an image is where the service pulls from. Raises Waiting(AwaitingReplication)."""
        if host is None or (host.account, host.region) == (target.registry_id, target.registry_region):
            return
        registry = self._aws.registry(target.access, host.account, host.region)
        if await registry.image(repository, digest=image.digest or "") is None:
            raise Waiting(
                Reason.AWAITING_REPLICATION,
                f"image {repository}@{short_digest(image.digest or '')} of container {image.container} is not in {host.host}, where the"
                " service pulls from: replicate it there",
            )

    async def image(self, target: Target, repository: str, digest: str) -> RegistryImage | None:
        """Find an image where artifacts are looked up; None where the registry does not have it (any more)."""
        return await self._registry(target).image(repository, digest=digest)

    async def hashes(self, target: Target, digests: Iterable[tuple[str, str]], known: Mapping[str, str]) -> dict[str, str]:
        """Name digests by release hash: pairs of repository and digest. What cannot be told is left out."""
        return await self._hashes.of(target, digests, known)

    def _registry(self, target: Target) -> Registry:
        return self._aws.registry(target.registry_access, target.registry_id, target.registry_region)

    async def _find(self, registry: Registry, lookup: Lookup, target: Target) -> PinnedImage:
        image, tag = await _look_up(registry, lookup)
        if image is None:
            names = " nor ".join(lookup.tags) if lookup.tags else short_digest(lookup.digest)
            raise Blocked(
                Reason.ARTIFACT_NOT_FOUND,
                f"repository {lookup.repository!r} of registry {target.registry_id} in {target.registry_region} has no image"
                f" {names} (container {lookup.container}): push it, or correct the source",
            )
        return PinnedImage(
            container=lookup.container,
            repository=f"{target.registry_host}/{lookup.repository}",
            tag=tag or None,
            digest=image.digest,
            release_hash=lookup.release_hash or hash_of_tags(image.tags, target.tag_formats) or None,
            pushed_time=image.pushed_at,
            platform_digests=list(image.platform_digests[:50]) or None,
        )


async def _look_up(registry: Registry, lookup: Lookup) -> tuple[RegistryImage | None, str]:
    if lookup.digest:
        return await registry.image(lookup.repository, digest=lookup.digest), ""
    for tag in lookup.tags:
        image = await registry.image(lookup.repository, tag=tag)
        if image is not None:
            return image, tag
    return None, ""


def _together(problems: list[BaseException]) -> BaseException:
    """Report all that is missing at once; anything else comes first."""
    other = next((p for p in problems if not isinstance(p, Blocked)), None)
    if other is not None or len(problems) == 1:
        return other or problems[0]
    first = problems[0]
    assert isinstance(first, Blocked)
    return Blocked(first.reason, "; ".join(p.message for p in problems if isinstance(p, Blocked)))
