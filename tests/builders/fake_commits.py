"""A commit graph of a few commits behind the port, which answers at once, late, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ecs_release.domain.model.errors import Retryable
from ecs_release.domain.ports.commits import (
    MOST_LISTED,
    Commit,
    CommitRange,
    FullHash,
    Membership,
    Relation,
    Repository,
    Unknown,
    UnknownReason,
)


@dataclass
class FakeCommits:
    """A repository: `parents` of each commit by its full hash, oldest first and made an hour apart, and its branch's newest commit.

    Subjects are `subject`, or else of the hash. Questions about `hanging` repositories are answered once `released` is set; `down` fails all of them. `unknown` is the answer to all.
    """

    parents: Mapping[str, Sequence[str]]
    tip: str = ""
    hanging: set[str] = field(default_factory=set)
    down: bool = False
    unknown: Unknown | None = None
    subject: str = ""
    author: str = "Ana"
    asked: list[tuple[str, ...]] = field(default_factory=list)
    under_way: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def relation(self, repository: Repository, a: str, b: str) -> Relation | Unknown:
        unknown = await self._answer(repository, "relation", a, b)
        lost = next((c for c in (a, b) if c not in self.parents), None)
        if unknown is not None or lost:
            return unknown or Unknown(UnknownReason.COMMIT_NOT_FOUND, f"there is no commit {lost}")
        ours, theirs = self._reachable(a), self._reachable(b)
        return Relation(len(ours - theirs), len(theirs - ours))

    async def membership(self, repository: Repository, a: str, max_age_s: float) -> Membership | Unknown:
        unknown = await self._answer(repository, "membership", a)
        return unknown or Membership(a in self._reachable(self.tip), self.tip, datetime.now(UTC))

    async def between(self, repository: Repository, a: str, b: str) -> CommitRange | Unknown:
        unknown = await self._answer(repository, "between", a, b)
        found = [c for c in reversed(self.parents) if c in self._reachable(b) - self._reachable(a)]
        at = {c: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n, c in enumerate(self.parents)}
        return unknown or CommitRange(
            len(found), tuple(Commit(c, self.subject or f"commit {c[:7]}", self.author, at[c]) for c in found[:MOST_LISTED])
        )

    async def full_hash(self, repository: Repository, abbreviated: str, max_age_s: float) -> FullHash | Unknown:
        unknown = await self._answer(repository, "full_hash", abbreviated)
        found = [c for c in self._reachable(self.tip) if c.startswith(abbreviated)]
        if unknown is not None or len(found) != 1:
            return unknown or Unknown(UnknownReason.AMBIGUOUS if found else UnknownReason.COMMIT_NOT_FOUND, f"{len(found)} begin so")
        return FullHash(found[0], datetime.now(UTC))

    async def _answer(self, repository: Repository, *question: str) -> Unknown | None:
        self.asked.append(question)
        self.under_way += 1
        try:
            if repository.url in self.hanging:
                await self.released.wait()
            await asyncio.sleep(0.002)
        finally:
            self.under_way -= 1
        if self.down:
            raise Retryable("the commits service did not answer: connection refused")
        return self.unknown

    def _reachable(self, commit: str) -> set[str]:
        found: set[str] = set()
        left = [commit] if commit in self.parents else []
        while left:
            one = left.pop()
            if one not in found:
                found.add(one)
                left += self.parents[one]
        return found
