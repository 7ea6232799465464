"""Reads many images of a repository in few calls, and the manifest lists that name them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, TypeAlias

from botocore.exceptions import ClientError

from ecs_release.aws.sessions.error_codes import code_of
from ecs_release.aws.sessions.fields import Fields
from ecs_release.aws.sessions.partial_failures import raise_unread
from ecs_release.domain.ecs.service import RegistryImage

LISTS = frozenset({"application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.oci.image.index.v1+json"})

_IMAGE_MANIFESTS = LISTS | {
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
}
_IMAGE_CONFIGS = frozenset({"application/vnd.docker.container.image.v1+json", "application/vnd.oci.image.config.v1+json"})
_OTHER_ARTIFACTS = {
    "helm": "a Helm chart",
    "cosign": "a signature",
    "sigstore": "a signature",
    "notary": "a signature",
    "soci": "a SOCI index",
    "spdx": "a software bill of materials",
    "cyclonedx": "a software bill of materials",
    "in-toto": "an attestation",
}
"""Words of media types of artifacts that are kept beside images."""

Call: TypeAlias = Callable[..., Awaitable[Any]]
"""Calls a method of ECR for a repository: method, repository, parameters and, if needed, `read`."""

_IDS_A_CALL, _PAGE, _PAGES = 100, 1000, 5
_STANDING_BY = frozenset({"ARCHIVED", "ACTIVATING"})


def is_archived(detail: Mapping[str, Any]) -> bool:
    """Return whether an image is archived, or not restored yet: it cannot be pulled (ECR user guide, "Archiving an image")."""
    return detail.get("imageStatus") in _STANDING_BY


def describe(client: Any, parameters: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    """Describe images by their ids; None if one of them does not exist: DescribeImages then returns none. Runs in a thread."""
    try:
        return described_page(client, parameters)[0]
    except ClientError as error:
        if code_of(error) == "ImageNotFoundException":
            return None
        raise


def described_page(client: Any, parameters: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], str]:
    """Describe images, one page of them. Returns also the token of the next page. Runs in a thread."""
    answer = Fields(client.describe_images(**parameters))
    return [_checked(detail) for detail in answer.needed_parts("imageDetails")], answer.text("nextToken")


def _checked(detail: Fields) -> Mapping[str, Any]:
    """Return a detail in which what is used here has the types that it should have."""
    texts = {name: detail.text(name) for name in ("imageManifestMediaType", "artifactMediaType", "imageStatus")}
    digest, tags, pushed = detail.text("imageDigest", None), detail.texts("imageTags"), detail.time("imagePushedAt")
    return {"imageDigest": digest, "imageTags": tags, **({"imagePushedAt": pushed} if pushed else {}), **texts}


def read_manifest_lists(client: Any, parameters: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Get manifest lists, and return the digests that each names, by its own. Raises Problem if one cannot be read. Runs in a thread."""
    answer = Fields(client.batch_get_image(**parameters))
    raise_unread([f.raw for f in answer.parts("failures")], "ecr:BatchGetImage")
    return {i.part("imageId").text("imageDigest"): entries(i.text("imageManifest", None)) for i in answer.parts("images")}


async def look_up(call: Call, repository: str, digests: Collection[str]) -> dict[str, RegistryImage]:
    """Look images up by digest. Raises Problem.

    Without a filter DescribeImages returns active images only (ECR API reference, DescribeImagesFilter): missing ones are read again
    with a filter.
    """
    found = await _described(call, repository, sorted(set(digests)), {})
    missing = sorted(set(digests) - found.keys())
    return found | await _described(call, repository, missing, {"filter": {"imageStatus": "ANY"}})


async def _described(call: Call, repository: str, digests: list[str], more: Mapping[str, Any]) -> dict[str, RegistryImage]:
    """Describe images, and halve failed calls until the missing images are found."""
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
    """Read one image of DescribeImages."""
    tags = tuple(detail.get("imageTags") or ())
    pushed, other = detail.get("imagePushedAt"), other_artifact(detail)
    return RegistryImage(detail["imageDigest"], tags, platforms, pushed, archived=is_archived(detail), other_artifact=other)


def other_artifact(detail: Mapping[str, Any]) -> str:
    """Return what a detail of DescribeImages is if it is no container image; an empty string if it is one.

    ECR's artifactMediaType is the manifest's artifactType, or the type of its config (OCI image specification, "Guidelines for artifact
    usage"). A manifest list has no config, and is an image unless it declares an artifactType of its own.
    """
    kind, manifest = str(detail.get("artifactMediaType") or ""), str(detail.get("imageManifestMediaType") or "")
    if manifest and manifest not in _IMAGE_MANIFESTS:
        return f"an artifact with a manifest of type {manifest}"
    if not kind or kind in _IMAGE_CONFIGS or kind == manifest:
        return ""
    name = next((text for part, text in _OTHER_ARTIFACTS.items() if part in kind), "an artifact")
    return f"{name} ({kind})"


async def manifest_lists_naming(call: Call, repository: str, images: Collection[RegistryImage]) -> dict[str, RegistryImage]:
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
    lists: dict[str, tuple[str, ...]] = await call("batch_get_image", repository, wanted, read=read_manifest_lists)
    found: dict[str, RegistryImage] = {}
    asked = {i.digest for i in images}
    for named, platforms in lists.items():
        detail = nearest.get(named)
        if detail is not None:
            found |= {digest: of_detail(detail, platforms) for digest in asked.intersection(platforms)}
    return found


async def _tagged(call: Call, repository: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    parameters: dict[str, Any] = {"filter": {"tagStatus": "TAGGED"}, "maxResults": _PAGE}
    for _ in range(_PAGES):
        page, token = await call("describe_images", repository, parameters, read=described_page)
        found += page
        if not token:
            break
        parameters["nextToken"] = token
    return found


def entries(manifest: str) -> tuple[str, ...]:
    """List the digests of a manifest list's images, without attestations (buildx gives them platform unknown/unknown)."""
    listed = Fields(json.loads(manifest), "imageManifest").parts("manifests")
    return tuple(m.text("digest", None) for m in listed if m.part("platform").text("os") != "unknown")
