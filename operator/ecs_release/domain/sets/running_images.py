"""What runs in a service before a set changes it: what a rollback returns to, and what KeepCurrent keeps."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from ecs_release.api.release_status import PinnedImage
from ecs_release.domain.ecs.service import Service, TaskDefinition
from ecs_release.domain.environments.targets import Target
from ecs_release.domain.model.image_names import parse_image, short_digest
from ecs_release.domain.verification.proof import seen_digests


def running_images(service: Service, revision: TaskDefinition | None, target: Target) -> dict[str, str]:
    """Return the digest that each listed container runs; one that is not known, or is of another repository, is left out.

    For a steady service it is the digest in its revision, if there is one (a manifest list's, while tasks may report a platform's); else
    the digest that most tasks run.
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
        digest = named if named and not service.is_moving else shown.get(container.name) or named
        if digest:
            found[container.name] = digest
    return found


def pinned_images(digests: Mapping[str, str], hashes: Mapping[str, str], target: Target) -> tuple[PinnedImage, ...]:
    """Return digests as images; none if that of one listed container is not known."""
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


def older_note(wanted: PinnedImage, runs: str, pushed: datetime | None) -> str:
    """Return a note if a wanted image is older than what runs; an empty string if it is not, or that is not known."""
    if wanted.digest == runs or wanted.pushed_time is None or pushed is None or wanted.pushed_time >= pushed:
        return ""
    return (
        f"{wanted.container} goes back: {wanted.release_hash or short_digest(wanted.digest or '')} was pushed at"
        f" {wanted.pushed_time:%Y-%m-%d %H:%M}, what runs ({short_digest(runs)}) at {pushed:%Y-%m-%d %H:%M} UTC"
    )


def gone_note(wanted: PinnedImage, runs: str) -> str:
    """Return a note that what runs is no longer in the registry, so that a rollback to it is impossible."""
    return f"{wanted.container}: what runs ({short_digest(runs)}) is not in its registry any more, so that nothing can return to it"
