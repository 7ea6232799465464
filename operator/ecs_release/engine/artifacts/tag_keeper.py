"""Tags that hold what runs (`artifacts.keepTag`): who has which, whether it is where it belongs, and moving it there.

Nothing waits for this and nothing fails by it. A tag is looked at before it is moved, and moving it twice changes nothing, so that no
intent need be written first (law 6 is about what must not happen twice).
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from ecs_release.domain.artifacts.registry_images import Hold, Repository
from ecs_release.domain.ecs.service import RegistryImage
from ecs_release.domain.model.errors import Problem, Retryable
from ecs_release.domain.ports.protocols import ObjectKey, Registry

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Tag:
    """One tag of a repository: the Release that it is held for, the digest that it was seen on or moved to, and what went wrong."""

    holder: ObjectKey
    hold: Hold
    checked: bool = False
    failure: str = ""


@dataclass(slots=True)
class Keeper:
    """Holds tags. `may_change` is asked right before one is moved for a Release: its Environment may have been suspended meanwhile."""

    may_change: Callable[[ObjectKey], bool]
    _holds: dict[ObjectKey, tuple[Hold, ...]] = field(default_factory=dict)
    _tags: dict[Repository, dict[str, _Tag]] = field(default_factory=lambda: defaultdict(dict))

    def hold(self, key: ObjectKey, holds: tuple[Hold, ...]) -> list[Repository]:
        """Hold these tags for a Release from now on, and no others. Returns the repositories where one is new."""
        before = self._holds.get(key, ())
        for old in set(before) - set(holds):
            self._release(key, old)
        if holds:
            self._holds[key] = holds
        else:
            self._holds.pop(key, None)
        return [new.repository for new in holds if new not in before and self._tag(key, new).holder == key]

    def problem(self, key: ObjectKey) -> str | None:
        """Say why a tag is not held as it should be; an empty string where nothing is wrong, None where that is not known yet."""
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

    def due(self, repository: Repository, *, whole: bool) -> list[Hold]:
        """List what is to be looked at in a repository: all, or what was not looked at since it changed."""
        return [t.hold for t in self._tags.get(repository, {}).values() if whole or not t.checked]

    def is_needed(self, repository: Repository) -> bool:
        """Tell whether any tag is held in a repository."""
        return bool(self._tags.get(repository))

    async def keep(self, registry: Registry, hold: Hold, image: RegistryImage | None) -> ObjectKey | None:
        """Move a tag where it is not on the image. Returns the Release that is to be told, if any. Raises Retryable."""
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
        """A Release is gone. Its tags stay where they are (law 9)."""
        self.hold(key, ())

    def _tag(self, key: ObjectKey, hold: Hold) -> _Tag:
        """Return who holds a tag: the first that asked, as long as it does."""
        return self._tags[hold.repository].setdefault(hold.tag, _Tag(key, hold))

    def _release(self, key: ObjectKey, hold: Hold) -> None:
        tags = self._tags.get(hold.repository, {})
        if (tag := tags.get(hold.tag)) is not None and tag.holder == key:
            del tags[hold.tag]
        if not tags:
            self._tags.pop(hold.repository, None)
