"""What runs in a service before a set moves it: what a rollback returns to, and what KeepCurrent keeps."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from ecs_release.api.release_status import PinnedImage
from ecs_release.domain.ecs.service import Service, TaskDefinition
from ecs_release.domain.environments.targets import Target
from ecs_release.domain.model.image_names import parse_image, short_digest
from ecs_release.domain.rules.at_rest import is_moving
from ecs_release.domain.verification.proof import seen_digests


def current_images(service: Service, revision: TaskDefinition | None, target: Target) -> dict[str, str]:
    """Return the digest that each listed container runs; one that nobody knows, or that is of another repository, is left out.

    A steady service's revision tells most where it names a digest (of a manifest list, which tasks may show as a platform's); else the
    digest that most tasks show.
    """
    shown: dict[str, str] = {}
    for seen in seen_digests(service):
        if seen.digest:
            shown.setdefault(seen.container, seen.digest)
    found: dict[str, str] = {}
    for container in target.containers:
        image = parse_image((revision.image_of(container.name) if revision else None) or "")
        if image.repository and image.repository != container.repository:
            continue
        named = image.digest
        digest = named if named and not is_moving(service) else shown.get(container.name) or named
        if digest:
            found[container.name] = digest
    return found


def as_images(digests: Mapping[str, str], hashes: Mapping[str, str], target: Target) -> tuple[PinnedImage, ...]:
    """Write digests as images; none where one of the listed containers is not known."""
    if any(c.name not in digests for c in target.containers):
        return ()
    return tuple(
        PinnedImage(
            container=c.name,
            repository=f"{target.registry_host}/{c.repository}",
            digest=digests[c.name],
            release_hash=hashes.get(digests[c.name]) or None,
        )
        for c in target.containers
    )


def older(wanted: PinnedImage, runs: str, pushed: datetime | None) -> str:
    """Say that a wanted image is older than what runs; an empty string where it is not, or nobody knows."""
    if wanted.digest == runs or wanted.pushed_time is None or pushed is None or wanted.pushed_time >= pushed:
        return ""
    return (
        f"{wanted.container} goes back: {wanted.release_hash or short_digest(wanted.digest or '')} was pushed at"
        f" {wanted.pushed_time:%Y-%m-%d %H:%M}, what runs ({short_digest(runs)}) at {pushed:%Y-%m-%d %H:%M} UTC"
    )


def gone(wanted: PinnedImage, runs: str) -> str:
    """Say that what runs is no longer in the registry that it is replaced from."""
    return f"{wanted.container}: what runs ({short_digest(runs)}) is not in its registry any more, so that nothing can return to it"
