"""How images behave when they are run: told by their tag when they are pushed, remembered by digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Behaviour:
    """Durations in AWS's seconds, after the container began to run where not said otherwise.

    `exit_after` ends the container; `healthy` False: it runs and never counts as healthy; `fails_check_after`: its health check fails, and
    ECS stops the task.
    """

    pull: float = 4.0
    exit_after: float | None = None
    exit_code: int = 1
    pull_error: str = ""
    healthy: bool = True
    fails_check_after: float | None = None


HEALTHY = Behaviour()
KINDS = {
    "healthy": HEALTHY,
    "crash": Behaviour(exit_after=5.0),
    "pullfail": Behaviour(pull_error="CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref"),
    "slow": Behaviour(pull=240.0),
    "unhealthy": Behaviour(healthy=False),
    "failcheck": Behaviour(healthy=False, fails_check_after=30.0),
    "mortal": Behaviour(exit_after=120.0),
}
"""`mortal` becomes healthy and dies later: a service that is never at rest."""


class Behaviours:
    """Behaviour by digest."""

    def __init__(self) -> None:
        """All are healthy at first."""
        self._kinds: dict[str, str] = {}

    def pushed(self, digests: Iterable[str], tag: str | None) -> None:
        """Remember what a tag says of an image (and of a list's platform images): the first tag that says something counts."""
        kind = next((k for k in KINDS if tag and k != "healthy" and k in tag), None)
        if kind is not None:
            for digest in digests:
                self._kinds.setdefault(digest, kind)

    def set(self, digest: str, kind: str) -> None:
        """Make an image behave otherwise from the next task on. Raises KeyError for a kind that is not in KINDS."""
        KINDS[kind]
        self._kinds[digest] = kind

    def of(self, digest: str) -> Behaviour:
        """Return how an image behaves."""
        return KINDS[self._kinds.get(digest, "healthy")]


def made_up_digest(image: str) -> str:
    """Give an image of another registry a digest, the same each time."""
    return "sha256:" + hashlib.sha256(image.encode()).hexdigest()
