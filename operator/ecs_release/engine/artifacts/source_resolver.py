"""Resolving sources to digests in ECR."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from ecs_release.api.conditions import Reason
from ecs_release.api.release_status import Pin, PinnedImage
from ecs_release.api.source import Source
from ecs_release.domain.artifacts.claimed_hash import confirmed_hash, given_hash
from ecs_release.domain.artifacts.source import Lookup, hash_of_image, is_incomplete, lookups, source_hash
from ecs_release.domain.ecs.service import RegistryImage
from ecs_release.domain.environments.targets import Target
from ecs_release.domain.model.clauses import join_clauses
from ecs_release.domain.model.errors import Blocked, Denied, Problem, Retryable, Waiting
from ecs_release.domain.model.image_names import EcrHost, ImageName, short_digest
from ecs_release.domain.ports.protocols import Aws, Registry
from ecs_release.domain.sets.running_images import LookedUp
from ecs_release.engine.artifacts.hash_index import HashIndex
from ecs_release.engine.runtime.attempt_ids import new_id


class Resolver:
    """Resolves sources, and finds the release hashes of digests by their tags."""

    def __init__(self, aws: Aws) -> None:
        """Release hashes of digests are cached."""
        self._aws = aws
        self._hashes = HashIndex(aws)

    async def resolve(self, source: Source, target: Target, now: datetime) -> Pin:
        """Resolve a source. Raises Problem: ArtifactNotFound names all that is missing."""
        wanted = lookups(source, target.containers, target.tag_formats)
        registry = self._registry(target)
        found = await asyncio.gather(*(self._find(registry, lookup, target) for lookup in wanted), return_exceptions=True)
        problems = [f for f in found if isinstance(f, BaseException)]
        if problems:
            raise _together(problems)
        images = [image for image in found if isinstance(image, PinnedImage)]
        return Pin(id=new_id(now), source_hash=source_hash(source), resolved_time=now, images=images)

    async def complete(self, pin: Pin, source: Source, target: Target) -> Pin:
        """Look up those images of a pin that were not looked up yet, and another release hash that the source gives for its digest by now.

        Never raises Problem: what cannot be looked up now stays unknown.
        """
        repositories = {c.name: c.repository for c in target.containers}
        given = {i.container: i.release_hash or "" for i in source.images or ()}
        completed = await asyncio.gather(*(self._completed(i, repositories.get(i.container, ""), target) for i in pin.images or ()))
        images = await asyncio.gather(
            *(self._renamed(i, given.get(i.container, ""), repositories.get(i.container, ""), target) for i in completed)
        )
        return pin.model_copy(update={"images": images}) if images != (pin.images or []) else pin

    async def _completed(self, image: PinnedImage, repository: str, target: Target) -> PinnedImage:
        if not is_incomplete(image) or not repository:
            return image
        found = await self._again(image, given_hash(image.release_hash) or "", repository, target)
        if found is None:
            return image
        # What was confirmed when the image was deployed stays its hash, whatever has become of its tags.
        return found.model_copy(update={"release_hash": confirmed_hash(image.release_hash) or found.release_hash})

    async def _renamed(self, image: PinnedImage, given: str, repository: str, target: Target) -> PinnedImage:
        """Take the hash that a source gives if a tag in ECR confirms it."""
        if not given or not repository or given == given_hash(image.release_hash):
            return image
        found = await self._again(image, given, repository, target)
        return image.model_copy(update={"release_hash": given}) if found is not None and found.release_hash == given else image

    async def _again(self, image: PinnedImage, release_hash: str, repository: str, target: Target) -> PinnedImage | None:
        """Look a pinned image up by its digest; None if it cannot be looked up now."""
        lookup = Lookup(image.container, repository, digest=image.digest or "", release_hash=release_hash)
        try:
            return await self._find(self._registry(target), lookup, target)
        except Problem:
            return None

    async def check_replicated(self, target: Target, host: EcrHost | None, image: PinnedImage, repository: str) -> None:
        """Check that an image is where the service pulls from. Raises Waiting(AwaitingReplication)."""
        if host is None or (host.account, host.region) == (target.registry_id, target.registry_region):
            return
        registry = self._aws.registry(target.access, host.account, host.region)
        if await registry.image(repository, digest=image.digest or "") is None:
            raise Waiting(
                Reason.AWAITING_REPLICATION,
                f"image {repository}@{short_digest(image.digest or '')} of container {image.container} is not in {host.host}, where the"
                " service pulls from: replicate it there or, if that registry is a pull-through cache, pull the image through it once",
            )

    async def image(self, target: Target, repository: str, digest: str) -> RegistryImage | None:
        """Find an image in the registry of the target; None if the registry does not have it (any more)."""
        return await self._registry(target).image(repository, digest=digest)

    async def look_up_shown(self, target: Target, repository: str, named: ImageName, shown: Sequence[str]) -> LookedUp:
        """Look up what a container runs by the digests that its tasks show, the most frequent first. Raises Problem if that cannot be read.

        A repository that is not there has nothing of it.
        """
        registry = self._registry(target)
        try:
            image = await registry.image(repository, tag=named.tag, digest=named.digest) if named.tag or named.digest else None
            if image is not None and shown[0] in (image.digest, *image.platform_digests):
                return LookedUp(image)
            first = (await registry.images(repository, shown[:1])).image(shown[0])
            if first is None or first.tags:
                return LookedUp(image, {first.digest: first} if first else {})
            of_list = (await registry.manifest_lists_naming(repository, [first])).image(shown[0])
            return LookedUp(image, {first.digest: first}, {first.digest: of_list} if of_list else {})
        except (Denied, Retryable):
            raise
        except Blocked:
            return LookedUp()

    async def hashes(self, target: Target, digests: Iterable[tuple[str, str]], known: Mapping[str, str]) -> dict[str, str]:
        """Return the release hashes of digests, given as pairs of repository and digest. Unknown hashes are left out."""
        return await self._hashes.of(target, digests, known)

    def _registry(self, target: Target) -> Registry:
        return self._aws.registry(target.registry_access, target.registry_id, target.registry_region)

    async def _find(self, registry: Registry, lookup: Lookup, target: Target) -> PinnedImage:
        image, tag, other = await _look_up(registry, lookup)
        if image is None:
            names = " nor ".join(lookup.tags) if lookup.tags else short_digest(lookup.digest)
            found = f"; what is there is {other}" if other else ""
            raise Blocked(
                Reason.ARTIFACT_NOT_FOUND,
                f"repository {lookup.repository!r} of registry {target.registry_id} in {target.registry_region} has no image"
                f" {names} (container {lookup.container}){found}: push it, or correct the source",
            )
        return PinnedImage(
            container=lookup.container,
            repository=f"{target.registry_host}/{lookup.repository}",
            tag=tag or None,
            digest=image.digest,
            release_hash=hash_of_image(lookup, image.tags, target.tag_formats) or None,
            pushed_time=image.pushed_at,
            platform_digests=list(image.platform_digests[:50]) or None,
        )


async def _look_up(registry: Registry, lookup: Lookup) -> tuple[RegistryImage | None, str, str]:
    """Return the image and the tag that it was found by; without an image, what else was found instead."""
    other = ""
    for tag in ("",) if lookup.digest else lookup.tags:
        image = await registry.image(lookup.repository, tag=tag, digest=lookup.digest)
        if image is not None and not image.other_artifact:
            return image, tag, ""
        other = other or (image.other_artifact if image is not None else "")
    return None, "", other


def _together(problems: list[BaseException]) -> BaseException:
    """Return one problem for all missing images; any other problem goes first."""
    other = next((p for p in problems if not isinstance(p, Blocked)), None)
    if other is not None or len(problems) == 1:
        return other or problems[0]
    first = problems[0]
    assert isinstance(first, Blocked)
    return Blocked(first.reason, join_clauses(*(p.message for p in problems if isinstance(p, Blocked))))
