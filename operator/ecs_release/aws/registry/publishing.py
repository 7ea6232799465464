"""Publishes images: tags an image with its release hash, permanently, and moves `latest` to it. Uses ECR's API only, not Docker."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ecs_release.api.conditions import Reason
from ecs_release.aws.registry.ecr import BotoRegistry
from ecs_release.aws.registry.tags import ImmutableTag
from ecs_release.domain.model.errors import Ambiguous, Blocked


class Step(StrEnum):
    """What was done to a tag."""

    ADDED = "Added"
    MOVED = "Moved"
    UNCHANGED = "Unchanged"
    IMMUTABLE = "Immutable"


@dataclass(frozen=True, slots=True)
class Published:
    """A tag after publishing: the digest before (empty: none), and a note for the user."""

    tag: str
    step: Step
    before: str = ""
    note: str = ""


class Publisher:
    """Tags images of one registry."""

    def __init__(self, registry: BotoRegistry) -> None:
        """Tags are moved with the permissions of `registry`."""
        self._registry = registry

    async def digest(self, repository: str, tag: str, digest: str) -> str:
        """Find the digest of an image. Raises Problem; Blocked(ArtifactNotFound) if it does not exist."""
        image = await self._registry.image(repository, digest=digest) if digest else await self._registry.image(repository, tag=tag)
        if image is None:
            named = f"{repository}@{digest}" if digest else f"{repository}:{tag}"
            raise Blocked(Reason.ARTIFACT_NOT_FOUND, f"there is no image {named}: push it first")
        return image.digest

    async def check_release_tag(self, repository: str, tag: str, digest: str) -> str:
        """Return the digest that a release hash names now; empty if none.

        Raises Blocked if it is another image: a release hash never moves. Raises Problem.
        """
        found = await self._registry.tag_digest(repository, tag)
        if found not in ("", digest):
            raise _taken(repository, tag, found, digest)
        return found

    async def release_tag(self, repository: str, tag: str, digest: str) -> Published:
        """Tag an image with its release hash; success if it has the tag already. Raises as `check_release_tag` does."""
        found = await self.check_release_tag(repository, tag, digest)
        if found:
            return Published(tag, Step.UNCHANGED, found)
        try:
            await self._put(repository, tag, digest)
        except ImmutableTag as error:
            # Another build was faster, since the check above.
            raise _taken(repository, tag, await self._registry.tag_digest(repository, tag), digest) from error
        return Published(tag, Step.ADDED)

    async def moving_tag(self, repository: str, tag: str, digest: str) -> Published:
        """Move a tag such as `latest` to an image. Raises Problem; an immutable tag is in the result, not raised."""
        found = await self._registry.tag_digest(repository, tag)
        if found == digest:
            return Published(tag, Step.UNCHANGED, found)
        note = await self._goes_back(repository, found, digest)
        try:
            await self._put(repository, tag, digest)
        except ImmutableTag:
            advice = f"tag {tag!r} is immutable here, and stays on {found}: exclude it from the repository's tag immutability"
            return Published(tag, Step.IMMUTABLE, found, advice)
        return Published(tag, Step.MOVED if found else Step.ADDED, found, note)

    async def _goes_back(self, repository: str, before: str, digest: str) -> str:
        """Return a note if a tag moves to an older image: perhaps a build finished late."""
        if not before:
            return ""
        old, new = await self._registry.image(repository, digest=before), await self._registry.image(repository, digest=digest)
        if old and new and old.pushed_at and new.pushed_at and old.pushed_at > new.pushed_at:
            return f"it leaves {before}, which was pushed later ({old.pushed_at:%Y-%m-%dT%H:%M:%SZ})"
        return ""

    async def _put(self, repository: str, tag: str, digest: str) -> None:
        """Move a tag; after a lost answer, read it back."""
        try:
            await self._registry.move_tag(repository, tag, digest)
        except Ambiguous:
            if await self._registry.tag_digest(repository, tag) != digest:
                raise


def _taken(repository: str, tag: str, found: str, digest: str) -> Blocked:
    return Blocked(
        Reason.REJECTED_BY_AWS,
        f"tag {tag!r} of repository {repository!r} names {found} already, and is not moved to {digest}: a release hash stays on the image"
        " that it was given to. Publish another commit, or remove the tag by hand if nothing was released by it",
    )
