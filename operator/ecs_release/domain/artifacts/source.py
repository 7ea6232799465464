"""The source of a Release, its hash, and the tags that it may be found by in ECR."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ecs_release.api.conditions import Reason
from ecs_release.api.release_status import UNKNOWN_PLATFORMS, Pin, PinnedImage
from ecs_release.api.source import Source, SourceImage
from ecs_release.domain.artifacts.claimed_hash import claimed, confirmed_hash
from ecs_release.domain.environments.targets import ListedContainer, Target
from ecs_release.domain.model.errors import Blocked


@dataclass(frozen=True, slots=True)
class Lookup:
    """How to find one container's image: by the first of `tags` that exists, or by `digest` if that is given."""

    container: str
    repository: str
    tags: tuple[str, ...] = ()
    digest: str = ""
    release_hash: str = ""


def pinned_source(pin: Pin | None) -> Source:
    """Return a source of the pinned digests; one without images if nothing was pinned. A hash that is only claimed is not repeated."""
    pinned = (pin.images if pin is not None else None) or ()
    return Source(
        images=[SourceImage(container=i.container, digest=i.digest or "", release_hash=confirmed_hash(i.release_hash)) for i in pinned]
    )


def digests_of(images: Sequence[PinnedImage] | None) -> dict[str, str]:
    """Return the digest of each container."""
    return {i.container: i.digest or "" for i in images or ()}


def source_hash(source: Source) -> str:
    """Hash a source: equal sources give equal hashes whatever the order of their images. 16 hexadecimal digits."""
    content: dict[str, object] = {}
    if source.release_hash:
        content["releaseHash"] = source.release_hash
    if source.tag:
        content["tag"] = source.tag
    if source.images:
        content["images"] = sorted([i.container, i.digest] for i in source.images)
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def unpinned(pin: Pin, containers: Iterable[ListedContainer]) -> list[str]:
    """List the containers of a Project for which a source was not resolved: they were added, or renamed, since."""
    pinned = digests_of(pin.images)
    return [c.name for c in containers if not pinned.get(c.name)]


def resolved_elsewhere(pin: Pin, target: Target) -> list[str]:
    """List the containers whose image was resolved in another repository than the Project and the Environment name now.

    That a digest is in one repository does not prove that it is in another.
    """
    places = {i.container: i.repository for i in pin.images or ()}
    return [c.name for c in target.containers if places.get(c.name) not in (None, f"{target.registry_host}/{c.repository}")]


def is_incomplete(image: PinnedImage) -> bool:
    """Return whether a pinned image was not looked up in ECR yet. Earlier versions left it without a repository then."""
    return image.platforms == UNKNOWN_PLATFORMS or image.repository is None


def completed_pin(pin: Pin, fresh: Pin) -> Pin:
    """Add the containers that a pin lacks from what its source means now; those that it has keep their images (law 2).

    One that was resolved in another repository is resolved anew.
    """
    known = {(i.container, i.repository): i for i in pin.images or ()}
    kept = [known.get((i.container, i.repository)) or known.get((i.container, None)) or i for i in fresh.images or ()]
    return fresh.model_copy(update={"images": kept})


def display_hash(source: Source, pin: Pin | None = None) -> str:
    """Return what to call a source: its release hash, its tag, or the hash that all images share (else an empty string).

    What the images' hashes are, `pin` says, if the source was resolved to it. Without it they are what the manifest claims.
    """
    if source.release_hash:
        return source.release_hash
    if source.tag:
        return source.tag
    if pin is not None and pin.source_hash == source_hash(source):
        hashes = {i.release_hash or "" for i in pin.images or ()}
    else:
        hashes = {claimed(i.release_hash or "") for i in source.images or ()}
    return hashes.pop() if len(hashes) == 1 else ""


def may_move(source: Source) -> bool:
    """Return whether the source may mean other digests later: a tag may, a release hash and digests do not."""
    return bool(source.tag)


def lookups(source: Source, containers: tuple[ListedContainer, ...], tag_formats: tuple[str, ...]) -> tuple[Lookup, ...]:
    """List what to look up for each container of a service.

    Raises Blocked(InvalidSpec) if `source.images` does not name each listed container exactly: a partial set would run mixed
    versions (wellcomecollection/platform#5626).
    """
    if source.release_hash:
        tags = tuple(f.replace("{releaseHash}", source.release_hash) for f in tag_formats)
        return tuple(Lookup(c.name, c.repository, tags, release_hash=source.release_hash) for c in containers)
    if source.tag:
        return tuple(Lookup(c.name, c.repository, (source.tag,)) for c in containers)
    return _by_digest(source, containers)


def _by_digest(source: Source, containers: tuple[ListedContainer, ...]) -> tuple[Lookup, ...]:
    images = {i.container: i for i in source.images or ()}
    listed = {c.name for c in containers}
    missing, unknown = sorted(listed - images.keys()), sorted(images.keys() - listed)
    if missing:
        raise Blocked(Reason.INVALID_SPEC, f"spec.source.images has no image for container {', '.join(missing)}: give one for each")
    if unknown:
        raise Blocked(
            Reason.INVALID_SPEC,
            f"spec.source.images names container {', '.join(unknown)}, which the Project does not list for this service;"
            f" it lists: {', '.join(sorted(listed))}",
        )
    return tuple(
        Lookup(c.name, c.repository, digest=images[c.name].digest, release_hash=images[c.name].release_hash or "") for c in containers
    )


def hash_of_tags(tags: tuple[str, ...], tag_formats: tuple[str, ...]) -> str:
    """Return the release hash in an image's tags, by the first tag format that fits one; an empty string if none does.

    A bare `{releaseHash}` fits any tag, so with it only a tag that looks like a git ref (7 to 64 hexadecimal digits) counts.
    """
    for tag_format in tag_formats:
        before, _, after = tag_format.partition("{releaseHash}")
        for tag in sorted(tags):
            inner = tag[len(before) : len(tag) - len(after)]
            if tag == f"{before}{inner}{after}" and inner and (before or after or _is_git_ref(inner)):
                return inner
    return ""


def hash_of_image(lookup: Lookup, tags: tuple[str, ...], tag_formats: tuple[str, ...]) -> str:
    """Return the release hash of an image that was found, by its tags.

    An image that was found by a tag of its release hash has that tag. A hash that a manifest gives beside a digest is marked as claimed
    if the image has no tag of any hash.
    """
    given = lookup.release_hash
    if not lookup.digest:
        return given or hash_of_tags(tags, tag_formats)
    if given and any(f.replace("{releaseHash}", given) in tags for f in tag_formats):
        return given
    return hash_of_tags(tags, tag_formats) or claimed(given)


def _is_git_ref(text: str) -> bool:
    return 7 <= len(text) <= 64 and all(c in "0123456789abcdef" for c in text)
