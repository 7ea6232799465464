"""What a Release asks for: its source, the hash that stands for it, and the tags it may be found by in ECR."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from ecs_release.api.conditions import Reason
from ecs_release.api.release_status import Pin, PinnedImage
from ecs_release.api.source import Source, SourceImage
from ecs_release.domain.environments.targets import ListedContainer
from ecs_release.domain.model.errors import Blocked


@dataclass(frozen=True, slots=True)
class Lookup:
    """How to find one container's image: by the first of `tags` that exists, or by `digest` where that is given."""

    container: str
    repository: str
    tags: tuple[str, ...] = ()
    digest: str = ""
    release_hash: str = ""


def pinned_source(pin: Pin | None) -> Source:
    """Return the source that asks for just what was pinned; one without images where nothing was."""
    pinned = (pin.images if pin is not None else None) or ()
    return Source(images=[SourceImage(container=i.container, digest=i.digest or "", release_hash=i.release_hash) for i in pinned])


def digests_of(images: Sequence[PinnedImage] | None) -> dict[str, str]:
    """Return the digest of each container."""
    return {i.container: i.digest or "" for i in images or ()}


def source_hash(source: Source) -> str:
    """Hash a source: equal sources give equal hashes whatever the order of their images. 16 hexadecimal digits."""
    said: dict[str, object] = {}
    if source.release_hash:
        said["releaseHash"] = source.release_hash
    if source.tag:
        said["tag"] = source.tag
    if source.images:
        said["images"] = sorted([i.container, i.digest] for i in source.images)
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def wanted_hash(source: Source) -> str:
    """Name a source for people: the release hash, the tag, or the hash that all images share (else an empty string)."""
    if source.release_hash:
        return source.release_hash
    if source.tag:
        return source.tag
    hashes = {i.release_hash or "" for i in source.images or ()}
    return hashes.pop() if len(hashes) == 1 else ""


def is_moving(source: Source) -> bool:
    """Tell whether the source may mean other digests later: a tag may, a release hash and digests do not."""
    return bool(source.tag)


def lookups(source: Source, containers: tuple[ListedContainer, ...], tag_formats: tuple[str, ...]) -> tuple[Lookup, ...]:
    """List what to look up for each container of a service.

    Raises Blocked(InvalidSpec) where `source.images` does not name each listed container exactly: a partial set would run mixed
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
    """Find the release hash that an image's tags tell, by the first tag format that fits one; an empty string where none does.

    A bare `{releaseHash}` fits any tag, so there only what looks like a git ref (7 to 64 hexadecimal digits) counts.
    """
    for tag_format in tag_formats:
        before, _, after = tag_format.partition("{releaseHash}")
        for tag in sorted(tags):
            inner = tag[len(before) : len(tag) - len(after)]
            if tag == f"{before}{inner}{after}" and inner and (before or after or _is_git_ref(inner)):
                return inner
    return ""


def _is_git_ref(text: str) -> bool:
    return 7 <= len(text) <= 64 and all(c in "0123456789abcdef" for c in text)
