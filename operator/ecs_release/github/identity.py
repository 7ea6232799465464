"""Whose credentials these are: only what was made with them counts as ours, whatever keys and markers others copy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ecs_release.domain.model.errors import Denied
from ecs_release.github.client import Client, MissingError, malformed


class Identity:
    """An App by its id, or the user of a token."""

    def __init__(self, client: Client, app_id: int | None) -> None:
        """Without an App, GitHub is asked once who the token's user is."""
        self._client = client
        self._app_id = app_id
        self._user_id: int | None = None

    async def made(self, one: Mapping[str, Any]) -> bool:
        """Return whether a Deployment, or a comment, was made with these credentials."""
        if self._app_id is not None:
            app = one.get("performed_via_github_app")
            return isinstance(app, Mapping) and app.get("id") == self._app_id
        user = one.get("creator") or one.get("user")
        return isinstance(user, Mapping) and user.get("id") == await self._user()

    async def _user(self) -> int:
        if self._user_id is None:
            try:
                found = await self._client.get("/user")
            except MissingError as error:
                raise Denied(f"{error}: the token is no user's") from error
            if not isinstance(found, Mapping) or not isinstance(found.get("id"), int):
                raise malformed("a user with an id is expected")
            self._user_id = found["id"]
        return self._user_id
