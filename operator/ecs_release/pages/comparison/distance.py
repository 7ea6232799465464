"""How the commits of two environments stand to each other. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ecs_release.domain.artifacts.claimed_hash import given_hash
from ecs_release.domain.decision.commit_rules import is_commit_hash
from ecs_release.domain.ports.commits import Commit, Repository
from ecs_release.pages.comparison.differences import Difference, Verdict

MOST_LISTED = 20


class Pair(NamedTuple):
    """Two commits of a repository, by their release hashes, which may be abbreviated."""

    repository: Repository
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class Distance:
    """How many commits only the first of two has, and only the second; and the newest MOST_LISTED of each, newest first."""

    ahead: int
    behind: int
    only_first: tuple[Commit, ...] = ()
    only_second: tuple[Commit, ...] = ()

    @property
    def words(self) -> str:
        """How the first stands to the second."""
        parts = [f"{count} {word}" for count, word in ((self.ahead, "ahead"), (self.behind, "behind")) if count]
        return ", ".join(parts) or "the same commit"


def pair_of(one: Difference, repository: Repository | None) -> Pair | None:
    """Return what is to be asked about a difference; None if there is nothing between its hashes, or one is no commit's."""
    first, second = given_hash(one.before.hash) or "", given_hash(one.after.hash) or ""
    if one.verdict is Verdict.NOTHING_RUNS:
        # The hash is that of what ran last.
        return None
    if repository is None or first == second or not (is_commit_hash(first) and is_commit_hash(second)):
        return None
    return Pair(repository, first, second)
