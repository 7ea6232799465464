"""The ways in which the board is told who looks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from ecs_release.board.config import BoardSettings
from ecs_release.board.viewer import UnknownViewerError, Viewer, viewer_of

LONGEST_HEADER = 32 * 1024
"""Bytes: a load balancer signs up to 11 KB of claims (Elastic Load Balancing, as in load_balancer.py), and a proxy may name many groups."""
Headers: TypeAlias = Callable[[str], Sequence[str]]
"""Returns all values of a header of a request."""


class Login(Protocol):
    """Tells who has sent a request."""

    async def viewer(self, headers: Headers) -> Viewer | None:
        """Return who looks; None where nobody is asked. Raises UnknownViewerError and LoginUnavailableError."""

    async def close(self) -> None:
        """Close its connections."""


class NoLogin:
    """Nobody is asked."""

    async def viewer(self, _: Headers) -> None:
        """Return None."""

    async def close(self) -> None:
        """Have nothing to close."""


class ProxyLogin:
    """Believes the headers of a login proxy, through which alone the board is reached."""

    def __init__(self, settings: BoardSettings) -> None:
        """`settings` name the headers."""
        self._settings = settings

    async def viewer(self, headers: Headers) -> Viewer:
        """Return who looks."""
        settings = self._settings
        users = headers(settings.user_header)
        if len(users) != 1 or not users[0].strip():
            raise UnknownViewerError(f"the login proxy has sent no {settings.user_header}, or several")
        groups = (group for value in headers(settings.groups_header) for group in value.split(","))
        return viewer_of(settings, users[0], groups, settings.user_header)

    async def close(self) -> None:
        """Have nothing to close."""
