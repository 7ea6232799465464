"""ECR: the port `domain.ports.Registry` on boto3."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from ecs_release.aws.registry import image_lookup, tags
from ecs_release.aws.sessions import pacing
from ecs_release.aws.sessions.caller import Caller
from ecs_release.domain.ecs.service import Access, RegistryImage
from ecs_release.domain.model.errors import Ambiguous, Problem, Retryable
from ecs_release.domain.ports.protocols import ImagesAnswer, Priority

_REMEMBERED = 5000
_RECENT_S = 60.0
_PLATFORMS = 50
"""As many as a pin holds. A list may name thousands."""


class BotoRegistry:
    """One ECR registry, read with some access."""

    def __init__(self, caller: Caller, access: Access, registry_id: str, region: str) -> None:
        """`registry_id` is the account that owns it."""
        self._caller = caller
        self._access = Access(access.account_id, region, access.role_arn, access.external_id)
        self._registry_id = registry_id
        self._recent: OrderedDict[tuple[str, str], tuple[float, RegistryImage]] = OrderedDict()
        self._platforms: OrderedDict[tuple[str, str], tuple[str, ...]] = OrderedDict()

    async def image(self, repository: str, *, tag: str = "", digest: str = "") -> RegistryImage | None:
        """Find an image by tag or digest; None if there is none (an archived one cannot be pulled, and counts as none).

        What a digest means does not change: one that was found within the last minute is not asked for again. A tag always is.
        """
        recent = self._recent.get((repository, digest))
        if recent is not None and time.monotonic() - recent[0] < _RECENT_S:
            return recent[1]
        wanted = {"imageDigest": digest} if digest else {"imageTag": tag}
        detail = await self._read("describe_images", repository, {"imageIds": [wanted]}, read=_describe)
        if detail is None:
            return None
        found = detail["imageDigest"]
        platforms: tuple[str, ...] = ()
        if detail.get("imageManifestMediaType") in image_lookup.LISTS:
            platforms = await self._platforms_of(repository, found)
        image = image_lookup.of_detail(detail, platforms)
        now = time.monotonic()
        self._recent[repository, found] = (now, image)
        self._recent.move_to_end((repository, found))
        while len(self._recent) > _REMEMBERED or next(iter(self._recent.values()))[0] <= now - _RECENT_S:
            self._recent.popitem(last=False)
        return image

    async def images(self, repository: str, digests: Collection[str]) -> ImagesAnswer:
        """Look images up by digest, archived ones included; missing ones are left out."""
        return await image_lookup.look_up(self._read, repository, digests)

    async def manifest_lists_naming(self, repository: str, images: Collection[RegistryImage]) -> ImagesAnswer:
        """Find the tagged manifest lists that name images."""
        return await image_lookup.manifest_lists_naming(self._read, repository, images)

    async def tag_digest(self, repository: str, tag: str) -> str:
        """Return the digest that a tag points to; empty if there is no such tag."""
        detail = await self._read("describe_images", repository, {"imageIds": [{"imageTag": tag}]}, read=_describe)
        return str(detail["imageDigest"]) if detail else ""

    async def check_movable(self, repository: str, tag: str) -> None:
        """Check that a tag may be moved. Raises Blocked."""
        parameters = {"registryId": self._registry_id, "repositoryNames": [repository]}
        await self._caller.call(
            self._access, "ecr", "describe_repositories", pacing.REGISTRY_READ, what=repository, priority=Priority.ROLLOUT,
            parameters=parameters, parse=partial(tags.check_all_movable, tag=tag),
        )  # fmt: skip

    async def move_tag(self, repository: str, tag: str, digest: str) -> None:
        """Point a tag to an image, and read it back. Raises Problem; Ambiguous if it is unknown whether it was carried out."""
        wanted = {"imageIds": [{"imageDigest": digest}], "acceptedMediaTypes": list(tags.MANIFESTS)}
        parse = partial(tags.put_parameters, repository=repository, tag=tag, digest=digest)
        parameters = {"registryId": self._registry_id, **await self._read("batch_get_image", repository, wanted, parse=parse)}
        await self._caller.call(
            self._access, "ecr", "put_image", pacing.REGISTRY_MODIFY, what=f"{repository}:{tag}", mutating=True, parameters=parameters,
            read=tags.put,
        )  # fmt: skip
        found = await self.tag_digest(repository, tag)
        if found != digest:
            raise Ambiguous(f"tag {tag!r} of repository {repository!r} points to {found or 'nothing'} after it was moved to {digest}")

    async def _read(
        self, method: str, repository: str, parameters: Mapping[str, Any], read: Any = None, parse: Callable[[Any], Any] | None = None
    ) -> Any:
        row = pacing.IMAGE_READ if method == "batch_get_image" else pacing.REGISTRY_READ
        return await self._caller.call(
            self._access, "ecr", method, row, what=f"{repository} in registry {self._registry_id}",
            priority=Priority.ROLLOUT, parameters={"registryId": self._registry_id, "repositoryName": repository, **parameters},
            read=read, parse=parse,
        )  # fmt: skip

    async def _platforms_of(self, repository: str, digest: str) -> tuple[str, ...]:
        """Read a manifest list's entries: a task may show either its digest or a platform's."""
        key = (repository, digest)
        if key not in self._platforms:
            wanted = {"imageIds": [{"imageDigest": digest}], "acceptedMediaTypes": sorted(image_lookup.LISTS)}
            found = await self._read("batch_get_image", repository, wanted, read=image_lookup.read_manifest_lists)
            # The image was described a moment ago: its platforms are unknown, and must not be cached as none.
            absent = Retryable(f"ecr:BatchGetImage on {repository}: the answer does not hold the manifest list {digest}")
            listed = found.get(digest, absent)
            if isinstance(listed, Problem):
                raise listed
            self._platforms[key] = listed[:_PLATFORMS]
            while len(self._platforms) > _REMEMBERED:
                self._platforms.popitem(last=False)
        return self._platforms[key]


def _describe(client: Any, parameters: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found = [d for d in image_lookup.describe(client, parameters) or () if not image_lookup.is_archived(d)]
    return found[0] if found else None
