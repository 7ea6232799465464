"""Who looks, as the login proxy in front says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ecs_release.board.config import BoardSettings

_RESERVED = "system:"
"""Of Kubernetes itself: no login from outside may give such a name (API server, AuthenticationConfiguration)."""
_AUTHENTICATED = "system:authenticated"
_MOST_GROUPS, _LONGEST = 500, 256


class UnknownViewerError(Exception):
    """Nobody can be told from a request; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """A user and their groups, as roles of the cluster name them."""

    user: str
    groups: tuple[str, ...] = ()


def viewer_of(settings: BoardSettings, header: Callable[[str], Sequence[str]]) -> Viewer | None:
    """Return who looks; None where nobody is asked. `header` returns all values of a header. Raises UnknownViewerError."""
    if settings.login == "none":
        return None
    users = header(settings.user_header)
    if len(users) != 1 or not users[0].strip():
        raise UnknownViewerError(f"the login proxy has sent no {settings.user_header}, or several")
    user = settings.user_prefix + users[0].strip()
    if user.startswith(_RESERVED) or len(user) > _LONGEST:
        raise UnknownViewerError(f"{settings.user_header} is a name that no login may give")
    groups = {settings.groups_prefix + g.strip() for value in header(settings.groups_header) for g in value.split(",") if g.strip()}
    # What the API server adds itself is added here; what nobody from outside may be in is left out.
    taken = sorted(g for g in groups if not g.startswith(_RESERVED) and len(g) <= _LONGEST)
    return Viewer(user, (*taken[:_MOST_GROUPS], _AUTHENTICATED))
