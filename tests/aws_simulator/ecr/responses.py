"""The operations of ECR: a registry of another account is read where registryId names one; lists have pages."""

from __future__ import annotations

import json
from typing import Any

from moto.core.responses import ActionResult
from moto.ecr.models import ecr_backends
from moto.ecr.responses import ECRResponse

from tests.aws_simulator.ecr.lookup import is_archived
from tests.aws_simulator.ecr.models import EcrError, invalid
from tests.aws_simulator.paging import page

_IDS_MOST, _PAGE, _PAGE_MOST = 100, 100, 1000


class SimulatedEcrResponse(ECRResponse):
    """What is not here is moto's."""

    @property
    def ecr_backend(self) -> Any:
        """The registry that the request names, else the caller's own."""
        return ecr_backends[self._get_param("registryId") or self.current_account][self.region]

    def describe_repositories(self) -> ActionResult:
        names = self._get_param("repositoryNames")
        found = self.ecr_backend.describe_repositories(registry_id=self._get_param("registryId"), repository_names=names)
        return self._paged("repositories", found, whole=bool(names))

    def describe_images(self) -> ActionResult:
        repository = self._repository()
        wanted = self._ids()
        if wanted is None:
            active = [i for i in self._of_status(repository) if not is_archived(i) or self._asks_for_archived()]
            return self._paged("imageDetails", [_detail(i) for i in active])
        if self._get_param("maxResults") or self._get_param("nextToken"):
            raise invalid("maxResults and nextToken cannot be used with imageIds.")
        found: dict[str, Any] = {}
        for one in wanted:
            image = self._image(repository, one)
            if is_archived(image) and not self._asks_for_archived():
                raise missing(repository, one)
            found[image.image_digest] = _detail(image)
        return ActionResult({"imageDetails": list(found.values())})

    def list_images(self) -> ActionResult:
        ids = []
        for image in self._of_status(self._repository()):
            tags = list(image.image_tags)
            ids += [{"imageDigest": image.image_digest, "imageTag": t} for t in tags] or [{"imageDigest": image.image_digest}]
        return self._paged("imageIds", ids)

    def batch_get_image(self) -> ActionResult:
        self._ids(needed=True)
        return super().batch_get_image()

    def batch_delete_image(self) -> ActionResult:
        ids = self._ids(needed=True)
        repository = self._get_param("repositoryName")
        return ActionResult(self.ecr_backend.batch_delete_image(repository, self._get_param("registryId"), ids))

    def _repository(self) -> Any:
        return self.ecr_backend._get_repository(self._get_param("repositoryName"), self._get_param("registryId"))

    def _ids(self, *, needed: bool = False) -> list[dict[str, str]] | None:
        wanted: list[dict[str, str]] | None = self._get_param("imageIds")
        if (wanted is not None and len(wanted) > _IDS_MOST) or ((needed or wanted is not None) and not wanted):
            raise invalid(
                f"Invalid parameter at 'imageIds' failed to satisfy constraint: 'Member must have length between 1 and {_IDS_MOST}'"
            )
        return wanted

    def _of_status(self, repository: Any) -> list[Any]:
        status = (self._get_param("filter") or {}).get("tagStatus", "ANY")
        return [i for i in repository.images if status == "ANY" or bool(i.image_tags) == (status == "TAGGED")]

    def _image(self, repository: Any, wanted: dict[str, str]) -> Any:
        tag, digest = wanted.get("imageTag"), wanted.get("imageDigest")
        for image in repository.images:
            if (tag is None or tag in image.image_tags) and (digest is None or image.image_digest == digest):
                return image
        raise missing(repository, wanted)

    def update_image_storage_class(self) -> ActionResult:
        """Put an image into archive, or take it out (which takes hours in AWS, and no time here)."""
        image = self._image(self._repository(), self._get_param("imageId"))
        image.sim_archived = self._get_param("targetStorageClass") == "ARCHIVE"
        return ActionResult({"imageId": {"imageDigest": image.image_digest}, "imageStatus": _status(image)})

    def _asks_for_archived(self) -> bool:
        return (self._get_param("filter") or {}).get("imageStatus") in ("ARCHIVED", "ANY")

    def _paged(self, key: str, items: list[Any], *, whole: bool = False) -> ActionResult:
        if whole:
            return ActionResult({key: items})
        size = self._get_param("maxResults")
        found, rest = page(items, self._get_param("nextToken"), size, default=_PAGE, most=_PAGE_MOST, refuse=invalid)
        return ActionResult({key: found, **rest})


def missing(repository: Any, wanted: dict[str, str]) -> EcrError:
    """One image that is not there fails the whole call."""
    named = ", ".join(f"{k}:'{wanted.get(k, 'null')}'" for k in ("imageDigest", "imageTag"))
    message = (
        f"The image with imageId {{{named}}} does not exist within the repository with name '{repository.name}'"
        f" in the registry with id '{repository.registry_id}'"
    )
    return EcrError("ImageNotFoundException", message)


def _status(image: Any) -> str:
    return "ARCHIVED" if is_archived(image) else "ACTIVE"


def _artifact_type(manifest: str) -> str:
    """Return what ECR calls artifactMediaType: the manifest's artifactType, else the type of its config."""
    parsed = json.loads(manifest)
    return str(parsed.get("artifactType") or (parsed.get("config") or {}).get("mediaType") or "")


def _detail(image: Any) -> dict[str, Any]:
    detail = {
        "registryId": image.registry_id,
        "repositoryName": image.repository_name,
        "imageDigest": image.image_digest,
        "imageSizeInBytes": image.image_size_in_bytes or 1,
        "imagePushedAt": image.image_pushed_at,
        "imageManifestMediaType": image.image_manifest_media_type,
        "imageStatus": _status(image),
    }
    kind = _artifact_type(image.image_manifest)
    detail |= {"artifactMediaType": kind} if kind else {}
    return detail | ({"imageTags": list(image.image_tags)} if image.image_tags else {})
