"""moto's ECR with its faults put right: digests, tags that move, immutability, and answers by tag."""

from __future__ import annotations

import copy
import fnmatch
import hashlib
import json
from typing import Any

from moto.core.exceptions import ServiceException
from moto.ecr.models import ECRBackend, Image

from tests.aws_simulator.events import emit_image
from tests.aws_simulator.world import WORLD


class EcrError(ServiceException):
    """An error of ECR: a code and a message."""

    def __init__(self, code: str, message: str) -> None:
        """Both go to the caller."""
        super().__init__(code, message)


class SimulatedEcrBackend(ECRBackend):
    """One registry."""

    def put_image(
        self,
        repository_name: str,
        image_manifest: str,
        image_tag: str | None,
        image_manifest_mediatype: str | None = None,
        digest: str | None = None,
    ) -> Image:
        """Push a manifest, or give one that is there a tag. The digest is the manifest's sha256; a tag moves, its old image stays untagged."""
        repository = self._get_repository(repository_name)
        true_digest = "sha256:" + hashlib.sha256(image_manifest.encode()).hexdigest()
        if digest and digest != true_digest:
            raise EcrError("ImageDigestDoesNotMatchException", f"The digest {digest} does not match the manifest's {true_digest}.")
        media_type = image_manifest_mediatype or json.loads(image_manifest).get("mediaType")
        if not media_type:
            raise EcrError("InvalidParameterException", "image manifest mediatype not provided in manifest or parameter")
        image = next((i for i in repository.images if i.image_digest == true_digest), None)
        holder = next((i for i in repository.images if image_tag is not None and image_tag in i.image_tags), None)
        if image is not None and (image_tag is None or holder is image):
            raise EcrError(
                "ImageAlreadyExistsException",
                f"Image with digest '{true_digest}' and tag '{image_tag}' already exists in the repository with name '{repository_name}'",
            )
        if holder is not None and self._immutable(repository, image_tag or ""):
            raise EcrError(
                "ImageTagAlreadyExistsException",
                f"The image tag '{image_tag}' already exists in the '{repository_name}' repository and cannot be overwritten because the tag is immutable.",
            )
        if holder is not None:
            holder.image_tags.remove(image_tag)
            holder.image_tag = holder.image_tags[-1] if holder.image_tags else None
        if image is None:
            image = Image(self.account_id, image_tag, image_manifest, repository_name, media_type, true_digest)
            repository.images.append(image)
        else:
            image.update_tag(image_tag)
        WORLD.behaviours.pushed(true_digest, image_tag)
        emit_image(self.account_id, self.region_name, repository_name, true_digest, image_tag, media_type)
        answer = copy.copy(image)
        answer.image_tag = image_tag
        return answer

    @staticmethod
    def _immutable(repository: Any, tag: str) -> bool:
        mutability = repository.image_tag_mutability or "MUTABLE"
        filters = repository.image_tag_mutability_exclusion_filters or []
        excluded = any(fnmatch.fnmatchcase(tag, f["filter"]) for f in filters)
        return mutability.startswith("IMMUTABLE") != excluded if filters else mutability.startswith("IMMUTABLE")

    def batch_get_image(
        self, repository_name: str, registry_id: str | None = None, image_ids: list[dict[str, Any]] | None = None
    ) -> dict[str, Any]:
        """Answer each image under the tag that was asked for."""
        repository = self._get_repository(repository_name, registry_id)
        images, failures = [], []
        for wanted in image_ids or ():
            tag, digest = wanted.get("imageTag"), wanted.get("imageDigest")
            found = next(
                (i for i in repository.images if (not tag or tag in i.image_tags) and (not digest or i.image_digest == digest)), None
            )
            if found is None:
                failures.append({"imageId": wanted, "failureCode": "ImageNotFound", "failureReason": "Requested image not found"})
                continue
            answer = copy.copy(found)
            answer.image_tag = tag
            images.append(answer)
        return {"images": images, "failures": failures}
