"""Bare repositories with any history, made by `git fast-import`; and plain git, whose answers are the measure."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

Parents = Sequence[int]


def git_program() -> str:
    """Return git's path. Raises RuntimeError that says what is needed."""
    found = shutil.which("git")
    if found is None:
        raise RuntimeError("git is not installed: tests of the commits service need git 2.39 or newer, with git-http-backend")
    return found


def git(folder: Path, *arguments: str, stdin: str | bytes = b"", author: str = "Ana") -> str:
    """Run plain git on a bare repository, as nobody's; returns what it prints."""
    environment = {
        "PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_AUTHOR_NAME": author, "GIT_AUTHOR_EMAIL": "ana@example.com", "GIT_COMMITTER_NAME": "Ana", "GIT_COMMITTER_EMAIL": "ana@example.com",
    }  # fmt: skip
    data = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(
        [git_program(), f"--git-dir={folder}", *arguments], input=data, capture_output=True, check=False, env=environment, timeout=600
    )
    if done.returncode:
        raise RuntimeError(f"git {' '.join(arguments)}: {done.stderr.decode(errors='replace')}")
    return done.stdout.decode(errors="replace").strip()


class BareRepository:
    """A bare repository that a host serves."""

    def __init__(self, folder: Path, *, filters: bool = True, any_commit: bool = True) -> None:
        """`filters`: whether fetches may leave trees out; `any_commit`: whether a commit that is on no branch may be fetched by name."""
        self.folder = folder
        git(folder, "init", "--quiet", "--bare", "--initial-branch=main")
        git(folder, "config", "uploadpack.allowFilter", str(filters).lower())
        git(folder, "config", "uploadpack.allowAnySHA1InWant", str(any_commit).lower())
        git(folder, "config", "gc.auto", "0")

    def history(
        self, parents: Sequence[Parents], branches: dict[str, int], *, subject: str = "commit {}", author: str = "Ana"
    ) -> list[str]:
        """Add commits, each with a file of its own, with parents by their index; returns their hashes."""
        lines: list[str] = []
        for number, its in enumerate(parents):
            text = subject.format(number)
            # Without it the commit before would be the parent.
            lines += ["reset refs/made", ""] if not its else []
            lines += ["commit refs/made", f"mark :{number + 1}"]
            # Apart from each other by a minute: many walks of git go by time.
            when = f"{1_700_000_000 + 60 * number} +0000"
            lines += [f"author {author} <a@example.com> {when}", f"committer {author} <a@example.com> {when}"]
            lines += [f"data {len(text.encode())}", text]
            lines += [f"{'from' if i == 0 else 'merge'} :{parent + 1}" for i, parent in enumerate(its)]
            lines += [f"M 100644 inline file{number % 7}", f"data {len(str(number))}", str(number)]
        marks = self.folder / "marks"
        git(self.folder, "fast-import", "--quiet", "--force", f"--export-marks={marks}", stdin="\n".join(lines) + "\n")
        rows = dict(line.split() for line in marks.read_text().splitlines())
        hashes = [rows[f":{n + 1}"] for n in range(len(parents))]
        git(self.folder, "update-ref", "-d", "refs/made")
        for name, number in branches.items():
            self.point(name, hashes[number])
        return hashes

    def line(self, length: int, branch: str = "main") -> list[str]:
        """Add a line of commits, with a branch on its end."""
        return self.history([[n - 1] if n else [] for n in range(length)], {branch: length - 1})

    def commit(self, *parents: str, branch: str = "", subject: str = "one more", author: str = "Ana") -> str:
        """Add one commit, with a branch on it."""
        tree = git(self.folder, "mktree", stdin=b"")
        given = [part for parent in parents for part in ("-p", parent)]
        made = git(self.folder, "commit-tree", tree, *given, stdin=subject, author=author)
        if branch:
            self.point(branch, made)
        return made

    def point(self, branch: str, commit: str) -> None:
        """Point a branch at a commit, whatever it was on."""
        git(self.folder, "update-ref", f"refs/heads/{branch}", commit)

    def counts(self, a: str, b: str) -> tuple[int, int]:
        """Count as plain git does what only A has, and what only B has."""
        return len(self.reachable([a], [b])), len(self.reachable([b], [a]))

    def reachable(self, commits: Iterable[str], without: Iterable[str]) -> list[str]:
        """List by plain `git rev-list`."""
        return git(self.folder, "rev-list", *commits, *(f"^{c}" for c in without)).split()

    def is_ancestor(self, a: str, b: str) -> bool:
        """Ask plain `git merge-base --is-ancestor`."""
        code = subprocess.run(
            [git_program(), f"--git-dir={self.folder}", "merge-base", "--is-ancestor", a, b], capture_output=True, check=False
        ).returncode
        assert code in {0, 1}
        return code == 0
