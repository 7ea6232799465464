"""What ECS pulls: an image's name resolved to a digest, as the container agent does."""

from __future__ import annotations

from moto.ecr.models import ecr_backends

from ecs_release.domain.images import parse_image
from tests.aws_simulator.behaviour import HEALTHY, Behaviour, made_up_digest
from tests.aws_simulator.world import WORLD


def resolve_image(name: str) -> tuple[str, Behaviour]:
    """Resolve an image. An image of ECR that is not there fails to pull; other registries always have what is asked for."""
    image = parse_image(name)
    host = image.ecr
    if host is None:
        return image.digest or made_up_digest(name), HEALTHY
    repository = ecr_backends[host.account][host.region].repositories.get(image.repository)
    for found in repository.images if repository else ():
        if (image.digest and found.image_digest == image.digest) or (not image.digest and (image.tag or "latest") in found.image_tags):
            return found.image_digest, WORLD.behaviours.of(found.image_digest)
    return "", Behaviour(pull_error="CannotPullContainerError: failed to resolve ref")
