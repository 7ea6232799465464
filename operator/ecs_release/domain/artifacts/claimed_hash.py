"""Release hashes that nothing has confirmed: a manifest gives a hash beside a digest, and no tag in ECR says the same.

They are marked wherever they are shown or recorded, with a character that no tag may have: so a claim is never taken for a hash.
"""

from __future__ import annotations

CLAIMED = "claimed:"


def claimed(release_hash: str) -> str:
    """Mark a hash that a manifest gives."""
    return release_hash if not release_hash or release_hash.startswith(CLAIMED) else f"{CLAIMED}{release_hash}"


def is_claimed(release_hash: str | None) -> bool:
    """Return whether a hash is marked."""
    return (release_hash or "").startswith(CLAIMED)


def given_hash(release_hash: str | None) -> str | None:
    """Return a hash as a manifest may give it: without the mark, for what is claimed once is claimed again."""
    return release_hash.removeprefix(CLAIMED) if release_hash else None


def confirmed_hash(release_hash: str | None) -> str | None:
    """Return a hash that was confirmed; None for one that is only claimed."""
    return None if is_claimed(release_hash) else release_hash
