"""The local git repository: the current commit, and commits by their abbreviation."""

from __future__ import annotations

import re
import shutil
import subprocess

_DEADLINE_S = 10
_ABBREVIATED = re.compile(r"[0-9a-f]{4,39}")


def run(*arguments: str) -> str:
    """Run git in the current folder; an empty string if it fails or is not installed."""
    program = shutil.which("git")
    if program is None:
        return ""
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=_DEADLINE_S, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def head() -> str:
    """Return the commit that is checked out; an empty string outside of a repository."""
    return run("rev-parse", "--verify", "--quiet", "HEAD^{commit}")


def is_dirty() -> bool:
    """Return whether tracked files differ from the commit that is checked out."""
    return bool(run("status", "--porcelain", "--untracked-files=no"))


def email() -> str:
    """Return git's user.email."""
    return run("config", "--get", "user.email")


def is_abbreviated(release_hash: str) -> bool:
    """Return whether a release hash looks like an abbreviated commit."""
    return _ABBREVIATED.fullmatch(release_hash) is not None


def commits(abbreviated: str) -> list[str]:
    """Return the commits that begin with an abbreviated one."""
    objects = run("rev-parse", f"--disambiguate={abbreviated}").split()
    return sorted({c for o in objects if (c := run("rev-parse", "--verify", "--quiet", f"{o}^{{commit}}")) == o})
