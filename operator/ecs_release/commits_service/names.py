"""Checks of hashes and branches: what they refuse never reaches a command line."""

from __future__ import annotations

import hashlib
import re

_FULL = re.compile(r"[0-9a-f]{40}")
_ABBREVIATED = re.compile(r"[0-9a-f]{7,40}")
# git-check-ref-format(1). Letters of other alphabets are allowed, control characters are not.
_REFUSED = re.compile(r"[\x00-\x20\x7f-\x9f~^:?*\[\\\u2028\u2029\ud800-\udfff]|\.\.|@\{|//|/\.|\.lock(/|$)")
_LONGEST_BRANCH = 244


def is_full_hash(text: str) -> bool:
    """Return whether a text has the form of a full SHA-1 hash, in lower case."""
    return _FULL.fullmatch(text) is not None


def is_abbreviated_hash(text: str) -> bool:
    """Return whether a text has the form of a hash of at least 7 digits: with fewer, most are ambiguous."""
    return _ABBREVIATED.fullmatch(text) is not None


def is_branch(text: str) -> bool:
    """Return whether a text may be the name of a branch, without `refs/heads/`."""
    return (
        0 < len(text.encode(errors="replace")) <= _LONGEST_BRANCH
        and text != "@"
        and not text.startswith(("-", "/", "."))
        and not text.endswith(("/", "."))
        and _REFUSED.search(text) is None
    )


def branch_ref(branch: str) -> str:
    """Return the ref that a branch is fetched into: by digest, so that no name is in the way of another (`a`, `a/b`)."""
    return f"refs/branches/{hashlib.sha256(branch.encode()).hexdigest()[:40]}"


def commit_ref(commit: str) -> str:
    """Return the ref that a commit is fetched into: without one, git would drop it when it packs anew."""
    return f"refs/commits/{commit}"
