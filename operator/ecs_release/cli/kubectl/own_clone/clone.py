"""A clone: the commit that is checked out, names and abbreviations of commits, remotes, and which commits contain one."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ecs_release.cli.kubectl.own_clone.git import Git, GitFailed
from ecs_release.cli.kubectl.terminal.errors import CommandError

_ABBREVIATED = re.compile(r"[0-9a-f]{4,39}")
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REMOTE = re.compile(r"[^\t]+\t(?P<url>.*) \((?:fetch|push)\)(?: \[[^]]*\])?")
_LONGEST_NAME = 512
_MOST_LISTED = 10
_AT_ONCE = 500
"""Abbreviations on one command line."""


@dataclass(frozen=True, slots=True)
class NamedCommit:
    """A commit that somebody has named, and its subject as the committer has written it."""

    hash: str
    subject: str


class Clone:
    """A clone in a folder. Questions about what it does not have are answered so; nothing is fetched."""

    def __init__(self, folder: str = "") -> None:
        """`folder` is the clone, or in it; empty: the current folder."""
        self._git = Git(folder)

    # Answers that may fail to be there: an empty one outside of a repository, or without git.

    def head(self) -> str:
        """Return the commit that is checked out."""
        return self._said("rev-parse", "--verify", "--quiet", "HEAD^{commit}")

    def is_dirty(self) -> bool:
        """Return whether tracked files differ from the commit that is checked out."""
        return bool(self._said("status", "--porcelain", "--untracked-files=no"))

    def email(self) -> str:
        """Return git's user.email."""
        return self._said("config", "--get", "user.email")

    def commits(self, abbreviated: str) -> list[str]:
        """Return the commits that begin with an abbreviated one."""
        try:
            return self._abbreviated([abbreviated])
        except GitFailed:
            return []

    def is_there(self) -> bool:
        """Return whether this is a repository that may be read."""
        return bool(self._said("rev-parse", "--git-dir"))

    # Answers that must be there.

    def check(self) -> None:
        """Raise CommandError, with git's words, if this is no repository that may be read."""
        try:
            self._git.output("rev-parse", "--git-dir")
        except GitFailed as error:
            raise CommandError(f"no clone can be read here: {error}; give --repo") from error

    def remotes(self) -> list[str]:
        """Return the URLs of all remotes, as git would use them. Raises CommandError."""
        matches = (_REMOTE.fullmatch(line) for line in self._asked("remote", "--verbose"))
        return list(dict.fromkeys(match["url"] for match in matches if match))

    def named(self, name: str) -> NamedCommit:
        """Return the commit of a hash, a branch, a tag or an expression of git such as HEAD~2. Raises CommandError if there is none.

        A branch that is not checked out is looked for among those of the remotes.
        """
        if not name or len(name) > _LONGEST_NAME or not name.isprintable():
            raise CommandError(f"{name!r} can be no name of a commit or a branch")
        with _readable():
            first, *others = self._objects([name, *(f"{prefix}/{name}" for prefix in self._remote_prefixes())])
        found = [first] if _HASH.fullmatch(first) else sorted({o for o in others if _HASH.fullmatch(o)})
        if not found and _ABBREVIATED.fullmatch(name):
            found = self.commits(name)
        if not found:
            raise CommandError(f"this clone has no commit or branch {name!r}: git fetch, or give another clone with --repo")
        if len(found) > 1:
            listed = ", ".join(found[:_MOST_LISTED]) + (f" and {len(found) - _MOST_LISTED} more" if len(found) > _MOST_LISTED else "")
            raise CommandError(f"{name} is ambiguous: it may be {listed}")
        return NamedCommit(found[0], next(self._asked("log", "--max-count=1", "--format=%s", found[0], "--"), ""))

    def full_hashes(self, hashes: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Return the commits that each hash, perhaps abbreviated, may stand for: none if the clone has none. Names are no hashes here.

        Raises CommandError.
        """
        found: dict[str, tuple[str, ...]] = {}
        with _readable():
            whole = [h for h in hashes if _HASH.fullmatch(h)]
            found |= {h: (o,) if _HASH.fullmatch(o) else () for h, o in zip(whole, self._objects(whole), strict=True)}
            short = sorted(h for h in hashes if _ABBREVIATED.fullmatch(h))
            for begin in range(0, len(short), _AT_ONCE):
                chunk = short[begin : begin + _AT_ONCE]
                commits = self._abbreviated(chunk)
                found |= {h: tuple(c for c in commits if c.startswith(h)) for h in chunk}
        return {h: found.get(h, ()) for h in hashes}

    def containing(self, commit: str, others: Collection[str]) -> set[str]:
        """Return those of some commits whose history has a commit in it, itself included. All are full and in the clone.

        Raises CommandError.
        """
        wanted = {o for o in others if o != commit}
        if not wanted:
            return set(others)
        # What lies between the commit and the others: one walk, however many there are.
        between = self._asked("rev-list", "--ancestry-path", "--stdin", stdin="".join(f"{h}\n" for h in (*sorted(wanted), f"^{commit}")))
        return wanted.intersection(between) | {o for o in others if o == commit}

    def contained(self, commit: str, others: Collection[str]) -> set[str]:
        """Return those of some commits that are in the history of a commit, as far as the clone has it. Raises CommandError."""
        return set(others).intersection(self._asked("rev-list", "--stdin", stdin=f"{commit}\n")) if others else set()

    def log(self, before: str, after: str) -> Iterator[tuple[str, str, str, str]]:
        """Yield hash, committer's time in seconds, author and subject of the commits that one has and another has not, newest first.

        Both are full and in the clone. Raises CommandError.
        """
        for line in self._asked("log", "--format=%H%x00%ct%x00%an%x00%s", "--no-decorate", "--stdin", stdin=f"{after}\n^{before}\n"):
            commit, *fields = line.split("\0", 3)
            if len(fields) == 3:
                yield commit, fields[0], fields[1], fields[2]

    def is_shallow(self) -> bool:
        """Return whether the clone's history is cut off. Raises CommandError."""
        return list(self._asked("rev-parse", "--is-shallow-repository")) == ["true"]

    def _remote_prefixes(self) -> list[str]:
        return [f"refs/remotes/{name}" for name in self._asked("remote")]

    def _abbreviated(self, prefixes: Collection[str]) -> list[str]:
        """Return the commits that begin with one of some abbreviations. Raises GitFailed."""
        objects = self._git.output("rev-parse", *(f"--disambiguate={p}" for p in prefixes)).split() if prefixes else []
        listed = sorted(set(objects))
        return [o for o, peeled in zip(listed, self._objects(listed), strict=True) if o == peeled]

    def _objects(self, names: Iterable[str]) -> list[str]:
        """Return the commit that each name stands for; what is no hash where there is none, or several. Raises GitFailed.

        Names go in by stdin: none of them can be an option.
        """
        asked = [f"{name}^{{commit}}\n" for name in names]
        if not asked:
            return []
        return self._git.output("cat-file", "--batch-check=%(objectname)", stdin="".join(asked)).split("\n")

    def _asked(self, *arguments: str, stdin: str = "") -> Iterator[str]:
        with _readable():
            yield from self._git.lines(*arguments, stdin=stdin)

    def _said(self, *arguments: str) -> str:
        try:
            return self._git.output(*arguments).strip()
        except GitFailed:
            return ""


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except GitFailed as error:
        raise CommandError(f"the clone cannot be read: {error}") from error


def is_abbreviated(release_hash: str) -> bool:
    """Return whether a release hash looks like an abbreviated commit."""
    return _ABBREVIATED.fullmatch(release_hash) is not None
