"""Asks the commits service which of many commits are contained in what runs, with few questions.

One range for each release hash, from it to the newest commit of the branch, says of all commits of the branch at once whether the hash
contains them: those that it lacks are in the range. Only what a range is too long to tell is asked pair by pair.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from ecs_release.board.commits.answers import Answers
from ecs_release.board.commits.distances import KEPT_S, UNANSWERED, full_hash, kept_s
from ecs_release.domain.decision.commit_rules import is_commit_hash, shown
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.ports.commits import Commit, CommitRange, Commits, Membership, Relation, Repository, Unknown
from ecs_release.domain.presence.answers import Answer, Contains

log = logging.getLogger(__name__)

T = TypeVar("T")

_HASHES, _TIPS, _RANGES, _LISTS, _RELATIONS = 2000, 100, 300, 10, 5000
_AT_ONCE = 8
_WAIT_S = 5.0
_MOST_PAIRS = 300
MOST_HASHES = 200


class _End(NamedTuple):
    """A full hash of a repository, and the newest commit of its branch."""

    repository: Repository
    commit: str
    tip: str


class _Named(NamedTuple):
    """A hash of a repository, perhaps abbreviated."""

    repository: Repository
    commit: str


@dataclass(frozen=True, slots=True)
class Lacking:
    """Commits of the branch that a hash lacks: how many, and the hashes of the newest."""

    total: int
    hashes: frozenset[str]

    @property
    def is_complete(self) -> bool:
        """Whether all of them are listed."""
        return self.total == len(self.hashes)


@dataclass(frozen=True, slots=True)
class History:
    """What is known of a branch. `newest` are commits since the oldest of the release hashes; `awaited`: more may be known in a moment."""

    repository: Repository
    newest: tuple[Commit, ...] = ()
    full: Mapping[str, str | Unknown] = field(default_factory=dict)
    lacking: Mapping[str, Lacking | Unknown] = field(default_factory=dict)
    relations: Mapping[tuple[str, str], bool | Unknown] = field(default_factory=dict)
    why: str = ""
    awaited: bool = False

    def contains(self, commit: str, release_hash: str) -> Answer:
        """Return whether a release hash contains a commit."""
        found = self.full.get(release_hash)
        if found is None:
            is_one = is_commit_hash(release_hash)
            return Answer(Contains.UNKNOWN, f"{shown(release_hash)} {'was not asked for' if is_one else 'is not the hash of a commit'}")
        if isinstance(found, Unknown):
            return Answer(Contains.UNKNOWN, found.message)
        if found == commit:
            return Answer(Contains.YES)
        known: bool | Unknown | None = self._by_range(commit, found)
        if known is None:
            known = self.relations.get((commit, found))
        if isinstance(known, bool):
            return Answer(Contains.YES if known else Contains.NO)
        return Answer(Contains.UNKNOWN, known.message if known is not None else f"whether {shown(found)} contains it was not asked for")

    def pairs(self, commits: Iterable[str], release_hashes: Iterable[str]) -> list[tuple[str, str]]:
        """Return the commits and full hashes that ranges say nothing about."""
        ends = list(dict.fromkeys(found for h in release_hashes if isinstance(found := self.full.get(h), str)))
        return [(commit, end) for commit in commits for end in ends if commit != end and self._by_range(commit, end) is None]

    def _by_range(self, commit: str, end: str) -> bool | None:
        lacking = self.lacking.get(end)
        if not isinstance(lacking, Lacking):
            return None
        if commit in lacking.hashes:
            return False
        # Of a commit that may be on no branch a range of the branch says nothing.
        return True if lacking.is_complete and any(commit == c.hash for c in self.newest) else None


class Ancestry:
    """Histories, as far as they are known within a moment: each question is asked once for all who look, and kept a while."""

    def __init__(self, commits: Commits | None, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Without `commits` nothing is known."""
        self._commits = commits
        self._full: Answers[_Named, str | Unknown] = Answers(self._ask_full, kept_s, _HASHES, _AT_ONCE, monotonic)
        self._tips: Answers[_Named, str | Unknown] = Answers(self._ask_tip, kept_s, _TIPS, _AT_ONCE, monotonic)
        self._lacking: Answers[_End, Lacking | Unknown] = Answers(self._ask_lacking, kept_s, _RANGES, _AT_ONCE, monotonic)
        self._lists: Answers[_End, CommitRange | Unknown] = Answers(self._ask_list, kept_s, _LISTS, _AT_ONCE, monotonic)
        self._relations: Answers[_End, bool | Unknown] = Answers(self._ask_relation, lambda _: KEPT_S, _RELATIONS, _AT_ONCE, monotonic)

    @property
    def is_asked(self) -> bool:
        """Whether there is a commits service."""
        return self._commits is not None

    @property
    def version(self) -> int:
        """Another number after each answer."""
        return sum(one.version for one in (self._full, self._tips, self._lacking, self._lists, self._relations))

    async def close(self) -> None:
        """End all questions."""
        for one in (self._full, self._tips, self._lacking, self._lists, self._relations):
            await one.close()

    async def history(self, repository: Repository, hashes: Sequence[str]) -> History:
        """Return what is known of a branch by some release hashes, MOST_HASHES of them at most."""
        until = asyncio.get_running_loop().time() + _WAIT_S
        asked = list(dict.fromkeys(h for h in hashes if is_commit_hash(h)))[:MOST_HASHES]
        found = await self._full.within([_Named(repository, h) for h in asked], _left(until))
        full: dict[str, str | Unknown] = {key.commit: value for key, value in found.items()}
        ends = sorted({value for value in full.values() if isinstance(value, str)})
        if not ends:
            why = next((value.message for value in full.values() if isinstance(value, Unknown)), "")
            return History(repository, full=full, why=why, awaited=len(full) < len(asked))
        key = _Named(repository, ends[0])
        tip = (await self._tips.within([key], _left(until))).get(key)
        if not isinstance(tip, str):
            return History(repository, full=full, why=tip.message if tip is not None else "", awaited=tip is None)
        ranges = await self._lacking.within([_End(repository, end, tip) for end in ends], _left(until))
        lacking = {end.commit: value for end, value in ranges.items()}
        oldest = max(((v.total, end) for end, v in ranges.items() if isinstance(v, Lacking)), default=None)
        listed = await self._lists.within([oldest[1]], _left(until)) if oldest is not None else {}
        newest = next((value.commits for value in listed.values() if isinstance(value, CommitRange)), ())
        awaited = len(full) < len(asked) or len(ranges) < len(ends) or (oldest is not None and not listed)
        return History(repository, newest, full, lacking, awaited=awaited)

    async def full_hash(self, repository: Repository, commit: str) -> str | Unknown | None:
        """Return the full hash of a commit, None while it is being asked for."""
        key = _Named(repository, commit)
        return (await self._full.within([key], _WAIT_S)).get(key)

    async def relations(
        self, history: History, commits: Sequence[str], hashes: Iterable[str]
    ) -> tuple[dict[tuple[str, str], bool | Unknown], bool]:
        """Return what ranges do not tell, pair by pair, and whether more of it may be known in a moment."""
        pairs = history.pairs(commits, hashes)[:_MOST_PAIRS]
        found = await self._relations.within([_End(history.repository, commit, end) for commit, end in pairs], _WAIT_S)
        return {(key.commit, key.tip): value for key, value in found.items()}, len(found) < len(pairs)

    async def _ask_full(self, named: _Named) -> str | Unknown:
        return await _answered(lambda commits: full_hash(commits, named.repository, named.commit), self._commits)

    async def _ask_tip(self, named: _Named) -> str | Unknown:
        found: Membership | Unknown = await _answered(
            lambda commits: commits.membership(named.repository, named.commit, KEPT_S), self._commits
        )
        return found if isinstance(found, Unknown) else found.tip

    async def _ask_lacking(self, end: _End) -> Lacking | Unknown:
        found = await self._ask_list(end)
        # The same hashes are in many ranges: each is kept once.
        return found if isinstance(found, Unknown) else Lacking(found.total, frozenset(sys.intern(c.hash) for c in found.commits))

    async def _ask_list(self, end: _End) -> CommitRange | Unknown:
        return await _answered(lambda commits: commits.between(end.repository, end.commit, end.tip), self._commits)

    async def _ask_relation(self, pair: _End) -> bool | Unknown:
        found: Relation | Unknown = await _answered(lambda commits: commits.relation(pair.repository, pair.commit, pair.tip), self._commits)
        return found if isinstance(found, Unknown) else found.ahead == 0


async def _answered(ask: Callable[[Commits], Awaitable[T | Unknown]], commits: Commits | None) -> T | Unknown:
    assert commits is not None
    try:
        return await ask(commits)
    except Problem as problem:
        log.warning("%s", problem.message)
        return UNANSWERED


def _left(until: float) -> float:
    return max(0.05, until - asyncio.get_running_loop().time())
