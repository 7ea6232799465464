"""The graph of the user's own clone, asked about one commit. What the clone does not have is unknown."""

from __future__ import annotations

import re
from collections.abc import Collection

from ecs_release.cli.kubectl.own_clone.clone import Clone
from ecs_release.domain.presence.answers import Answer, Contains

_HASH = re.compile(r"[0-9a-f]{7,64}")
_SHOWN = 12


class CloneGraph:
    """Answers whether commits contain one. What is known once stays so; what is unknown is asked again: a fetch may have brought it."""

    def __init__(self, clone: Clone, commit: str) -> None:
        """`commit` is a full hash that the clone has."""
        self._clone = clone
        self._commit = commit
        self._known: dict[str, Answer] = {}
        self._unknown: dict[str, Answer] = {}

    def __call__(self, release_hash: str) -> Answer:
        """Return whether a release hash that was learned contains the commit."""
        found = self._known.get(release_hash) or self._unknown.get(release_hash)
        return found or Answer(Contains.UNKNOWN, f"{release_hash} is not the hash of a commit")

    def learn(self, hashes: Collection[str]) -> None:
        """Ask about release hashes, all at once. Raises CommandError."""
        asked = {h for h in hashes if h not in self._known and _HASH.fullmatch(h)}
        candidates = self._clone.full_hashes(asked)
        self._unknown = {h: Answer(Contains.UNKNOWN, _why(h, its)) for h, its in candidates.items() if len(its) != 1}
        whole = {h: its[0] for h, its in candidates.items() if len(its) == 1}
        containing = self._clone.containing(self._commit, set(whole.values()))
        left = {commit for commit in whole.values() if commit not in containing}
        # Where history is cut off, a commit that is newer cannot be told from one that is beside it: only older ones are known.
        surely = self._clone.contained(self._commit, left) if left and self._clone.is_shallow() else left
        for release_hash, commit in whole.items():
            if commit in containing or commit in surely:
                self._known[release_hash] = Answer(Contains.YES if commit in containing else Contains.NO)
            else:
                why = f"this clone is shallow, and does not show how {commit[:_SHOWN]} came about: git fetch --unshallow"
                self._unknown[release_hash] = Answer(Contains.UNKNOWN, why)


def _why(release_hash: str, candidates: Collection[str]) -> str:
    shown = release_hash[:_SHOWN]
    if candidates:
        return f"{shown} is ambiguous in this clone: it may be {len(candidates)} commits"
    return f"this clone has no commit {shown}: git fetch"
