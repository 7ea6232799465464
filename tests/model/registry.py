"""ECR: images of a few releases, each an index of platforms or one image, by tag and by digest; and how each behaves when it is run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

HEALTHY, CRASHES, CANNOT_PULL, HANGS = "healthy", "crashes", "cannot-pull", "hangs"
BEHAVIOURS = (HEALTHY, CRASHES, CANNOT_PULL, HANGS)
"""`hangs`: its tasks never leave PENDING, as without capacity."""


@dataclass(frozen=True)
class Image:
    """One image of a repository."""

    repository: str
    release: str
    digest: str
    platforms: tuple[str, ...]

    @property
    def digests(self) -> frozenset[str]:
        """All digests that a task may show of it."""
        return frozenset((self.digest, *self.platforms))


def _digest(*parts: str) -> str:
    return "sha256:" + hashlib.sha256("/".join(parts).encode()).hexdigest()


@dataclass
class EcrRegistry:
    """One registry. Releases are named by a letter; `behaviour` is that of each one's images."""

    has_platforms: bool
    images: dict[str, Image] = field(default_factory=dict)
    tags: dict[tuple[str, str], str] = field(default_factory=dict)
    moved: list[tuple[float, str]] = field(default_factory=list)
    """When tags were moved, each with the digest that it pointed to before."""
    movers: dict[str, str] = field(default_factory=dict)
    """Who has moved a repository's tag last."""
    behaviour: dict[str, str] = field(default_factory=dict)
    _by_any_digest: dict[str, Image] = field(default_factory=dict)

    def push(self, repository: str, release: str) -> Image:
        """Push an image, tagged with the release's hash."""
        platforms = tuple(_digest(repository, release, p) for p in ("amd64", "arm64")) if self.has_platforms else ()
        image = Image(repository, release, _digest(repository, release), platforms)
        self.images[image.digest] = image
        self._by_any_digest |= dict.fromkeys(image.digests, image)
        self.tags[repository, hash_of(release)] = image.digest
        return image

    def move(self, repository: str, tag: str, digest: str, now: float, by: str) -> None:
        """Point a tag to another image."""
        self.movers[repository] = by
        self.moved.append((now, self.tags.get((repository, tag), "")))
        self.tags[repository, tag] = digest

    def of_digest(self, digest: str) -> Image | None:
        """Find the image that a digest is of, a platform's too."""
        return self._by_any_digest.get(digest)

    def of_reference(self, reference: str) -> Image | None:
        """Find the image that a task definition names now."""
        name, _, digest = reference.partition("@")
        if digest:
            return self._by_any_digest.get(digest)
        path, _, tag = name.partition("/")[2].rpartition(":")
        return self.images.get(self.tags.get((path, tag), ""))

    def behaviour_of(self, image: Image | None) -> str:
        """Say what becomes of a task that runs an image."""
        return self.behaviour.get(image.release, HEALTHY) if image is not None else CANNOT_PULL


def hash_of(release: str) -> str:
    """Return the release hash of a release."""
    return release * 7
