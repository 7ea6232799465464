"""Tags in ECR: whether a tag may be moved, and the call that moves it."""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from ecs_release.api.conditions import Reason
from ecs_release.aws.sessions.error_codes import code_of
from ecs_release.aws.sessions.fields import Fields
from ecs_release.aws.sessions.partial_failures import raise_unread
from ecs_release.domain.model.errors import Blocked

MANIFESTS: tuple[str, ...] = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
)
"""All types are accepted unconverted: converting a manifest changes its digest."""


class ImmutableTag(Blocked):
    """A tag names another image, and is immutable."""

    def __init__(self, message: str) -> None:
        """`message` says which, and what to do."""
        super().__init__(Reason.REJECTED_BY_AWS, message)


def put_parameters(answer: Any, repository: str, tag: str, digest: str) -> dict[str, Any]:
    """Return the parameters of PutImage from the response of BatchGetImage: the unchanged manifest, checked by its digest.

    Raises Blocked: ArtifactNotFound if the image does not exist, RejectedByAWS if the manifest has another digest.
    """
    found = Fields(answer)
    raise_unread([f.raw for f in found.parts("failures")], "ecr:BatchGetImage")
    images = found.parts("images")
    manifest = images[0].text("imageManifest") if images else ""
    if not manifest:
        raise Blocked(Reason.ARTIFACT_NOT_FOUND, f"repository {repository!r} has no image {digest}, which tag {tag!r} is to point to")
    if f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}" != digest:
        raise Blocked(Reason.REJECTED_BY_AWS, f"ECR answered another manifest than that of {digest} in repository {repository!r}")
    parameters = {"repositoryName": repository, "imageManifest": manifest, "imageTag": tag, "imageDigest": digest}
    # Required if the manifest itself has no type (ECR API reference, PutImage).
    media_type = images[0].text("imageManifestMediaType")
    return parameters | ({"imageManifestMediaType": media_type} if media_type else {})


def put(client: Any, parameters: Mapping[str, Any]) -> None:
    """Put an image under a tag; success if the tag is on it already. Runs in a thread."""
    try:
        client.put_image(**parameters)
    except ClientError as error:
        if code_of(error) == "ImageAlreadyExistsException":
            return
        if code_of(error) == "ImageTagAlreadyExistsException":
            raise ImmutableTag(immutable(parameters["repositoryName"], parameters["imageTag"])) from error
        raise


def check_all_movable(answer: Any, tag: str) -> None:
    """Check the repositories of an answer of DescribeRepositories. Raises Blocked(RejectedByAWS)."""
    for described in Fields(answer).needed_parts("repositories"):
        check_movable(described.raw, tag)


def check_movable(described: Mapping[str, Any], tag: str) -> None:
    """Check a repository of DescribeRepositories. Raises Blocked(RejectedByAWS).

    The filters of MUTABLE_WITH_EXCLUSION and IMMUTABLE_WITH_EXCLUSION invert that for the tags that they match (ECR user guide,
    "Preventing image tags from being overwritten").
    """
    mutability = str(described.get("imageTagMutability") or "MUTABLE")
    filters = described.get("imageTagMutabilityExclusionFilters") or ()
    excluded = mutability.endswith("_WITH_EXCLUSION") and any(fnmatch.fnmatchcase(tag, f.get("filter", "")) for f in filters)
    if mutability.startswith("IMMUTABLE") != excluded:
        raise ImmutableTag(immutable(str(described.get("repositoryName", "")), tag))


def immutable(repository: str, tag: str) -> str:
    """Return the message for a tag that cannot be moved."""
    return (
        f"tag {tag!r} of repository {repository!r} is immutable, so that method EnvironmentTag cannot move it: exclude it from the"
        " repository's tag immutability, or use method TaskDefinition"
    )
