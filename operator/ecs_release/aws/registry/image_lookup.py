"""Reads many images of a repository in few calls, and the manifest lists that name them. One that is odd hides no other."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias

from botocore.exceptions import ClientError

from ecs_release.api.conditions import Reason
from ecs_release.aws.sessions.error_codes import code_of
from ecs_release.aws.sessions.fields import Fields
from ecs_release.aws.sessions.partial_failures import problem_of_failure
from ecs_release.domain.ecs.service import RegistryImage
from ecs_release.domain.model.errors import BrokenAnswer, Problem
from ecs_release.domain.model.halving import is_faulty, read_by_halves
from ecs_release.domain.ports.protocols import ImagesAnswer

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
_LISTS, _LISTS_A_CALL = 100, 10
"""A manifest has up to 4 MiB (ECR API reference, BatchGetImage), and whoever may push chooses that."""
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


def read_manifest_lists(client: Any, parameters: Mapping[str, Any]) -> dict[str, tuple[str, ...] | Problem]:
    """Get manifest lists, and return the digests that each names, by its own; a Problem for one that cannot be read. Runs in a thread."""
    answer, action = Fields(client.batch_get_image(**parameters)), "ecr:BatchGetImage"
    found: dict[str, tuple[str, ...] | Problem] = {}
    for failure in answer.parts("failures"):
        problem = problem_of_failure(failure.raw, action)
        if problem is not None:
            found[failure.part("imageId").text("imageDigest")] = problem
    for image in answer.parts("images"):
        digest = image.part("imageId").text("imageDigest", None)
        try:
            found[digest] = entries(image.text("imageManifest", None))
        except (ValueError, RecursionError) as error:
            found[digest] = BrokenAnswer(f"{action} on {digest}: the answer cannot be read: {error}")
    return found


class _MissingError(Problem):
    """One of several images is not there: DescribeImages then returns none of them."""

    def __init__(self) -> None:
        super().__init__(Reason.ARTIFACT_NOT_FOUND, "one of the images is not there")


async def look_up(call: Call, repository: str, digests: Collection[str]) -> ImagesAnswer:
    """Look images up by digest. Raises Problem, unless it is one with single images.

    Without a filter DescribeImages returns active images only (ECR API reference, DescribeImagesFilter): missing ones are read again
    with a filter.
    """
    active = await _described(call, repository, sorted(set(digests)), {})
    missing = sorted(set(digests) - active.images.keys() - active.unread.keys())
    archived = await _described(call, repository, missing, {"filter": {"imageStatus": "ANY"}})
    return ImagesAnswer({**active.images, **archived.images}, {**active.unread, **archived.unread})


async def _described(call: Call, repository: str, digests: Sequence[str], more: Mapping[str, Any]) -> ImagesAnswer:
    """Describe images, and halve failed calls until those that are missing or odd are found."""
    found: dict[str, RegistryImage] = {}
    unread: dict[str, Problem] = {}

    async def read(part: Sequence[str]) -> None:
        details = await call("describe_images", repository, {"imageIds": [{"imageDigest": d} for d in part], **more}, read=describe)
        if details is None:
            raise _MissingError
        found.update((detail["imageDigest"], of_detail(detail)) for detail in details)

    def failed(part: Sequence[str], problem: Problem) -> None:
        if not isinstance(problem, _MissingError):
            _leave_out(unread, part, problem)

    for first in range(0, len(digests), _IDS_A_CALL):
        await read_by_halves(digests[first : first + _IDS_A_CALL], read, failed, lambda p: is_faulty(p) or isinstance(p, _MissingError))
    return ImagesAnswer(found, unread)


def _leave_out(unread: dict[str, Problem], part: Sequence[str], problem: Problem) -> None:
    """Note that images cannot be read. Raises the problem if it is not one with these images."""
    if not is_faulty(problem):
        raise problem
    unread.update(dict.fromkeys(part, problem))


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


async def manifest_lists_naming(call: Call, repository: str, images: Collection[RegistryImage]) -> ImagesAnswer:
    """Find the tagged manifest lists that name some images: ECR has no call for that, so those pushed nearest to them are read.

    Bounded: among the first 5,000 tagged images, the hundred lists nearest in time. Raises Problem, unless it is one with single lists.
    """
    times = [i.pushed_at for i in images if i.pushed_at is not None]
    tagged = await _tagged_lists(call, repository)
    if times:
        tagged.sort(key=lambda d: min(abs((d.get("imagePushedAt", t) - t).total_seconds()) for t in times))
    nearest = {d["imageDigest"]: d for d in tagged[:_LISTS]}
    found: dict[str, RegistryImage] = {}
    unread: dict[str, Problem] = {}
    asked, names = {i.digest for i in images}, list(nearest)

    async def read(part: Sequence[str]) -> None:
        wanted = {"imageIds": [{"imageDigest": d} for d in part], "acceptedMediaTypes": sorted(LISTS)}
        lists: dict[str, tuple[str, ...] | Problem] = await call("batch_get_image", repository, wanted, read=read_manifest_lists)
        for named, listed in lists.items():
            if isinstance(listed, Problem):
                unread[named] = listed
            elif named in nearest:
                found.update((digest, of_detail(nearest[named], (digest,))) for digest in asked.intersection(listed))

    for first in range(0, len(names), _LISTS_A_CALL):
        part = names[first : first + _LISTS_A_CALL]
        await read_by_halves(part, read, lambda part, problem: _leave_out(unread, part, problem), is_faulty)
    why = next(iter(unread.values()), None)
    return ImagesAnswer(found, dict.fromkeys(asked - found.keys(), why) if why is not None else {})


async def _tagged_lists(call: Call, repository: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    parameters: dict[str, Any] = {"filter": {"tagStatus": "TAGGED"}, "maxResults": _PAGE}
    for _ in range(_PAGES):
        page, token = await call("describe_images", repository, parameters, read=described_page)
        found += [detail for detail in page if detail["imageManifestMediaType"] in LISTS]
        if not token:
            break
        parameters["nextToken"] = token
    return found


def entries(manifest: str) -> tuple[str, ...]:
    """List the digests of a manifest list's images, without attestations (buildx gives them platform unknown/unknown)."""
    listed = Fields(json.loads(manifest), "imageManifest").parts("manifests")
    return tuple(m.text("digest", None) for m in listed if m.part("platform").text("os") != "unknown")
