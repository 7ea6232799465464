"""Who looks, by the names that roles of the cluster know them by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ecs_release.board.config import BoardSettings

_RESERVED = "system:"
"""Of Kubernetes itself: no login from outside may give such a name (API server, AuthenticationConfiguration)."""
_AUTHENTICATED = "system:authenticated"
_MOST_GROUPS, _LONGEST = 500, 256


class UnknownViewerError(Exception):
    """Nobody can be told from a request; the message says what is wrong with it."""


class LoginUnavailableError(Exception):
    """Who looks cannot be told now; the message says why."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """A user and their groups, as roles of the cluster name them."""

    user: str
    groups: tuple[str, ...] = ()


def viewer_of(settings: BoardSettings, user: str, groups: Iterable[str], source: str) -> Viewer:
    """Return who a login says is looking; `source` is where it says so. Raises UnknownViewerError."""
    if not user.strip():
        raise UnknownViewerError(f"{source} is empty")
    named = settings.user_prefix + user.strip()
    if named.startswith(_RESERVED) or len(named) > _LONGEST:
        raise UnknownViewerError(f"{source} is a name that no login may give")
    prefixed = {settings.groups_prefix + group.strip() for group in groups if group.strip()}
    # What the API server adds itself is added here; what nobody from outside may be in is left out.
    taken = sorted(g for g in prefixed if not g.startswith(_RESERVED) and len(g) <= _LONGEST)
    return Viewer(named, (*taken[:_MOST_GROUPS], _AUTHENTICATED))
