"""Whose credentials these are: only what was made with them counts as ours, whatever keys and markers others copy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar

from ecs_release.domain.model.errors import Denied
from ecs_release.github.client import Client, MissingError, malformed
from ecs_release.github.credentials import InstallationToken

Known = TypeVar("Known")


class Identity:
    """An App by its id or its bot, or the user of a token."""

    def __init__(self, client: Client, app: InstallationToken | None) -> None:
        """Without an App, GitHub is asked who the token's user is: once for each token."""
        self._client = client
        self._app = app
        self._user = _OfToken(client, self._ask_user)
        self._bot = _OfToken(client, app.bot if app is not None else _nobody)

    async def made(self, one: Mapping[str, Any]) -> bool:
        """Return whether a Deployment, or a comment, was made with these credentials.

        GitHub names the App of what an App has made, but its description lets that be null: then the author tells, which is the App's bot.
        Nobody else can have a login that ends so.
        """
        user = one.get("creator") or one.get("user")
        if self._app is None:
            return isinstance(user, Mapping) and user.get("id") == await self._user.get()
        app = one.get("performed_via_github_app")
        if isinstance(app, Mapping):
            return app.get("id") == self._app.id
        return isinstance(user, Mapping) and user.get("type") == "Bot" and user.get("login") == await self._bot.get()

    async def _ask_user(self) -> int:
        try:
            found = await self._client.get("/user")
        except MissingError as error:
            raise Denied(f"{error}: the token is no user's") from error
        if not isinstance(found, Mapping) or not isinstance(found.get("id"), int):
            raise malformed("a user with an id is expected")
        return int(found["id"])


class _OfToken(Generic[Known]):
    """What is asked for once for each token: it may be replaced by another one's, and an App may be renamed."""

    def __init__(self, client: Client, ask: Callable[[], Awaitable[Known]]) -> None:
        self._client = client
        self._ask = ask
        self._known: tuple[str, Known] | None = None

    async def get(self) -> Known:
        token = await self._client.token()
        if self._known is None or self._known[0] != token:
            # If that reads another token, the next one asks again.
            self._known = token, await self._ask()
        return self._known[1]


async def _nobody() -> str:
    return ""
