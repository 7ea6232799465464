"""Asks the commits service how the commits of two environments stand to each other."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from ecs_release.board.commits.answers import Answers
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.ports.commits import CommitRange, Commits, Repository, Unknown, UnknownReason
from ecs_release.pages.comparison.distance import MOST_LISTED, Distance, Pair

log = logging.getLogger(__name__)

KEPT_S, _PASSING_S = 60.0, 5.0
_MOST, _AT_ONCE = 500, 8
_WAIT_S = 3.0
_MAX_AGE_S = 60.0
_FULL = 40
PASSING = frozenset({UnknownReason.PENDING, UnknownReason.BUSY, UnknownReason.UNREADABLE})
UNANSWERED = Unknown(UnknownReason.UNREADABLE, "the commits service does not answer")
"""What it said is in the log: that may name files and addresses of the board's own."""


class Distances:
    """Distances, as far as they are known within a moment."""

    def __init__(self, commits: Commits | None, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Without `commits` nothing is known."""
        self._commits = commits
        self.answers: Answers[Pair, Distance | Unknown] = Answers(self._ask, kept_s, _MOST, _AT_ONCE, monotonic)

    @property
    def are_asked(self) -> bool:
        """Whether there is a commits service."""
        return self._commits is not None

    async def of(self, pairs: Iterable[Pair]) -> dict[Pair, Distance | Unknown]:
        """Return the distances of pairs; those that are left out may be known in a moment."""
        return await self.answers.within(pairs, _WAIT_S) if self._commits is not None else {}

    async def _ask(self, pair: Pair) -> Distance | Unknown:
        assert self._commits is not None
        try:
            return await _distance(self._commits, pair)
        except Problem as problem:
            log.warning("%s", problem.message)
            return UNANSWERED


def kept_s(answer: object) -> float:
    """Return for how many seconds an answer counts."""
    return _PASSING_S if isinstance(answer, Unknown) and answer.reason in PASSING else KEPT_S


async def full_hash(commits: Commits, repository: Repository, commit: str) -> str | Unknown:
    """Return the full hash of a commit; one that is abbreviated is looked up on the branch. Raises Problem."""
    if len(commit) == _FULL:
        return commit
    found = await commits.full_hash(repository, commit, _MAX_AGE_S)
    return found if isinstance(found, Unknown) else found.hash


async def _distance(commits: Commits, pair: Pair) -> Distance | Unknown:
    ends = []
    for commit in (pair.first, pair.second):
        found = await full_hash(commits, pair.repository, commit)
        if isinstance(found, Unknown):
            return found
        ends.append(found)
    first, second = ends
    relation = await commits.relation(pair.repository, first, second)
    if isinstance(relation, Unknown):
        return relation
    listed = []
    for count, known, newer in ((relation.ahead, second, first), (relation.behind, first, second)):
        commits_between = await commits.between(pair.repository, known, newer) if count else CommitRange(0, ())
        if isinstance(commits_between, Unknown):
            return commits_between
        listed.append(commits_between.commits[:MOST_LISTED])
    return Distance(relation.ahead, relation.behind, *listed)
