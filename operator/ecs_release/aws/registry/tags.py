"""Tags in ECR: whether one may be moved, and how it is."""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from ecs_release.api.conditions import Reason
from ecs_release.aws.sessions.error_codes import code_of
from ecs_release.domain.model.errors import Blocked

MANIFESTS: tuple[str, ...] = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
)
"""Every type is accepted as it is: a registry that converts a manifest changes its digest."""


class ImmutableTag(Blocked):
    """A tag names another image, and the repository lets nobody move it."""

    def __init__(self, message: str) -> None:
        """`message` says which, and what to do."""
        super().__init__(Reason.REJECTED_BY_AWS, message)


def put_parameters(answer: Mapping[str, Any], repository: str, tag: str, digest: str) -> dict[str, Any]:
    """Make PutImage's parameters of BatchGetImage's answer: the manifest byte for byte, guarded by its digest.

    Raises Blocked(ArtifactNotFound) where the image is not there, and where what came is not what was asked for.
    """
    images: list[Mapping[str, Any]] = answer.get("images") or []
    manifest = str(images[0]["imageManifest"]) if images else ""
    if not manifest:
        raise Blocked(Reason.ARTIFACT_NOT_FOUND, f"repository {repository!r} has no image {digest}, which tag {tag!r} is to point to")
    if f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}" != digest:
        raise Blocked(Reason.REJECTED_BY_AWS, f"ECR answered another manifest than that of {digest} in repository {repository!r}")
    parameters = {"repositoryName": repository, "imageManifest": manifest, "imageTag": tag, "imageDigest": digest}
    # Required where the manifest itself does not say its type (ECR API reference, PutImage).
    media_type = images[0].get("imageManifestMediaType")
    return parameters | ({"imageManifestMediaType": media_type} if media_type else {})


def put(client: Any, parameters: Mapping[str, Any]) -> None:
    """Put an image under a tag. That tag and digest are so already: success. Runs in a thread."""
    try:
        client.put_image(**parameters)
    except ClientError as error:
        if code_of(error) == "ImageAlreadyExistsException":
            return
        if code_of(error) == "ImageTagAlreadyExistsException":
            raise ImmutableTag(immutable(parameters["repositoryName"], parameters["imageTag"])) from error
        raise


def check_movable(described: Mapping[str, Any], tag: str) -> None:
    """Check a repository of DescribeRepositories. Raises Blocked(RejectedByAWS).

    The filters of MUTABLE_WITH_EXCLUSION and IMMUTABLE_WITH_EXCLUSION turn that around for the tags that they match (ECR user guide,
    "Preventing image tags from being overwritten").
    """
    mutability = str(described.get("imageTagMutability") or "MUTABLE")
    filters = described.get("imageTagMutabilityExclusionFilters") or ()
    excluded = mutability.endswith("_WITH_EXCLUSION") and any(fnmatch.fnmatchcase(tag, f.get("filter", "")) for f in filters)
    if mutability.startswith("IMMUTABLE") != excluded:
        raise ImmutableTag(immutable(str(described.get("repositoryName", "")), tag))


def immutable(repository: str, tag: str) -> str:
    """Say that a tag cannot be moved, and what to do."""
    return (
        f"tag {tag!r} of repository {repository!r} is immutable, so that method EnvironmentTag cannot move it: exclude it from the"
        " repository's tag immutability, or use method TaskDefinition"
    )
