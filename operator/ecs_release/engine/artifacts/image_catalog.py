"""What is known of the images that Releases need, and the tags that hold what runs: one loop for all of them.

Every repository has a moment of its own in each interval, so that five thousand Releases do not ask at once, and all that Releases need
of it is asked for then, a hundred images a call. No pass waits for this; a Release whose images stand otherwise than before is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from ecs_release.api.conditions import Reason
from ecs_release.domain.artifacts.registry_images import Artifact, Finding, Hold, Presence, Repository
from ecs_release.domain.ecs.service import RegistryImage
from ecs_release.domain.model.errors import Blocked, Denied, Problem, Retryable
from ecs_release.domain.ports.protocols import Aws, Clock, ObjectKey, Registry
from ecs_release.engine.artifacts.tag_keeper import Keeper

log = logging.getLogger(__name__)

_SOON_S, _REFUSED_S, _LOOK_S = 600.0, 300.0, 120.0
"""What is gone is looked for again soon: it may be pushed again. A registry that cannot be read is left alone for a while."""


@dataclass(slots=True)
class _Needed:
    """An image, the Releases that need it, and what was found of it. There may be ten thousand of these."""

    keys: tuple[ObjectKey, ...] = ()
    finding: Finding | None = None

    def stands(self, *presences: Presence) -> bool:
        """Tell whether it was found to stand so."""
        return self.finding is not None and self.finding.presence in presences


@dataclass(slots=True)
class _Place:
    """What Releases need of one repository; times are monotonic."""

    repository: Repository
    due: float
    whole_due: float
    images: dict[str, _Needed] = field(default_factory=dict)
    urgent: frozenset[ObjectKey] = frozenset()


class Artifacts:
    """Looks images up, and holds tags."""

    def __init__(
        self, aws: Aws, clock: Clock, interval_s: float, *, changed: Callable[[ObjectKey], None], may_change: Callable[[ObjectKey], bool]
    ) -> None:
        """`changed` is told of Releases whose images stand otherwise; `may_change` is asked right before a tag is moved for one."""
        self._aws = aws
        self._clock = clock
        self._interval_s = interval_s
        self._changed = changed
        self._keeper = Keeper(may_change)
        self._places: dict[Repository, _Place] = {}
        self._needs: dict[ObjectKey, tuple[Artifact, ...]] = {}
        self._refused: dict[tuple[object, ...], float] = {}
        self._wake = asyncio.Event()
        self._sleeps_until = float("inf")

    # What passes ask and tell.

    def need(self, key: ObjectKey, artifacts: tuple[Artifact, ...], *, urgent: bool = False) -> dict[Artifact, Finding]:
        """Note what a Release needs, and return what is known of it. What is `urgent` and not known yet is looked up at once."""
        if self._needs.get(key) != artifacts:
            self._take(key, artifacts)
        known: dict[Artifact, Finding] = {}
        for artifact in artifacts:
            place = self._place(artifact.repository)
            finding = place.images[artifact.digest].finding
            if finding is not None:
                known[artifact] = finding
            elif urgent and key not in place.urgent:
                place.urgent |= {key}
                self._hurry(place)
        return known

    def hold(self, key: ObjectKey, holds: tuple[Hold, ...], *, at_once: bool) -> None:
        """Have tags held for a Release from now on, and no others: those that are new at once, or when their repository is due."""
        for repository in self._keeper.hold(key, holds):
            place = self._place(repository)
            if at_once:
                self._hurry(place)

    def keep_problem(self, key: ObjectKey) -> str | None:
        """Say why a tag is not held as it should be; an empty string where nothing is wrong, None where that is not known yet."""
        return self._keeper.problem(key)

    def seen(self, artifacts: Iterable[Artifact]) -> None:
        """Images were found by somebody else just now: what was known of their being gone is over."""
        for artifact in artifacts:
            place = self._places.get(artifact.repository)
            needed = place.images.get(artifact.digest) if place is not None else None
            if needed is not None and needed.stands(*_MISSING):
                needed.finding = _TAGGED

    def look_again(self, registry_id: str, region: str, name: str) -> None:
        """Something has happened in a repository: look at all of it now."""
        for repository, place in self._places.items():
            if (repository.registry_id, repository.region, repository.name) == (registry_id, region, name):
                place.whole_due = self._clock.monotonic()
                self._hurry(place)

    def forget(self, key: ObjectKey) -> None:
        """A Release is gone. Its tags stay where they are (law 9)."""
        self._drop(key, self._needs.pop(key, ()))
        self._keeper.forget(key)

    # The loop.

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            due = min((p.due for p in self._places.values()), default=float("inf"))
            wait_s = due - self._clock.monotonic()
            if wait_s > 0:
                await self._sleep(due, wait_s)
                continue
            for repository, place in list(self._places.items()):
                if place.due <= self._clock.monotonic():
                    await self._visit(repository, place)

    async def _sleep(self, due: float, wait_s: float) -> None:
        self._wake.clear()
        self._sleeps_until = due
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s if wait_s != float("inf") else None):
                await self._wake.wait()
        self._sleeps_until = float("-inf")

    async def _visit(self, repository: Repository, place: _Place) -> None:
        """Look at a repository, and set when to look next. Never raises but when it is cancelled."""
        if not place.images and not self._keeper.is_needed(repository):
            del self._places[repository]
            return
        now = self._clock.monotonic()
        registry = (repository.access, repository.registry_id, repository.region)
        if self._refused.get(registry, now) > now:
            place.due = self._refused[registry]
            return
        whole, urgent = place.whole_due <= now, place.urgent
        if whole:
            place.whole_due = self._next_moment(repository, now)
        place.urgent, place.due = frozenset(), place.whole_due
        try:
            async with asyncio.timeout(_LOOK_S):
                await self._look(repository, place, whole=whole, urgent=urgent)
        except (Retryable, TimeoutError) as problem:
            log.warning("cannot look up images of %s in %s: %s", repository.name, repository.registry_id, problem)
            self._refused[registry] = place.due = now + min(_REFUSED_S, self._interval_s)
            place.whole_due, place.urgent = (now if whole else place.whole_due), urgent | place.urgent
        except Exception:
            log.exception("looking up images of %s stopped", repository.name)

    async def _look(self, repository: Repository, place: _Place, *, whole: bool, urgent: frozenset[ObjectKey]) -> None:
        registry = self._aws.registry(repository.access, repository.registry_id, repository.region)
        holds = self._keeper.due(repository, whole=whole)
        wanted = [d for d, n in place.images.items() if whole or n.finding is None or n.stands(*_AGAIN)]
        if not wanted and not holds:
            return
        images: Mapping[str, RegistryImage] = {}
        try:
            images = await registry.images(repository.name, {*wanted, *(h.digest for h in holds)})
            found = await _findings(registry, repository.name, wanted, images)
        except Retryable:
            raise
        except Problem as problem:
            found = dict.fromkeys(wanted, _refusal(problem))
        for key in self._learn(place, found) | urgent:
            self._changed(key)
        if any(needed.stands(*_AGAIN) for needed in place.images.values()):
            place.due = min(place.due, self._clock.monotonic() + min(_SOON_S, self._interval_s))
        for hold in holds:
            told = await self._keeper.keep(registry, hold, images.get(hold.digest))
            if told is not None:
                self._changed(told)

    @staticmethod
    def _learn(place: _Place, found: Mapping[str, Finding]) -> set[ObjectKey]:
        """Take in what was found. Returns the Releases that it is news for: what was taken for granted is none."""
        told: set[ObjectKey] = set()
        for digest, finding in found.items():
            needed = place.images.get(digest)
            if needed is not None and (needed.finding or _TAGGED) != finding:
                told.update(needed.keys)
            if needed is not None:
                needed.finding = finding
        return told

    # Bookkeeping.

    def _place(self, repository: Repository) -> _Place:
        place = self._places.get(repository)
        if place is None:
            moment = self._next_moment(repository, self._clock.monotonic())
            place = self._places[repository] = _Place(repository, moment, moment)
            self._wake_by(moment)
        return place

    def _next_moment(self, repository: Repository, now: float) -> float:
        """Return the next moment of a repository, by the clock on the wall: a restart does not shift it."""
        name = f"{repository.registry_id}/{repository.region}/{repository.name}"
        offset = zlib.crc32(name.encode()) / 2**32 * self._interval_s
        left = self._interval_s - (self._clock.now().timestamp() - offset) % self._interval_s
        # The two clocks do not agree to the microsecond: the moment that has just come must not come again.
        return now + left + (self._interval_s if left < min(1.0, self._interval_s / 10) else 0.0)

    def _hurry(self, place: _Place) -> None:
        place.due = self._clock.monotonic()
        self._wake_by(place.due)

    def _wake_by(self, due: float) -> None:
        if due < self._sleeps_until:
            self._wake.set()

    def _take(self, key: ObjectKey, artifacts: tuple[Artifact, ...]) -> None:
        """Note what a Release needs, in place of what it needed."""
        before = {(a.repository, a.digest): a for a in self._needs.get(key, ())}
        now = {(a.repository, a.digest) for a in artifacts}
        for repository, digest in now - before.keys():
            self._place(repository).images.setdefault(digest, _Needed()).keys += (key,)
        # Their parts are shared: passes make new ones each time.
        places = [(a, self._place(a.repository)) for a in artifacts]
        self._needs[key] = tuple(Artifact(sys.intern(a.container), p.repository, a.digest, a.former) for a, p in places)
        self._drop(key, [a for name, a in before.items() if name not in now])

    def _drop(self, key: ObjectKey, artifacts: Collection[Artifact]) -> None:
        for artifact in artifacts:
            place = self._places.get(artifact.repository)
            if place is None:
                continue
            needed = place.images.get(artifact.digest, _Needed())
            needed.keys = tuple(k for k in needed.keys if k != key)
            if not needed.keys:
                place.images.pop(artifact.digest, None)
            place.urgent -= {key}


_TAGGED, _MISSED = Finding(Presence.TAGGED), Finding(Presence.GONE)
_MISSING = frozenset({Presence.GONE, Presence.ARCHIVED})
_AGAIN = _MISSING | {Presence.UNREADABLE}


async def _findings(
    registry: Registry, repository: str, wanted: Collection[str], images: Mapping[str, RegistryImage]
) -> dict[str, Finding]:
    """Say how images stand. One without a tag may be a platform's own: then its manifest list decides."""
    untagged = [image for d in wanted if (image := images.get(d)) is not None and not image.tags and not image.archived]
    lists: Mapping[str, RegistryImage] = {}
    if untagged:
        try:
            lists = await registry.lists_naming(repository, untagged)
        except Retryable:
            raise
        except Problem as problem:
            log.debug("cannot read manifest lists of %s: %s", repository, problem.message)
    found: dict[str, Finding] = {}
    for digest in wanted:
        image = images.get(digest)
        if image is None:
            found[digest] = _MISSED
        elif image.archived:
            found[digest] = Finding(Presence.ARCHIVED)
        else:
            found[digest] = _TAGGED if image.tags or digest in lists else Finding(Presence.UNTAGGED)
    return found


def _refusal(problem: Problem) -> Finding:
    """Say what a refusal means: without its repository an image is gone."""
    gone = isinstance(problem, Blocked) and not isinstance(problem, Denied) and problem.reason == Reason.ARTIFACT_NOT_FOUND
    return _MISSED if gone else Finding(Presence.UNREADABLE, problem.message)
