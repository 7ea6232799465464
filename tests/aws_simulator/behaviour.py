"""How images behave when they are run: told by their tag when they are pushed, remembered by digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Behaviour:
    """Durations in AWS's seconds. `exit_after` ends a task that long after it began to run; `healthy` False: it never is."""

    pull: float = 4.0
    exit_after: float | None = None
    exit_code: int = 1
    pull_error: str = ""
    healthy: bool = True


HEALTHY = Behaviour()
KINDS = {
    "healthy": HEALTHY,
    "crash": Behaviour(exit_after=5.0),
    "pullfail": Behaviour(pull_error="CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref"),
    "slow": Behaviour(pull=240.0),
    "unhealthy": Behaviour(healthy=False),
    "mortal": Behaviour(exit_after=120.0),
}


class Behaviours:
    """Behaviour by digest."""

    def __init__(self) -> None:
        """All are healthy at first."""
        self._kinds: dict[str, str] = {}

    def pushed(self, digest: str, tag: str | None) -> None:
        """Remember what a tag says: the first tag that says something counts."""
        kind = next((k for k in KINDS if tag and k != "healthy" and k in tag), None)
        if kind is not None:
            self._kinds.setdefault(digest, kind)

    def set(self, digest: str, kind: str) -> None:
        """Make an image behave otherwise from now on."""
        self._kinds[digest] = kind

    def of(self, digest: str) -> Behaviour:
        """Return how an image behaves."""
        return KINDS[self._kinds.get(digest, "healthy")]


def made_up_digest(image: str) -> str:
    """Give an image of another registry a digest, the same each time."""
    return "sha256:" + hashlib.sha256(image.encode()).hexdigest()
