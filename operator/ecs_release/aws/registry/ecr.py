"""ECR: the port `domain.ports.Registry` on boto3."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Any

from ecs_release.aws.registry import image_lookup as images
from ecs_release.aws.registry import tags as tagging
from ecs_release.aws.sessions import pacing
from ecs_release.aws.sessions.caller import Caller
from ecs_release.domain.ecs.service import Access, RegistryImage
from ecs_release.domain.model.errors import Ambiguous
from ecs_release.domain.ports.protocols import Priority

_REMEMBERED = 5000
_RECENT_S = 60.0


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
        """Find an image by tag or digest; None where there is none (an archived one cannot be pulled, and counts as none).

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
        if detail.get("imageManifestMediaType") in images.LISTS:
            platforms = await self._platforms_of(repository, found)
        image = images.of_detail(detail, platforms)
        self._recent[repository, found] = (time.monotonic(), image)
        self._recent.move_to_end((repository, found))
        while len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)
        return image

    async def images(self, repository: str, digests: Collection[str]) -> Mapping[str, RegistryImage]:
        """Look images up by digest as they are now, those in archive too; those that are not there are left out."""
        return await images.look_up(self._read, repository, digests)

    async def lists_naming(self, repository: str, named: Collection[RegistryImage]) -> Mapping[str, RegistryImage]:
        """Find the tagged manifest lists that name images."""
        return await images.lists_naming(self._read, repository, named)

    async def tag_digest(self, repository: str, tag: str) -> str:
        """Return the digest that a tag points to now; an empty string where there is no such tag."""
        detail = await self._read("describe_images", repository, {"imageIds": [{"imageTag": tag}]}, read=_describe)
        return str(detail["imageDigest"]) if detail else ""

    async def check_movable(self, repository: str, tag: str) -> None:
        """Check that a tag may be moved. Raises Blocked."""
        parameters = {"registryId": self._registry_id, "repositoryNames": [repository]}
        answer = await self._caller.call(
            self._access, "ecr", "describe_repositories", pacing.REGISTRY_READ, what=repository, priority=Priority.ROLLOUT,
            parameters=parameters,
        )  # fmt: skip
        for described in answer["repositories"]:
            tagging.check_movable(described, tag)

    async def move_tag(self, repository: str, tag: str, digest: str) -> None:
        """Point a tag to an image, and read it back. Raises Problem; Ambiguous where nobody knows whether it was carried out."""
        wanted = {"imageIds": [{"imageDigest": digest}], "acceptedMediaTypes": list(tagging.MANIFESTS)}
        answer = await self._read("batch_get_image", repository, wanted)
        parameters = {"registryId": self._registry_id, **tagging.put_parameters(answer, repository, tag, digest)}
        await self._caller.call(
            self._access, "ecr", "put_image", pacing.REGISTRY_MODIFY, what=f"{repository}:{tag}", mutating=True, parameters=parameters,
            read=tagging.put,
        )  # fmt: skip
        found = await self.tag_digest(repository, tag)
        if found != digest:
            raise Ambiguous(f"tag {tag!r} of repository {repository!r} points to {found or 'nothing'} after it was moved to {digest}")

    async def _read(self, method: str, repository: str, parameters: Mapping[str, Any], read: Any = None) -> Any:
        row = pacing.IMAGE_READ if method == "batch_get_image" else pacing.REGISTRY_READ
        return await self._caller.call(
            self._access, "ecr", method, row, what=f"{repository} in registry {self._registry_id}",
            priority=Priority.ROLLOUT, parameters={"registryId": self._registry_id, "repositoryName": repository, **parameters}, read=read,
        )  # fmt: skip

    async def _platforms_of(self, repository: str, digest: str) -> tuple[str, ...]:
        """Read a manifest list's entries: a task may show either its digest or a platform's."""
        key = (repository, digest)
        if key not in self._platforms:
            wanted = {"imageIds": [{"imageDigest": digest}], "acceptedMediaTypes": sorted(images.LISTS)}
            answer = await self._read("batch_get_image", repository, wanted)
            found = answer.get("images") or ()
            self._platforms[key] = images.entries(found[0]["imageManifest"]) if found else ()
            while len(self._platforms) > _REMEMBERED:
                self._platforms.popitem(last=False)
        return self._platforms[key]


def _describe(client: Any, parameters: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found = [d for d in images.describe(client, parameters) or () if not images.is_archived(d)]
    return found[0] if found else None
