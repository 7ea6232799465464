"""moto's ECR with its faults put right: digests, tags that move, immutability, answers by tag, deletion."""

from __future__ import annotations

import copy
import fnmatch
import hashlib
import json
from typing import Any

from moto.core.exceptions import ServiceException
from moto.ecr.models import ECRBackend, Image

from tests.aws_simulator.ecr.lookup import children
from tests.aws_simulator.events import emit_image
from tests.aws_simulator.world import WORLD


class EcrError(ServiceException):
    """An error of ECR: a code and a message."""

    def __init__(self, code: str, message: str) -> None:
        """Both go to the caller."""
        super().__init__(code, message)


def invalid(message: str) -> EcrError:
    """A parameter is wrong."""
    return EcrError("InvalidParameterException", message)


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
        media_type = self._check_manifest(repository, image_manifest, image_manifest_mediatype, digest, true_digest)
        image = next((i for i in repository.images if i.image_digest == true_digest), None)
        holder = next((i for i in repository.images if image_tag is not None and image_tag in i.image_tags), None)
        if image is not None and (image_tag is None or holder is image):
            raise EcrError(
                "ImageAlreadyExistsException",
                f"Image with digest '{true_digest}' and tag '{image_tag}' already exists in the repository with name '{repository_name}'"
                f" in registry with id '{self.account_id}'",
            )
        if holder is not None:
            self._move_tag(repository, holder, image_tag or "")
        if image is None:
            image = Image(self.account_id, image_tag, image_manifest, repository_name, media_type, true_digest)
            repository.images.append(image)
        else:
            image.update_tag(image_tag)
        WORLD.behaviours.pushed((true_digest, *children(image_manifest)), image_tag)
        emit_image(self.account_id, self.region_name, repository_name, true_digest, image_tag, media_type)
        return _as_asked(image, image_tag)

    @staticmethod
    def _check_manifest(repository: Any, manifest: str, media_type: str | None, digest: str | None, true_digest: str) -> str:
        if digest and digest != true_digest:
            raise EcrError("ImageDigestDoesNotMatchException", f"The digest {digest} does not match the manifest's {true_digest}.")
        try:
            content = json.loads(manifest)
        except ValueError:
            raise invalid("Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'") from None
        stated = media_type or content.get("mediaType")
        if not stated:
            raise invalid("image manifest mediatype not provided in manifest or parameter")
        known = {i.image_digest for i in repository.images}
        missing = [d for d in children(manifest) if d not in known]
        if missing:
            raise EcrError(
                "ReferencedImagesNotFoundException", f"The manifest list refers to images that do not exist: {', '.join(missing)}"
            )
        return str(stated)

    def _move_tag(self, repository: Any, holder: Image, tag: str) -> None:
        if self._immutable(repository, tag):
            raise EcrError(
                "ImageTagAlreadyExistsException",
                f"The image tag '{tag}' already exists in the '{repository.name}' repository and cannot be overwritten because the tag is immutable.",
            )
        holder.image_tags.remove(tag)
        holder.image_tag = holder.image_tags[-1] if holder.image_tags else None

    @staticmethod
    def _immutable(repository: Any, tag: str) -> bool:
        """Filters turn the mutability that they are excluded from around, for the tags that they match."""
        mutability = repository.image_tag_mutability or "MUTABLE"
        filters = repository.image_tag_mutability_exclusion_filters or []
        excluded = mutability.endswith("_WITH_EXCLUSION") and any(fnmatch.fnmatchcase(tag, f["filter"]) for f in filters)
        return mutability.startswith("IMMUTABLE") != excluded

    def batch_get_image(
        self, repository_name: str, registry_id: str | None = None, image_ids: list[dict[str, Any]] | None = None
    ) -> dict[str, Any]:
        """Answer each image under the tag that was asked for."""
        repository = self._get_repository(repository_name, registry_id)
        images, failures = [], []
        for wanted in image_ids or ():
            found = _find(repository, wanted)
            if found is None:
                failures.append({"imageId": wanted, "failureCode": "ImageNotFound", "failureReason": "Requested image not found"})
            else:
                images.append(_as_asked(found, wanted.get("imageTag")))
        return {"images": images, "failures": failures}

    def batch_delete_image(
        self, repository_name: str, registry_id: str | None = None, image_ids: list[dict[str, str]] | None = None
    ) -> dict[str, Any]:
        """Delete tags, and images by digest or with their last tag; an image that a manifest list names cannot go before the list."""
        repository = self._get_repository(repository_name, registry_id)
        deleted, failures = [], []
        for wanted in image_ids or ():
            found = _find(repository, wanted)
            code = (
                "ImageNotFound"
                if found is None
                else "ImageReferencedByManifestList"
                if self._is_referenced(repository, found, wanted)
                else ""
            )
            if found is None or code:
                failures.append(
                    {"imageId": wanted, "failureCode": code, "failureReason": "Requested image not found" if found is None else code}
                )
                continue
            deleted += self._delete(repository, found, wanted.get("imageTag"))
        return {"imageIds": deleted, "failures": failures}

    @staticmethod
    def _is_referenced(repository: Any, image: Image, wanted: dict[str, str]) -> bool:
        if wanted.get("imageTag") and len(image.image_tags) > 1:
            return False
        return any(image.image_digest in children(i.image_manifest) for i in repository.images)

    def _delete(self, repository: Any, image: Image, tag: str | None) -> list[dict[str, str]]:
        tags = [tag] if tag else list(image.image_tags)
        for one in tags:
            image.image_tags.remove(one)
        if not image.image_tags:
            repository.images.remove(image)
        image.image_tag = image.image_tags[-1] if image.image_tags else None
        for one in tags or [None]:
            emit_image(
                self.account_id, self.region_name, repository.name, image.image_digest, one, image.image_manifest_media_type, "DELETE"
            )  # fmt: skip
        return [{"imageDigest": image.image_digest} | ({"imageTag": one} if one else {}) for one in tags or [None]]


def _find(repository: Any, wanted: dict[str, str]) -> Image | None:
    tag, digest = wanted.get("imageTag"), wanted.get("imageDigest")
    return next(
        (i for i in repository.images if (tag or digest) and (not tag or tag in i.image_tags) and (not digest or i.image_digest == digest)),
        None,
    )


def _as_asked(image: Image, tag: str | None) -> Image:
    answer = copy.copy(image)
    answer.image_tag = tag
    return answer
