"""The operations of ECR: a registry of another account is read where registryId names one."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ecr.models import ecr_backends
from moto.ecr.responses import ECRResponse


class SimulatedEcrResponse(ECRResponse):
    """What is not here is moto's."""

    @property
    def ecr_backend(self) -> Any:
        """The registry that the request names, else the caller's own."""
        return ecr_backends[self._get_param("registryId") or self.current_account][self.region]

    def describe_images(self) -> ActionResult:
        registry_id = self._get_param("registryId")
        wanted = self._get_param("imageIds")
        images = list(self.ecr_backend.describe_images(self._get_param("repositoryName"), registry_id, wanted))
        size, first = int(self._get_param("maxResults") or 100), int(self._get_param("nextToken") or 0)
        page = images if wanted else images[first : first + size]
        rest = {} if wanted or first + size >= len(images) else {"nextToken": str(first + size)}
        return ActionResult({"imageDetails": [_detail(i) for i in page], **rest})


def _detail(image: Any) -> dict[str, Any]:
    detail = {
        "registryId": image.registry_id,
        "repositoryName": image.repository_name,
        "imageDigest": image.image_digest,
        "imageSizeInBytes": image.image_size_in_bytes or 1,
        "imagePushedAt": image.image_pushed_at,
        "imageManifestMediaType": image.image_manifest_media_type,
    }
    return detail | ({"imageTags": list(image.image_tags)} if image.image_tags else {})
