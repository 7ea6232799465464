"""What ECS pulls: an image's name resolved to a digest, and the image of a digest, as the container agent does."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from moto.ecr.models import ecr_backends

from tests.aws_simulator.behaviour import HEALTHY, KINDS, Behaviour, made_up_digest
from tests.aws_simulator.world import WORLD

_HOST = re.compile(
    r"(?P<account>\d{12})\.dkr[.-]ecr(-fips)?\.(?P<region>[a-z0-9-]+)\.(amazonaws\.com(\.cn)?|on\.aws|sc2s\.sgov\.gov|c2s\.ic\.gov)"
)
_NAME = re.compile(r"(?P<rest>[^@]*?)(:(?P<tag>[\w][\w.-]{0,127}))?(@(?P<digest>sha256:[0-9a-f]{64}))?")


@dataclass(frozen=True, slots=True)
class _Name:
    """An image's name, taken apart; no account where the registry is not ECR."""

    account: str
    region: str
    repository: str
    tag: str
    digest: str


def _parse(name: str) -> _Name:
    found = _NAME.fullmatch(name)
    rest, tag, digest = (found["rest"], found["tag"] or "", found["digest"] or "") if found else (name, "", "")
    host = _HOST.fullmatch(rest.partition("/")[0])
    if host is None:
        return _Name("", "", rest, tag, digest)
    return _Name(host["account"], host["region"], rest.partition("/")[2], tag, digest)


class EcrImages:
    """The images of all simulated registries; other registries have whatever is asked for."""

    def digest_of(self, name: str) -> str:
        """Resolve a name; empty where ECR has no such image."""
        image = _parse(name)
        if not image.account:
            return image.digest or made_up_digest(name)
        for found in self._images(image):
            if found.image_digest == image.digest if image.digest else (image.tag or "latest") in found.image_tags:
                return str(found.image_digest)
        return ""

    def pulled(self, name: str, digest: str) -> Behaviour:
        """Pull an image. One that has gone from its registry since its tag was resolved cannot be pulled."""
        image = _parse(name)
        if image.account and not any(i.image_digest == digest and not is_archived(i) for i in self._images(image)):
            return KINDS["pullfail"]
        return WORLD.behaviours.of(digest) if digest else HEALTHY

    def platforms_of(self, name: str, digest: str) -> tuple[str, ...]:
        """List the digests that a manifest list names; none for a plain image."""
        found = next((i for i in self._images(_parse(name)) if i.image_digest == digest), None)
        return children(found.image_manifest) if found is not None else ()

    @staticmethod
    def _images(image: _Name) -> list[Any]:
        if not image.account:
            return []
        repository = ecr_backends[image.account][image.region].repositories.get(image.repository)
        return list(repository.images) if repository else []


def is_archived(image: Any) -> bool:
    """Return whether an image is in archive: it can be described, and not be pulled."""
    return bool(getattr(image, "sim_archived", False))


def children(manifest: str) -> tuple[str, ...]:
    """List the digests of a manifest list's own manifests."""
    return tuple(entry["digest"] for entry in json.loads(manifest).get("manifests") or ())
