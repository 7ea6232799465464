"""Many services at once, steady and with a past: made without a call for each, for benchmarks of what it costs to watch them."""

from __future__ import annotations

import json
from typing import Any

from moto.ecr.models import ecr_backends
from moto.ecs.models import ecs_backends

from tests.aws_simulator.world import WORLD

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_BETWEEN_EVENTS_S = 6 * 3600.0
"""ECS says of a service that stays steady that it is so every six hours."""


def make_images(account: str, region: str, repositories: list[str], tags: list[str]) -> dict[str, str]:
    """Push an image under each tag to each repository. Returns digests by `repository:tag`."""
    registry = ecr_backends[account][region]
    digests = {}
    for repository in repositories:
        if repository not in registry.repositories:
            registry.create_repository(repository, account, {}, None, "MUTABLE", [])
        for tag in tags:
            content = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": {"size": 1, "comment": f"{repository} {tag}"}}
            digests[f"{repository}:{tag}"] = registry.put_image(repository, json.dumps(content), tag, None).image_digest
    return digests


def make_services(
    account: str, region: str, cluster: str, images: dict[str, dict[str, str]], events: int, desired: int, content: dict[str, Any]
) -> None:
    """Create services by name, each of containers and their images; `content` is a task definition whose first container is the pattern."""
    backend = ecs_backends[account][region]
    if cluster not in backend.clusters:
        backend.create_cluster(cluster)
    pattern, now = content["containerDefinitions"][0], WORLD.clock.now()
    for name, containers in images.items():
        definition = {
            **content,
            "family": f"{cluster}-{name}",
            "containerDefinitions": [{**pattern, "name": c, "image": image} for c, image in containers.items()],
        }
        revision = backend.definitions.register(definition, f"arn:aws:iam::{account}:role/terraform", now)["taskDefinitionArn"]
        service = backend.sim_create_service({"cluster": cluster, "serviceName": name, "taskDefinition": revision, "desiredCount": desired})
        for n in range(events, 0, -1):
            service.voice.say("has reached a steady state.", now - n * _BETWEEN_EVENTS_S)
