"""Many images of a repository at once: how they stand, and which manifest lists name them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, TypeAlias

from botocore.exceptions import ClientError

from ecs_release.aws.sessions.error_codes import code_of
from ecs_release.domain.ecs.service import RegistryImage

LISTS = frozenset({"application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.oci.image.index.v1+json"})

Call: TypeAlias = Callable[..., Awaitable[Any]]
"""Calls a method of ECR for a repository: method, repository, parameters and, where needed, `read`."""

_IDS_A_CALL, _PAGE, _PAGES = 100, 1000, 5
_STANDING_BY = frozenset({"ARCHIVED", "ACTIVATING"})


def is_archived(detail: Mapping[str, Any]) -> bool:
    """Tell whether an image is in archive, or not back from it yet: it cannot be pulled (ECR user guide, "Archiving an image")."""
    return detail.get("imageStatus") in _STANDING_BY


def describe(client: Any, parameters: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    """Describe images by their ids; None where one of them is not there: DescribeImages then answers for none. Runs in a thread."""
    try:
        return list(client.describe_images(**parameters)["imageDetails"])
    except ClientError as error:
        if code_of(error) == "ImageNotFoundException":
            return None
        raise


async def look_up(call: Call, repository: str, digests: Collection[str]) -> dict[str, RegistryImage]:
    """Look images up by digest. Raises Problem.

    Without a filter DescribeImages knows only active images (ECR API reference, DescribeImagesFilter): those that are missing are asked
    for again with one.
    """
    found = await _described(call, repository, sorted(set(digests)), {})
    missing = sorted(set(digests) - found.keys())
    return found | await _described(call, repository, missing, {"filter": {"imageStatus": "ANY"}})


async def _described(call: Call, repository: str, digests: list[str], more: Mapping[str, Any]) -> dict[str, RegistryImage]:
    """Describe by halves, until those that are not there have been found out."""
    found: dict[str, RegistryImage] = {}
    parts = [digests[first : first + _IDS_A_CALL] for first in range(0, len(digests), _IDS_A_CALL)]
    while parts:
        part = parts.pop()
        details = await call("describe_images", repository, {"imageIds": [{"imageDigest": d} for d in part], **more}, read=describe)
        if details is None:
            middle = len(part) // 2
            parts += [part[:middle], part[middle:]] if middle else []
            continue
        for detail in details:
            found[detail["imageDigest"]] = of_detail(detail)
    return found


def of_detail(detail: Mapping[str, Any], platforms: tuple[str, ...] = ()) -> RegistryImage:
    """Take an answer of DescribeImages apart."""
    tags = tuple(detail.get("imageTags") or ())
    return RegistryImage(detail["imageDigest"], tags, platforms, detail.get("imagePushedAt"), archived=is_archived(detail))


async def lists_naming(call: Call, repository: str, images: Collection[RegistryImage]) -> dict[str, RegistryImage]:
    """Find the tagged manifest lists that name some images: ECR has no call for that, so those pushed nearest to them are read.

    Bounded: among the first 5,000 tagged images, the hundred lists nearest in time. Raises Problem.
    """
    times = [i.pushed_at for i in images if i.pushed_at is not None]
    listed = [d for d in await _tagged(call, repository) if d.get("imageManifestMediaType") in LISTS]
    if times:
        listed.sort(key=lambda d: min(abs((d.get("imagePushedAt", t) - t).total_seconds()) for t in times))
    nearest = {d["imageDigest"]: d for d in listed[:_IDS_A_CALL]}
    if not nearest:
        return {}
    wanted = {"imageIds": [{"imageDigest": d} for d in nearest], "acceptedMediaTypes": sorted(LISTS)}
    answer = await call("batch_get_image", repository, wanted)
    found: dict[str, RegistryImage] = {}
    asked = {i.digest for i in images}
    for image in answer.get("images") or ():
        platforms = entries(image["imageManifest"])
        detail = nearest.get(image["imageId"].get("imageDigest", ""))
        if detail is not None:
            found |= {digest: of_detail(detail, platforms) for digest in asked.intersection(platforms)}
    return found


async def _tagged(call: Call, repository: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    parameters: dict[str, Any] = {"filter": {"tagStatus": "TAGGED"}, "maxResults": _PAGE}
    for _ in range(_PAGES):
        answer = await call("describe_images", repository, parameters)
        found += answer["imageDetails"]
        if not answer.get("nextToken"):
            break
        parameters["nextToken"] = answer["nextToken"]
    return found


def entries(manifest: str) -> tuple[str, ...]:
    """List the digests of a manifest list's images; attestations (buildx marks them platform unknown/unknown) do not run."""
    listed = json.loads(manifest).get("manifests") or ()
    return tuple(m["digest"] for m in listed if (m.get("platform") or {}).get("os") != "unknown")
