"""When the remote of one repository is asked: only for what somebody waits for, in rounds, of which one at most begins in an interval."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf

from ecs_release.commits_service.bindings import Location
from ecs_release.commits_service.clone import Clone, FetchError, TooLarge
from ecs_release.commits_service.config import Limits
from ecs_release.commits_service.git import GitError, Settings
from ecs_release.commits_service.remote import CredentialError
from ecs_release.commits_service.slots import FetchSlots
from ecs_release.domain.model.lru import Lru
from ecs_release.domain.ports.commits import UnknownReason

log = logging.getLogger(__name__)

_WAITING, _A_ROUND = 64, 8
_BRANCHES, _ABSENT = 32, 1000
_ABSENT_S = 30.0
_LONGEST_PAUSE_S, _TOO_LARGE_PAUSE_S = 300.0, 3600.0
_OF_ONE = frozenset({UnknownReason.BRANCH_NOT_FOUND, UnknownReason.COMMIT_NOT_FOUND})
"""Reasons that concern one branch or commit, not the repository."""


@dataclass(frozen=True, slots=True)
class Want:
    """A branch by its name, or a commit by its full hash, that is to be fetched."""

    name: str
    is_branch: bool


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch as it was when its fetch began: `as_of`, and `begun` on the loop's clock, as `ended` is."""

    tip: str
    as_of: datetime
    begun: float
    ended: float


MakeSettings = Callable[[], Awaitable[Settings]]
OnFetch = Callable[[str, float], None]
"""Is told the result of each fetch and how many seconds it took."""


class Fetching:
    """The fetches of one repository. `fetch` is the only way to the remote."""

    def __init__(
        self, clone: Clone, location: Location, settings: MakeSettings, slots: FetchSlots, limits: Limits, too_large: TooLarge,
        on_fetch: OnFetch,
    ) -> None:  # fmt: skip
        """`settings` reads the credential anew for each fetch."""
        self._clone = clone
        self._location = location
        self._settings = settings
        self._slots = slots
        self._limits = limits
        self._too_large = too_large
        self._on_fetch = on_fetch
        self._branches: Lru[str, Branch] = Lru(_BRANCHES)
        self._absent: Lru[Want, tuple[float, FetchError]] = Lru(_ABSENT)
        self._waiting: dict[Want, asyncio.Future[FetchError | None]] = {}
        self._rounds: asyncio.Task[None] | None = None
        self._round_at = -limits.interval_seconds
        self._failures = 0
        self._failed: FetchError | None = None
        self._is_slow = True
        self._is_empty = True
        self._not_before = 0.0
        self._anew = False
        self._newest: Branch | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing is fetched, and nobody waits."""
        return self._rounds is None or self._rounds.done()

    def branch(self, name: str) -> Branch | None:
        """Return a branch as it was fetched last."""
        return self._branches.get(name)

    def distrust(self) -> None:
        """Have the clone made anew before the next fetch: it lacks what should be in it."""
        self._anew = True

    def close(self) -> None:
        """End what is under way."""
        if self._rounds is not None:
            self._rounds.cancel()

    async def fetch(self, wants: Sequence[Want]) -> dict[Want, FetchError]:
        """Fetch some branches and commits, by fetches that begin from now on; returns those that failed, each with why.

        Branches go first: a commit that came with one is not asked for by itself. Waits `limits.answer_seconds` at most.
        """
        failed = {want: error for want in wants if (error := self._known_failure(want)) is not None}
        futures = {want: future for want in wants if want not in failed and (future := self._enqueue(want)) is not None}
        failed |= {want: self._busy() for want in wants if want not in failed and want not in futures}
        if futures:
            await asyncio.wait(futures.values(), timeout=self._limits.answer_seconds)
        for want, future in futures.items():
            error = future.result() if future.done() else self._pending()
            if error is not None:
                failed[want] = error
        return failed

    def _enqueue(self, want: Want) -> asyncio.Future[FetchError | None] | None:
        if want not in self._waiting:
            if len(self._waiting) >= _WAITING:
                return None
            self._waiting[want] = asyncio.get_running_loop().create_future()
        if self.idle:
            self._rounds = asyncio.create_task(self._run(), name=f"fetch {self._location.url}")
        return self._waiting[want]

    def _known_failure(self, want: Want) -> FetchError | None:
        now = asyncio.get_running_loop().time()
        absent = self._absent.get(want)
        if absent is not None and now < absent[0]:
            return absent[1]
        if self._failed is not None and now < self._not_before:
            pause = f"; it is tried again in {self._not_before - now:.0f} s, if asked for"
            return FetchError(self._failed.reason, f"{self._failed.message}{pause}")
        return None

    async def _run(self) -> None:
        """Make rounds until nobody waits."""
        try:
            while self._waiting:
                now = asyncio.get_running_loop().time()
                await asyncio.sleep(max(0.0, self._round_at + self._limits.interval_seconds - now))
                async with self._slots.take(self._location.host, slow=self._is_slow):
                    self._round_at = asyncio.get_running_loop().time()
                    await self._round()
        except Exception:
            log.exception("fetches of %s have ended", self._location.url)
        finally:
            self._answer_all(FetchError(UnknownReason.UNREADABLE, f"{self._location.url} could not be fetched"))

    async def _round(self) -> None:
        longest_s: float | None = None
        begun: set[Want] = set()
        loop = asyncio.get_running_loop()
        # Whoever asks for one that has begun waits for the next round: this fetch may be too old for them.
        while len(begun) < _A_ROUND and not self._is_late() and (want := _first(w for w in self._waiting if w not in begun)):
            begun.add(want)
            since = loop.time()
            future = self._waiting.pop(want)
            error: FetchError | None = FetchError(UnknownReason.UNREADABLE, f"the fetch of {self._location.url} was ended")
            try:
                error = await self._one(want)
            finally:
                if not future.done():
                    future.set_result(error)
            if error is None:
                longest_s, self._failures, self._failed = max(longest_s or 0.0, loop.time() - since), 0, None
            elif error.reason is UnknownReason.PENDING:
                self._waiting.setdefault(want, loop.create_future())
                longest_s = inf
                break
            elif self._concerns_one(want, error):
                self._absent.put(want, (loop.time() + _ABSENT_S, error))
            else:
                await self._fail(error)
                return
        if longest_s is not None:
            self._is_slow = longest_s >= self._limits.quick_seconds
            try:
                await self._clone.maintain(self._too_large)
            except GitError as error:
                log.warning("the clone of %s could not be maintained: %s", self._location.url, error)

    async def _one(self, want: Want) -> FetchError | None:
        loop = asyncio.get_running_loop()
        begun, as_of, result = loop.time(), datetime.now(UTC), "ok"
        try:
            first = self._anew or not await self._clone.exists()
            if first:
                await self._clone.create()
                self._anew, self._is_empty = False, True
            if not want.is_branch and want.name in await self._clone.present([want.name]):
                return None
            settings = await self._settings()
            deadline_s = self._deadline_s()
            if not want.is_branch:
                await self._clone.fetch_commit(want.name, settings, deadline_s, self._too_large)
                return None
            tip = await self._clone.fetch_branch(want.name, settings, deadline_s, self._too_large)
        except FetchError as error:
            told = self._pending() if error.reason is UnknownReason.UNREADABLE and self._is_late() else error
            result = str(told.reason)
            return FetchError(told.reason, f"{_what(want)} of {self._location.url}: {told.message}")
        except (GitError, CredentialError, OSError) as error:
            result = str(UnknownReason.UNREADABLE)
            return FetchError(UnknownReason.UNREADABLE, f"{self._location.url}: {error}")
        finally:
            self._on_fetch(result, loop.time() - begun)
        self._is_empty = False
        self._newest = Branch(tip, as_of, begun, loop.time())
        self._branches.put(want.name, self._newest)
        return None

    def _deadline_s(self) -> float:
        """Return how long a fetch may take. One that was quick last is to be so again, or else goes on in a slot for slow ones."""
        if not self._is_slow:
            return min(self._limits.quick_seconds, self._limits.fetch_seconds)
        return self._limits.clone_seconds if self._is_empty else self._limits.fetch_seconds

    def _is_late(self) -> bool:
        """Return whether a round that should be quick has lasted for too long."""
        return not self._is_slow and asyncio.get_running_loop().time() - self._round_at >= self._limits.quick_seconds

    def _concerns_one(self, want: Want, error: FetchError) -> bool:
        """Return whether others of the repository may still be fetched: an object that is too large is so, too, while the clone is not."""
        if error.reason == UnknownReason.TOO_LARGE and not want.is_branch and self._branches:
            return not self._too_large(self._clone.size)
        return error.reason in _OF_ONE

    async def _fail(self, error: FetchError) -> None:
        """Let the repository rest for a while, longer each time, and tell all who wait."""
        self._failures += 1
        self._failed = error
        self._is_slow = True
        pause_s = min(self._limits.interval_seconds * 2 ** min(self._failures - 1, 10), _LONGEST_PAUSE_S)
        if error.reason == UnknownReason.TOO_LARGE:
            pause_s = _TOO_LARGE_PAUSE_S
            await self._clone.delete()
        elif await self._is_damaged():
            self.distrust()
        self._not_before = asyncio.get_running_loop().time() + pause_s
        log.warning("%s; not tried again for %.0f s", error.message, pause_s)
        self._answer_all(error)

    async def _is_damaged(self) -> bool:
        """Return whether what was fetched last is not in the clone any more: git cannot fetch into one that lacks what it had."""
        try:
            return self._newest is not None and not await self._clone.is_whole(self._newest.tip)
        except GitError:
            return False

    def _answer_all(self, error: FetchError) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_result(error)
        self._waiting.clear()

    def _busy(self) -> FetchError:
        return FetchError(UnknownReason.BUSY, f"{_WAITING} branches and commits of {self._location.url} wait: ask again")

    def _pending(self) -> FetchError:
        return FetchError(UnknownReason.PENDING, f"{self._location.url} is being fetched")


def _first(wants: Iterable[Want]) -> Want | None:
    """Return the branch that waits for longest, else the commit."""
    return min(wants, key=lambda want: not want.is_branch, default=None)


def _what(want: Want) -> str:
    return f"branch {want.name}" if want.is_branch else f"commit {want.name}"
