"""What the commit graph says, and the port that is asked for it: the adapter `commits` asks the commits service.

An answer is what the repository has shown, or Unknown with the reason. Unknown is never taken for yes or no.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

MOST_LISTED = 250
"""Commits that a range lists; `total` counts all of them."""
MOST_CANDIDATES = 10
"""Full hashes that an ambiguous one lists."""


class UnknownReason(StrEnum):
    """Why there is no answer: the first five need somebody to correct something, the others pass by themselves."""

    NOT_ALLOWED = "NotAllowed"
    COMMIT_NOT_FOUND = "CommitNotFound"
    BRANCH_NOT_FOUND = "BranchNotFound"
    AMBIGUOUS = "Ambiguous"
    TOO_LARGE = "TooLarge"
    UNREADABLE = "Unreadable"
    PENDING = "Pending"
    BUSY = "Busy"


@dataclass(frozen=True, slots=True)
class Unknown:
    """There is no answer; `message` says why, for people."""

    reason: UnknownReason
    message: str


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository and its branch, as an object in `namespace` names them."""

    namespace: str
    url: str
    branch: str


class RelationKind(StrEnum):
    """How a commit stands to another one."""

    SAME = "Same"
    AHEAD = "Ahead"
    BEHIND = "Behind"
    DIVERGED = "Diverged"


@dataclass(frozen=True, slots=True)
class Relation:
    """How A stands to B: A has `ahead` commits that B has not, and lacks `behind` that B has."""

    ahead: int
    behind: int

    @property
    def kind(self) -> RelationKind:
        """Return the relation in a word; histories without a common commit have diverged."""
        if self.ahead:
            return RelationKind.DIVERGED if self.behind else RelationKind.AHEAD
        return RelationKind.BEHIND if self.behind else RelationKind.SAME


@dataclass(frozen=True, slots=True)
class Membership:
    """Whether a commit is on the branch, whose newest commit was `tip` at `as_of`: branches may be rewritten."""

    on_branch: bool
    tip: str
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit for people. Its texts and its time are what the committer has claimed; None: no time that a calendar has."""

    hash: str
    subject: str
    author: str
    committed_at: datetime | None


@dataclass(frozen=True, slots=True)
class CommitRange:
    """Commits that B has and A has not, newest first, at most MOST_LISTED of `total`."""

    total: int
    commits: tuple[Commit, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """From which commit to which an attempt goes: hashes as tags have them, perhaps abbreviated."""

    before: str
    after: str


@dataclass(frozen=True, slots=True)
class FullHash:
    """The only commit of the repository, as it was known at `as_of`, whose hash begins so."""

    hash: str
    as_of: datetime


class Commits(Protocol):
    """The commit graph of repositories. Hashes are full ones, but for `full_hash`. Raises Problem if the service does not answer."""

    async def relation(self, repository: Repository, a: str, b: str) -> Relation | Unknown:
        """Return how A stands to B. It never changes."""

    async def membership(self, repository: Repository, a: str, max_age_s: float) -> Membership | Unknown:
        """Return whether A is on the branch as it was at most `max_age_s` ago."""

    async def between(self, repository: Repository, a: str, b: str) -> CommitRange | Unknown:
        """Return the commits that B has and A has not. They never change."""

    async def full_hash(self, repository: Repository, abbreviated: str, max_age_s: float) -> FullHash | Unknown:
        """Return the full hash of an abbreviated one, in the repository as it was at most `max_age_s` ago."""
