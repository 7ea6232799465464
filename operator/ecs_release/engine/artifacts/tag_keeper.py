"""Tags that keep running images (`artifacts.keepTag`): their holders, whether they are on the right image, and moving them there.

Nothing waits for this or fails because of it. A tag is read before it is moved, and moving it twice changes nothing, so that it needs no
intent in status (law 6: intent before act, for what must not happen twice).
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from ecs_release.domain.artifacts.registry_images import KeepTag, Repository
from ecs_release.domain.ecs.service import RegistryImage
from ecs_release.domain.model.errors import Problem, Retryable
from ecs_release.domain.ports.protocols import ObjectKey, Registry

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Tag:
    """One tag of a repository: the Release that it is kept for, the image that it belongs on, and why moving it failed."""

    holder: ObjectKey
    hold: KeepTag
    checked: bool = False
    failure: str = ""


@dataclass(slots=True)
class TagKeeper:
    """Moves keep tags. `may_change` is called right before a move: the Release's Environment may have been suspended meanwhile."""

    may_change: Callable[[ObjectKey], bool]
    _holds: dict[ObjectKey, tuple[KeepTag, ...]] = field(default_factory=dict)
    _tags: dict[Repository, dict[str, _Tag]] = field(default_factory=lambda: defaultdict(dict))

    def hold(self, key: ObjectKey, holds: tuple[KeepTag, ...]) -> list[Repository]:
        """Set which tags are kept for a Release. Returns the repositories of new ones."""
        before = self._holds.get(key, ())
        for old in set(before) - set(holds):
            self._release(key, old)
        if holds:
            self._holds[key] = holds
        else:
            self._holds.pop(key, None)
        return [new.repository for new in holds if new not in before and self._tag(key, new).holder == key]

    def problem(self, key: ObjectKey) -> str | None:
        """Return why a tag is not on its image; empty if all are, None if that is not known yet."""
        known = key in self._holds
        for hold in self._holds.get(key, ()):
            tag = self._tag(key, hold)
            known = known and tag.checked
            if tag.holder != key and tag.hold.digest != hold.digest:
                return (
                    f"tag {hold.tag!r} of repository {hold.repository.name!r} is held for Release {tag.holder}: put {{namespace}} and"
                    " {project} into artifacts.keepTag"
                )
            if tag.failure:
                return f"tag {hold.tag!r} is not on the image that runs: {tag.failure}"
        return "" if known else None

    def due(self, repository: Repository, *, whole: bool) -> list[KeepTag]:
        """List the tags to check in a repository: all, or those that were not checked since they changed."""
        return [t.hold for t in self._tags.get(repository, {}).values() if whole or not t.checked]

    def is_needed(self, repository: Repository) -> bool:
        """Return whether any tag is kept in a repository."""
        return bool(self._tags.get(repository))

    async def keep(self, registry: Registry, hold: KeepTag, image: RegistryImage | None) -> ObjectKey | None:
        """Move a tag if it is not on its image. Returns its Release if the result changed. Raises Retryable."""
        tag = self._tags.get(hold.repository, {}).get(hold.tag)
        if tag is None or tag.hold != hold:
            return None
        failure = ""
        if image is not None and hold.tag not in image.tags:
            if not self.may_change(tag.holder):
                return None
            extra = {"object": str(tag.holder)}
            try:
                await registry.check_movable(hold.repository.name, hold.tag)
                await registry.move_tag(hold.repository.name, hold.tag, hold.digest)
                log.info("tag %s of %s is now on %s", hold.tag, hold.repository.name, hold.digest, extra=extra)
            except Retryable:
                raise
            except Problem as problem:
                failure = problem.message
                log.warning("cannot move tag %s of %s: %s", hold.tag, hold.repository.name, failure, extra=extra)
        before, tag.failure, tag.checked = tag.failure, failure, True
        return tag.holder if failure != before else None

    def forget(self, key: ObjectKey) -> None:
        """Forget a deleted Release (law 9: deleting touches nothing in AWS, and so no tag)."""
        self.hold(key, ())

    def _tag(self, key: ObjectKey, hold: KeepTag) -> _Tag:
        """Return a tag with its holder: the first Release that asked for it."""
        return self._tags[hold.repository].setdefault(hold.tag, _Tag(key, hold))

    def _release(self, key: ObjectKey, hold: KeepTag) -> None:
        tags = self._tags.get(hold.repository, {})
        if (tag := tags.get(hold.tag)) is not None and tag.holder == key:
            del tags[hold.tag]
        if not tags:
            self._tags.pop(hold.repository, None)
