"""Answers about one repository: from memory, from its clone, or after a fetch."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from ecs_release.commits_service.clone import Clone, FetchError
from ecs_release.commits_service.fetching import Branch, Fetching, Want
from ecs_release.commits_service.names import is_full_hash
from ecs_release.commits_service.slots import QuerySlots
from ecs_release.domain.model.lru import Lru
from ecs_release.domain.ports.commits import (
    MOST_CANDIDATES,
    Commit,
    CommitRange,
    FullHash,
    Membership,
    Relation,
    Unknown,
    UnknownReason,
)

T = TypeVar("T")

_QUERIES = 2
_LOST = Unknown(UnknownReason.UNREADABLE, "the clone was lost while it was read: ask again")


@dataclass(frozen=True, slots=True)
class Memory:
    """Answers that never change, of all repositories: by the repository's key and two commits."""

    pairs: Lru[tuple[str, str, str], tuple[int, int]]
    ranges: Lru[tuple[str, str, str], CommitRange]


class RepositoryGraph:
    """The commit graph of one repository, as one binding of the configuration reads it."""

    def __init__(self, key: str, clone: Clone, fetching: Fetching, memory: Memory, slots: QuerySlots, fresh_s: float) -> None:
        """A "no" never rests on a fetch older than `fresh_s`: it may have become a "yes" since."""
        self.key = key
        self.clone = clone
        self._fetching = fetching
        self._memory = memory
        self._slots = slots
        self._own = asyncio.Semaphore(_QUERIES)
        self._fresh_s = fresh_s
        self.users = 0

    @property
    def idle(self) -> bool:
        """Whether nobody waits for anything of it."""
        return not self.users and self._fetching.idle

    async def close(self) -> None:
        """Delete the clone; nothing is asked of this object any more."""
        self._fetching.close()
        await self.clone.delete()

    async def relation(self, branch: str, a: str, b: str) -> Relation | Unknown:
        """Return how A stands to B."""
        counts: tuple[int, int] | Unknown = await self._with_fetch(branch, (a, b), partial(self._counts, a, b))
        return counts if isinstance(counts, Unknown) else Relation(*counts)

    async def membership(self, branch: str, a: str, max_age_s: float) -> Membership | Unknown:
        """Return whether A is on a branch that was fetched at most `max_age_s` ago."""
        asked = asyncio.get_running_loop().time()
        for since in self._sinces(asked, max_age_s):
            state = await self._branch(branch, since())
            if isinstance(state, Unknown):
                return state
            counts = await self._counts(a, state.tip)
            if counts is not None and counts[0] == 0:
                return Membership(True, state.tip, state.as_of)
            if not self._is_fresh(state, asked):
                continue
            if counts is not None:
                return Membership(False, state.tip, state.as_of)
            # A clone that has the whole branch has all that is on it. Part of it may have been lost, though.
            here = await self._query(partial(self.clone.present, [a]))
            if await self._is_whole(state) and not here:
                return Membership(False, state.tip, state.as_of)
            if here:
                # It is there, and yet git could not answer: a parent is missing.
                self._fetching.distrust()
        return _LOST

    async def between(self, branch: str, a: str, b: str) -> CommitRange | Unknown:
        """Return the commits that B has and A has not."""
        if (known := self._memory.ranges.get((self.key, a, b))) is not None:
            return known
        relation = await self.relation(branch, a, b)
        if isinstance(relation, Unknown):
            return relation
        commits: tuple[Commit, ...] | Unknown = ()
        if relation.behind:
            commits = await self._with_fetch(branch, (a, b), partial(self._query, partial(self.clone.log, a, b)))
        if isinstance(commits, Unknown):
            return commits
        found = CommitRange(relation.behind, commits)
        self._memory.ranges.put((self.key, a, b), found)
        return found

    async def full_hash(self, branch: str, abbreviated: str, max_age_s: float) -> FullHash | Unknown:
        """Return the only commit whose hash begins so."""
        if is_full_hash(abbreviated):
            here = await self._query(partial(self.clone.present, [abbreviated]))
            missing = None if here else await self._bring(branch, [abbreviated])
            return missing or FullHash(abbreviated, datetime.now(UTC))
        asked = asyncio.get_running_loop().time()
        for since in self._sinces(asked, max_age_s):
            state = await self._branch(branch, since())
            if isinstance(state, Unknown):
                return state
            found = await self._query(partial(self.clone.beginning_with, abbreviated))
            if not await self._is_whole(state):
                continue
            if len(found) == 1:
                return FullHash(found[0], state.as_of)
            if found:
                more = " and more" if len(found) > MOST_CANDIDATES else ""
                return Unknown(UnknownReason.AMBIGUOUS, f"{abbreviated} may be {', '.join(found[:MOST_CANDIDATES])}{more}: give more of it")
            if self._is_fresh(state, asked):
                return Unknown(UnknownReason.COMMIT_NOT_FOUND, f"no commit that begins with {abbreviated} is on branch {branch}")
        return _LOST

    async def _counts(self, a: str, b: str) -> tuple[int, int] | None:
        """Count the commits that only A has, and that only B has; None if either is not in the clone."""
        if a == b:
            return 0, 0
        one, other = sorted((a, b))
        key = (self.key, one, other)
        found = self._memory.pairs.get(key)
        if found is None:
            async with self._slots.take(self._own):
                # Others may have asked the same meanwhile.
                found = self._memory.pairs.get(key) or await self.clone.counts(one, other)
        if found is None:
            return None
        self._memory.pairs.put(key, found)
        return found if (a, b) == (one, other) else (found[1], found[0])

    async def _with_fetch(self, branch: str, commits: Iterable[str], ask: Callable[[], Awaitable[T | None]]) -> T | Unknown:
        """Ask the clone; if it does not know, fetch what is missing of some commits, and ask again."""
        found = await ask()
        if found is not None:
            return found
        missing = await self._bring(branch, commits)
        if missing is not None:
            return missing
        found = await ask()
        return found if found is not None else _LOST

    async def _bring(self, branch: str, commits: Iterable[str]) -> Unknown | None:
        """Fetch the commits that are not in the clone: with the branch, else by name. Returns why one of them cannot be had."""
        wanted = list(dict.fromkeys(commits))
        here = await self._query(partial(self.clone.present, wanted))
        if len(here) == len(wanted):
            # They are there, and yet git could not answer: a parent is missing.
            self._fetching.distrust()
            here = set()
        wants = [Want(c, is_branch=False) for c in wanted if c not in here]
        failed = await self._fetching.fetch([Want(branch, is_branch=True), *wants])
        here = await self._query(partial(self.clone.present, wanted))
        for want in wants:
            if want.name not in here:
                return _unknown(failed[want]) if want in failed else _LOST
        return None

    async def _branch(self, branch: str, since: float) -> Branch | Unknown:
        """Return a branch as a fetch that began after `since` has found it: as it is known, or by a fetch that begins now."""
        state = self._fetching.branch(branch)
        if state is not None and state.begun >= since:
            return state
        want = Want(branch, is_branch=True)
        failed = await self._fetching.fetch([want])
        if want in failed:
            return _unknown(failed[want])
        return self._fetching.branch(branch) or Unknown(UnknownReason.BUSY, "too many branches of the repository are asked about at once")

    async def _is_whole(self, branch: Branch) -> bool:
        """Return whether a branch is in the clone with all its commits; if not, the clone is made anew before the next fetch."""
        whole = await self._query(partial(self.clone.is_whole, branch.tip))
        if not whole:
            self._fetching.distrust()
        return whole

    def _sinces(self, asked: float, max_age_s: float) -> tuple[Callable[[], float], ...]:
        """Return when a branch's fetch must have begun: as the caller says, then as a "no" needs it, then after the clone was lost."""
        fresh = asked - min(max_age_s, self._fresh_s)
        return lambda: asked - max_age_s, lambda: fresh, asyncio.get_running_loop().time

    def _is_fresh(self, branch: Branch, asked: float) -> bool:
        """Return whether a branch may be the ground of a "no". A long fetch counts from its end, or no answer would be in time."""
        return branch.ended >= asked - self._fresh_s

    async def _query(self, ask: Callable[[], Awaitable[T]]) -> T:
        async with self._slots.take(self._own):
            return await ask()


def _unknown(error: FetchError) -> Unknown:
    return Unknown(error.reason, error.message)
