"""References to objects as users type them: `releaseset/x`, `release/x`, their short names, or a bare name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecs_release.api.names import ENVIRONMENT, GROUP, PROJECT, RELEASE, RELEASE_SET
from ecs_release.cli.kubectl.terminal.errors import CommandError, NotFound

if TYPE_CHECKING:
    from ecs_release.cli.kubectl.client.session import Session

_WORDS = {
    RELEASE_SET: ("releaseset", "releasesets", "ecsrs", "rs", "set"),
    RELEASE: ("release", "releases", "ecsrel", "r"),
    PROJECT: ("project", "projects", "ecsproj"),
    ENVIRONMENT: ("environment", "environments", "ecsenv", "env"),
}
KINDS = {word: kind for kind, words in _WORDS.items() for word in words}


@dataclass(frozen=True, slots=True)
class ObjectName:
    """A kind and a name; `kind` is empty for a bare name."""

    kind: str
    name: str


def parse(text: str, kinds: tuple[str, ...] = (RELEASE_SET, RELEASE)) -> ObjectName:
    """Parse a reference. Raises CommandError for a kind that is unknown, or not in `kinds`."""
    word, slash, name = text.rpartition("/")
    if not slash:
        return ObjectName("", text)
    kind = KINDS.get(word.lower().removesuffix(f".{GROUP}"))
    if kind not in kinds or not name:
        known = " or ".join(f"{k.lower()}/NAME" for k in kinds)
        raise CommandError(f"{text!r} is no name of an object here: write {known}, or NAME alone")
    return ObjectName(kind, name)


def resolve(session: Session, text: str) -> dict[str, Any]:
    """Read the ReleaseSet or Release of a reference; for a bare name the ReleaseSet, if there is one. Raises CommandError."""
    wanted = parse(text)
    for kind in (wanted.kind,) if wanted.kind else (RELEASE_SET, RELEASE):
        found = session.api.find(kind, wanted.name, session.namespace)
        if found is not None:
            return found
    what = f"{wanted.kind}" if wanted.kind else "ReleaseSet or Release"
    raise NotFound(f"there is no {what} {wanted.name!r} in namespace {session.namespace!r}: see kubectl get releasesets,releases -A")
