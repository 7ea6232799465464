"""Reads a live ECS cluster, and the tags of what runs there. Nothing is changed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from ecs_release.api.environment import Artifacts
from ecs_release.aws.command_clients import CommandClients
from ecs_release.cli.kubectl.importing import ecs_objects
from ecs_release.cli.kubectl.importing.ecs_objects import ImportableService, ObservedService
from ecs_release.cli.kubectl.importing.weco_manifest import Notes
from ecs_release.domain.artifacts.source import hash_of_tags
from ecs_release.domain.ecs.service import Access, Service
from ecs_release.domain.model.errors import Blocked
from ecs_release.domain.model.image_names import EcrHost
from ecs_release.domain.ports.protocols import ImagesAnswer

_SERVICES_A_CALL = 10


async def describe_cluster(clients: CommandClients, access: Access, cluster: str) -> list[ObservedService]:
    """Describe all services of a cluster with their tasks and revisions. Raises Problem."""
    names = await clients.service_names(access, cluster)
    adapter = clients.ecs(access)
    parts = [names[first : first + _SERVICES_A_CALL] for first in range(0, len(names), _SERVICES_A_CALL)]
    answers = await asyncio.gather(*(adapter.describe_services(cluster, part) for part in parts))
    services = [s for answer in answers for s in answer.services.values() if s.status == "ACTIVE"]

    async def one(service: Service) -> ObservedService:
        arns = await adapter.list_tasks(cluster, service.name)
        tasks = await adapter.describe_tasks(cluster, arns)
        revision = await adapter.describe_task_definition(service.task_definition)
        return ObservedService(replace(service, tasks=tuple(tasks)), revision)

    return list(await asyncio.gather(*(one(service) for service in services)))


async def hashes(
    clients: CommandClients, access: Access, host: EcrHost, found: Sequence[ImportableService], notes: Notes
) -> dict[tuple[str, str], tuple[str, str]]:
    """Return the digest to pin and its release hash for each running digest, by repository; a hash may be missing."""
    registry = clients.registry(access, host.account, host.region)
    formats = tuple(Artifacts().tag_formats)
    known: dict[tuple[str, str], tuple[str, str]] = {}
    for repository, digests in sorted(ecs_objects.wanted_images(found).items()):
        try:
            answer = await registry.images(repository, digests)
            untagged = [i for i in answer.images.values() if not i.tags]
            naming = await registry.manifest_lists_naming(repository, untagged) if untagged else ImagesAnswer()
        except Blocked as problem:
            notes.add(f"repository {repository}: no release hashes: {problem.message}")
            continue
        for digest, why in sorted({**answer.unread, **naming.unread}.items()):
            notes.add(f"repository {repository}: no release hash of {digest}: {why.message}")
        for digest in sorted(digests - answer.unread.keys()):
            image = answer.images.get(digest)
            if image is None:
                notes.add(f"repository {repository}: {digest} runs, and is no longer there: a rollback to it will not work")
                continue
            chosen = ecs_objects.preferred_image(image, naming.images.get(digest))
            known[repository, digest] = (chosen.digest, hash_of_tags(chosen.tags, formats))
    return known


def with_account(access: Access, account: str) -> Access:
    """Return an access with its account filled in."""
    return replace(access, account_id=account)
