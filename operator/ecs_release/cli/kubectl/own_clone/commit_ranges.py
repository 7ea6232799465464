"""Commits between two in the user's own clone, and in words: `12 commits by 4 people, oldest 3d ago`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ecs_release.api.commits import AttemptCommits
from ecs_release.cli.kubectl.own_clone.clone import Clone
from ecs_release.cli.kubectl.terminal.errors import CommandError
from ecs_release.cli.kubectl.terminal.output import Output
from ecs_release.cli.kubectl.terminal.tables import Row, lines
from ecs_release.domain.artifacts.claimed_hash import given_hash
from ecs_release.domain.decision.commit_rules import is_commit_hash
from ecs_release.pages.ages import since

MOST_LISTED = 20
_SHORT = 10
"""Digits of a hash, as tables show it."""


@dataclass(frozen=True, slots=True)
class ClonedCommit:
    """A commit, as its author and committer have written it; None: no time that a calendar has."""

    hash: str
    committed_at: datetime | None
    author: str
    subject: str


@dataclass(slots=True)
class CommitList:
    """Commits that one has and another has not: how many, by whom, the time of the oldest, and the newest of them."""

    total: int = 0
    authors: set[str] = field(default_factory=set)
    oldest: datetime | None = None
    newest: list[ClonedCommit] = field(default_factory=list)

    def add(self, commit: ClonedCommit) -> None:
        """Count a commit; those that come first are listed."""
        self.total += 1
        self.authors.add(commit.author)
        if commit.committed_at is not None:
            self.oldest = min(commit.committed_at, self.oldest or commit.committed_at)
        if len(self.newest) < MOST_LISTED:
            self.newest.append(commit)


@dataclass(frozen=True, slots=True)
class CommitRange:
    """What lies between two commits: what the second adds, and what it leaves out."""

    added: CommitList
    removed: CommitList


class CommitRanges:
    """What the user's own clone knows of pairs of commits. Each pair is looked up once; nothing is fetched."""

    def __init__(self, folder: str) -> None:
        """`folder` is the clone, or in it; empty: the current folder, if that is one.

        Raises CommandError for a folder that is no clone, or a shallow one: it does not know what is between two.
        """
        clone = Clone(folder)
        if folder:
            clone.check()
        is_known = clone.is_there()
        if is_known and clone.is_shallow():
            if folder:
                raise CommandError(f"the history of {folder} is cut off: git fetch --unshallow")
            is_known = False
        self._clone = clone if is_known else None
        self._known: dict[tuple[str, str], CommitRange | None] = {}

    def between(self, before: str, after: str) -> CommitRange | None:
        """Return what lies between two release hashes; None if the clone does not have both, or they are no commits."""
        pair = given_hash(before) or "", given_hash(after) or ""
        if self._clone is None or not all(is_commit_hash(h) for h in pair):
            return None
        if pair not in self._known:
            self._known[pair] = _between(self._clone, *pair)
        return self._known[pair]


def _between(clone: Clone, *pair: str) -> CommitRange | None:
    found = clone.full_hashes(pair)
    if any(len(found[h]) != 1 for h in pair):
        return None
    before, after = (found[h][0] for h in pair)
    return CommitRange(_listed(clone, before, after), _listed(clone, after, before))


def _listed(clone: Clone, before: str, after: str) -> CommitList:
    found = CommitList()
    for commit, seconds, author, subject in clone.log(before, after):
        found.add(ClonedCommit(commit, _time(seconds), author, subject))
    return found


def _time(seconds: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def recorded(commits: AttemptCommits, now: datetime) -> str:
    """Return in words what status or ledger know of the commits of an attempt."""
    of = _words(commits.added or commits.removed or 0, commits.authors or 0, commits.first_time, now)
    return _joined(of if commits.added else "", commits.removed or 0, of)


def described(found: CommitRange, now: datetime) -> str:
    """Return in words what lies between two commits; an empty string if that is nothing."""
    added, removed = (_words(of.total, len(of.authors), of.oldest, now) if of.total else "" for of in (found.added, found.removed))
    return _joined(added, found.removed.total, removed)


def listed(found: CommitRange, indent: str = "  ") -> Iterator[str]:
    """Yield lines with the newest of the commits that are added or, if none is, of those that are left out."""
    of = found.added if found.added.total else found.removed
    yield from (f"{indent}{line}" for line in lines([], [_row(commit) for commit in of.newest]))
    if of.total > len(of.newest):
        yield f"{indent}and {of.total - len(of.newest)} more"


def _row(commit: ClonedCommit) -> Row:
    at = f"{commit.committed_at:%Y-%m-%d %H:%M}" if commit.committed_at is not None else ""
    return [commit.hash[:_SHORT], at, commit.author, commit.subject]


def _joined(added: str, removed: int, words: str) -> str:
    if not removed:
        return added
    return f"{added}; leaves out {removed}" if added else f"goes back by {words}"


def _words(total: int, authors: int, oldest: datetime | None, now: datetime) -> str:
    text = f"{total} commit{'' if total == 1 else 's'}"
    if authors:
        text += f" by {authors} {'person' if authors == 1 else 'people'}"
    return f"{text}, oldest {since(oldest, now)} ago" if oldest is not None else text


def by_pair(pairs: Sequence[tuple[str, str, str]]) -> dict[tuple[str, str], list[str]]:
    """Group services, given as (service, before, after), by the commits that they go from and to; equal ones are left out."""
    found: dict[tuple[str, str], list[str]] = {}
    for service, before, after in pairs:
        if before and after and before != after:
            found.setdefault((before, after), []).append(service)
    return found


def write(out: Output, ranges: CommitRanges, pairs: Mapping[tuple[str, str], Sequence[str]], now: datetime, how: str = "") -> None:
    """Print for each pair of commits what lies between, as far as the clone knows: services, words and list."""
    for (before, after), services in pairs.items():
        found = ranges.between(before, after)
        if found is None:
            continue
        out.write_line(f"\n{', '.join(services)}{f', {how}' if how else ''}: {described(found, now)}")
        for line in listed(found):
            out.write_line(line)
