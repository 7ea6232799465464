"""What runs in a service before a set changes it: what a rollback returns to, and what KeepCurrent keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from ecs_release.api.release_status import PinnedImage
from ecs_release.domain.artifacts import environment_tag
from ecs_release.domain.ecs.service import RegistryImage, Service, TaskDefinition
from ecs_release.domain.environments.targets import Target
from ecs_release.domain.model.image_names import ImageName, parse_image, short_digest
from ecs_release.domain.verification.proof import seen_digests


@dataclass(frozen=True, slots=True)
class LookedUp:
    """What the registry has of a container's image: the one that the revision names, and those that tasks show, by digest.

    `lists` has the tagged manifest list of each image that has no tag itself.
    """

    named: RegistryImage | None = None
    images: Mapping[str, RegistryImage] = field(default_factory=dict)
    lists: Mapping[str, RegistryImage] = field(default_factory=dict)


def running_images(
    service: Service, revision: TaskDefinition | None, target: Target, looked_up: Mapping[str, LookedUp] = MappingProxyType({})
) -> dict[str, str]:
    """Return the digest of the image that each listed container runs; one that is not known, or is of another repository, is left out.

    For a steady service it is the digest in its revision, if there is one; else that of the image whose own or platform's digest most
    tasks show.
    """
    shown = shown_digests(service, revision, target)
    named = {c: image.digest for c, image in named_images(revision, target).items()}
    released = {c: _released(digests, looked_up.get(c, LookedUp()), target) for c, digests in shown.items()}
    return {c: digest for c, digest in (named | released).items() if digest}


def named_images(revision: TaskDefinition | None, target: Target) -> dict[str, ImageName]:
    """Return the image that a revision names for each listed container; those of another repository are left out."""
    images = {c: parse_image((revision.image_of(c.name) if revision else None) or "") for c in target.containers}
    return {c.name: image for c, image in images.items() if image.repository in ("", c.repository)}


def shown_digests(service: Service, revision: TaskDefinition | None, target: Target) -> dict[str, tuple[str, ...]]:
    """Return the digests that tasks show in each listed container, the most frequent first, where the revision does not tell what runs.

    They may be those of a manifest list's platforms: what was released is to be looked up.
    """
    found: dict[str, tuple[str, ...]] = {}
    for seen in seen_digests(service):
        if seen.digest:
            found[seen.container] = (*found.get(seen.container, ()), seen.digest)
    images = named_images(revision, target)
    return {c: found[c] for c, image in images.items() if c in found and (service.is_moving or not image.digest)}


def _released(shown: Sequence[str], looked_up: LookedUp, target: Target) -> str:
    """Return the digest of the image that tasks run; an empty string if that cannot be told.

    An image without a tag that no tagged list names was released as it is, or as a platform's of a list that has no tag any more. It runs
    already where revisions name digests; the environment's tag would move to it, and tasks of another platform be replaced by it.
    """
    named, first = looked_up.named, shown[0]
    if named is not None and first in (named.digest, *named.platform_digests):
        return named.digest
    image, of_list = looked_up.images.get(first), looked_up.lists.get(first)
    if image is not None and image.tags:
        return first
    if of_list is not None:
        return of_list.digest
    return "" if environment_tag.uses(target) or len(shown) > 1 else first


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


def are_run_by(runs: Sequence[PinnedImage], wanted: Sequence[PinnedImage]) -> bool:
    """Return whether what runs is what is wanted: the wanted images, or those of their platforms."""
    running = {i.container: i.digest for i in runs}
    return bool(wanted) and all(running.get(i.container) in (i.digest, *(i.platform_digests or ())) for i in wanted)


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
