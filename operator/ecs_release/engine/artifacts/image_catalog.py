"""The state of the images that Releases need, and the tags that keep running images: one loop for all of them.

Each repository is due at a time of its own in each interval, so that five thousand Releases do not cause calls at once; all images that
Releases need of it are read then, a hundred in one call. No pass waits for this; a Release whose images changed gets a pass.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from ecs_release.api.conditions import Reason
from ecs_release.domain.artifacts.registry_images import Finding, KeepTag, Presence, Repository, RequiredImage
from ecs_release.domain.model.errors import Ambiguous, Blocked, Denied, Problem, Retryable
from ecs_release.domain.model.halving import is_faulty
from ecs_release.domain.ports.protocols import Aws, Clock, ImagesAnswer, ObjectKey, Registry
from ecs_release.engine.artifacts.tag_keeper import TagKeeper
from ecs_release.engine.runtime.due_times import DueTimes

log = logging.getLogger(__name__)

_SOON_S, _REFUSED_S, _LOOK_S = 600.0, 300.0, 120.0
"""Missing images are checked again soon: they may be pushed again. A registry that cannot be read is not called for a while."""
_FAULTY_REPOSITORIES = 3
"""If AWS fails for so many repositories of a registry in a row, it is not because of what is in one of them."""


@dataclass(slots=True)
class _NeededImage:
    """An image, the Releases that need it, and what was found. There may be ten thousand of these."""

    keys: tuple[ObjectKey, ...] = ()
    finding: Finding | None = None

    def has_presence(self, *presences: Presence) -> bool:
        """Return whether it was found with one of these presences."""
        return self.finding is not None and self.finding.presence in presences


@dataclass(slots=True)
class _RepositoryState:
    """The images that Releases need of one repository; times are monotonic. `looked` is when it was called last."""

    repository: Repository
    due: float
    whole_due: float
    looked: float = float("-inf")
    images: dict[str, _NeededImage] = field(default_factory=dict)
    urgent: frozenset[ObjectKey] = frozenset()


class ImageCatalog:
    """Checks images, and moves keep tags."""

    def __init__(
        self, aws: Aws, clock: Clock, interval_s: float, *, changed: Callable[[ObjectKey], None], may_change: Callable[[ObjectKey], bool]
    ) -> None:
        """`changed` is called with each Release whose images changed, `may_change` right before a tag is moved."""
        self._aws = aws
        self._clock = clock
        self._interval_s = interval_s
        self._changed = changed
        self._keeper = TagKeeper(may_change)
        self._repositories: dict[Repository, _RepositoryState] = {}
        self._due: DueTimes[Repository] = DueTimes()
        self._required: dict[ObjectKey, tuple[RequiredImage, ...]] = {}
        self._refused: dict[tuple[object, ...], float] = {}
        self._faults: Counter[tuple[object, ...]] = Counter()
        self._wake = asyncio.Event()
        self._sleeps_until = float("inf")

    # Called by passes.

    def require(self, key: ObjectKey, artifacts: tuple[RequiredImage, ...], *, urgent: bool = False) -> dict[RequiredImage, Finding]:
        """Set which images a Release needs, and return what is known of them. If `urgent`, unknown ones are looked up at once."""
        if self._required.get(key) != artifacts:
            self._set_required(key, artifacts)
        known: dict[RequiredImage, Finding] = {}
        for artifact in artifacts:
            state = self._state_of(artifact.repository)
            finding = state.images[artifact.digest].finding
            if finding is not None:
                known[artifact] = finding
            elif urgent and key not in state.urgent:
                state.urgent |= {key}
                self._make_due(state)
        return known

    def hold(self, key: ObjectKey, holds: tuple[KeepTag, ...], *, at_once: bool) -> None:
        """Set which tags are kept for a Release: new ones are moved at once if `at_once`, else when their repository is due."""
        for repository in self._keeper.hold(key, holds):
            state = self._state_of(repository)
            if at_once:
                self._make_due(state)

    def keep_problem(self, key: ObjectKey) -> str | None:
        """Return why a tag is not on its image; empty if all are, None if that is not known yet."""
        return self._keeper.problem(key)

    def note_found(self, artifacts: Iterable[RequiredImage]) -> None:
        """Note that a pass has just found these images: they are not missing any more."""
        for artifact in artifacts:
            state = self._repositories.get(artifact.repository)
            needed = state.images.get(artifact.digest) if state is not None else None
            if needed is not None and needed.has_presence(*_MISSING):
                needed.finding = _TAGGED

    def look_up_again(self, registry_id: str, region: str, name: str) -> None:
        """Check all images of a repository now, because of an event."""
        for repository, state in self._repositories.items():
            if (repository.registry_id, repository.region, repository.name) == (registry_id, region, name):
                state.whole_due = self._clock.monotonic()
                self._make_due(state)

    def forget(self, key: ObjectKey) -> None:
        """Forget a deleted Release (law 9: deleting touches nothing in AWS, and so no tag)."""
        self._remove(key, self._required.pop(key, ()))
        self._keeper.forget(key)

    # The loop.

    async def run(self) -> None:
        """Check repositories as they become due, until cancelled."""
        while True:
            due, now = self._due.next, self._clock.monotonic()
            if due > now:
                await self._sleep(due, due - now)
                continue
            # Those that were not called for the longest time go first: none is kept waiting by the same odd ones again.
            for repository in sorted(iter(partial(self._due.take, now), None), key=lambda r: self._repositories[r].looked):
                state = self._repositories[repository]
                await self._visit(repository, state)
                if repository in self._repositories:
                    self._due.set(repository, state.due)

    async def _sleep(self, due: float, wait_s: float) -> None:
        self._wake.clear()
        self._sleeps_until = due
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s if wait_s != float("inf") else None):
                await self._wake.wait()
        self._sleeps_until = float("-inf")

    async def _visit(self, repository: Repository, state: _RepositoryState) -> None:
        """Check a repository, and set when it is due next. Raises only if cancelled."""
        if not state.images and not self._keeper.is_needed(repository):
            del self._repositories[repository]
            self._due.discard(repository)
            return
        now = self._clock.monotonic()
        registry = (repository.access, repository.registry_id, repository.region)
        if self._refused.get(registry, now) > now:
            state.due = self._refused[registry]
            return
        whole, urgent = state.whole_due <= now, state.urgent
        if whole:
            state.whole_due = self._next_moment(repository, now)
        state.urgent, state.due, state.looked = frozenset(), state.whole_due, now
        try:
            async with asyncio.timeout(_LOOK_S):
                await self._look(repository, state, whole=whole, urgent=urgent)
            self._faults.pop(registry, None)
        except (Retryable, TimeoutError) as problem:
            log.warning("cannot look up images of %s in %s: %s", repository.name, repository.registry_id, problem)
            self._rest(registry, state, problem, now)
            state.whole_due, state.urgent = (now if whole else state.whole_due), urgent | state.urgent
        except Exception:
            log.exception("looking up images of %s stopped", repository.name)

    def _rest(self, registry: tuple[object, ...], state: _RepositoryState, problem: Exception, now: float) -> None:
        """Leave a repository alone for a while; its whole registry, too, unless the problem may be with what is in this repository."""
        if isinstance(problem, Problem) and (is_faulty(problem) or isinstance(problem, Ambiguous)):
            state.due = now + min(_SOON_S, self._interval_s)
            self._faults[registry] += 1
            if self._faults[registry] < _FAULTY_REPOSITORIES:
                return
            self._faults.pop(registry)
        self._refused[registry] = state.due = now + min(_REFUSED_S, self._interval_s)

    async def _look(self, repository: Repository, state: _RepositoryState, *, whole: bool, urgent: frozenset[ObjectKey]) -> None:
        registry = self._aws.registry(repository.access, repository.registry_id, repository.region)
        holds = self._keeper.due(repository, whole=whole)
        wanted = [d for d, n in state.images.items() if whole or n.finding is None or n.has_presence(*_AGAIN)]
        if not wanted and not holds:
            return
        images, asked = ImagesAnswer(), {*wanted, *(h.digest for h in holds)}
        try:
            images = await registry.images(repository.name, asked)
            if asked == images.unread.keys():
                raise images.unread[min(asked)]
            found = await _findings(registry, repository.name, wanted, images)
        except Retryable:
            raise
        except Problem as problem:
            found = dict.fromkeys(wanted, _refusal(problem))
        for key in self._store_findings(state, found) | urgent:
            self._changed(key)
        if any(needed.has_presence(*_AGAIN) for needed in state.images.values()):
            state.due = min(state.due, self._clock.monotonic() + min(_SOON_S, self._interval_s))
        for hold in (h for h in holds if h.digest not in images.unread):
            concerned = await self._keeper.keep(registry, hold, images.images.get(hold.digest))
            if concerned is not None:
                self._changed(concerned)

    @staticmethod
    def _store_findings(state: _RepositoryState, found: Mapping[str, Finding]) -> set[ObjectKey]:
        """Store findings. Returns the Releases for which they are new: an image that is there, as assumed, is nothing new."""
        concerned: set[ObjectKey] = set()
        for digest, finding in found.items():
            needed = state.images.get(digest)
            if needed is not None and (needed.finding or _TAGGED) != finding:
                concerned.update(needed.keys)
            if needed is not None:
                needed.finding = finding
        return concerned

    # Bookkeeping.

    def _state_of(self, repository: Repository) -> _RepositoryState:
        state = self._repositories.get(repository)
        if state is None:
            moment = self._next_moment(repository, self._clock.monotonic())
            state = self._repositories[repository] = _RepositoryState(repository, moment, moment)
            self._schedule(state)
        return state

    def _next_moment(self, repository: Repository, now: float) -> float:
        """Return when a repository is due next, by wall-clock time: a restart does not shift it."""
        name = f"{repository.registry_id}/{repository.region}/{repository.name}"
        offset = zlib.crc32(name.encode()) / 2**32 * self._interval_s
        left = self._interval_s - (self._clock.now().timestamp() - offset) % self._interval_s
        # The two clocks differ by microseconds: the time that has just come must not be due again.
        return now + left + (self._interval_s if left < min(1.0, self._interval_s / 10) else 0.0)

    def _make_due(self, state: _RepositoryState) -> None:
        state.due = self._clock.monotonic()
        self._schedule(state)

    def _schedule(self, state: _RepositoryState) -> None:
        self._due.set(state.repository, state.due)
        if state.due < self._sleeps_until:
            self._wake.set()

    def _set_required(self, key: ObjectKey, artifacts: tuple[RequiredImage, ...]) -> None:
        """Replace the images that a Release needs."""
        before = {(a.repository, a.digest): a for a in self._required.get(key, ())}
        now = {(a.repository, a.digest) for a in artifacts}
        for repository, digest in now - before.keys():
            self._state_of(repository).images.setdefault(digest, _NeededImage()).keys += (key,)
        # Share their parts, which each pass creates anew.
        states = [(a, self._state_of(a.repository)) for a in artifacts]
        self._required[key] = tuple(RequiredImage(sys.intern(a.container), p.repository, a.digest, a.former) for a, p in states)
        self._remove(key, [a for name, a in before.items() if name not in now])

    def _remove(self, key: ObjectKey, artifacts: Collection[RequiredImage]) -> None:
        for artifact in artifacts:
            state = self._repositories.get(artifact.repository)
            if state is None:
                continue
            needed = state.images.get(artifact.digest, _NeededImage())
            needed.keys = tuple(k for k in needed.keys if k != key)
            if not needed.keys:
                state.images.pop(artifact.digest, None)
            state.urgent -= {key}


_TAGGED, _MISSED = Finding(Presence.TAGGED), Finding(Presence.GONE)
_MISSING = frozenset({Presence.GONE, Presence.ARCHIVED})
_AGAIN = _MISSING | {Presence.UNREADABLE}


async def _findings(registry: Registry, repository: str, wanted: Collection[str], answer: ImagesAnswer) -> dict[str, Finding]:
    """Return the findings of images. An image without a tag may belong to a manifest list: then the list decides.

    If lists cannot be read it is not known whether one does, and so not whether the image is at risk.
    """
    images = answer.images
    untagged = [image for d in wanted if (image := images.get(d)) is not None and not image.tags and not image.archived]
    lists = ImagesAnswer()
    if untagged:
        try:
            lists = await registry.manifest_lists_naming(repository, untagged)
        except Problem as problem:
            if isinstance(problem, Retryable) and not is_faulty(problem):
                raise
            log.debug("cannot read manifest lists of %s: %s", repository, problem.message)
            lists = ImagesAnswer(unread={image.digest: problem for image in untagged})
    unread = {d: Finding(Presence.UNREADABLE, p.message) for d, p in {**lists.unread, **answer.unread}.items()}
    found: dict[str, Finding] = {}
    for digest in wanted:
        image = images.get(digest)
        if digest in unread:
            found[digest] = unread[digest]
        elif image is None:
            found[digest] = _MISSED
        elif image.archived:
            found[digest] = Finding(Presence.ARCHIVED)
        else:
            found[digest] = _TAGGED if image.tags or digest in lists.images else Finding(Presence.UNTAGGED)
    return found


def _refusal(problem: Problem) -> Finding:
    """Return the finding for a failed read: if the repository does not exist, the image is gone."""
    gone = isinstance(problem, Blocked) and not isinstance(problem, Denied) and problem.reason == Reason.ARTIFACT_NOT_FOUND
    return _MISSED if gone else Finding(Presence.UNREADABLE, problem.message)
