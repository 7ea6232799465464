"""Comments on pull requests, with a label: one for each installation, Environment and pull request, in sections by object.

GitHub's REST API, "Issue comments": a pull request is an issue. A comment is found again by a hidden marker, and only among those that
these credentials have written. Markers are whole lines: text of people, which is inside of code spans, never is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ecs_release.domain.model.errors import Ambiguous
from ecs_release.domain.ports.views import Created, Part, Place
from ecs_release.github.client import Client, MissingError, rejected
from ecs_release.github.identity import Identity

_PAGES = 10
_LONGEST = 60_000
"""GitHub takes 65,536 characters."""


class Comments:
    """What is shown as a comment."""

    def __init__(self, client: Client, identity: Identity) -> None:
        """`identity` tells ours from others'."""
        self._client = client
        self._identity = identity

    async def find(self, place: Place, part: Part) -> list[str]:
        """Return the ids of ours with the part's marker, oldest first."""
        path = f"/repos/{place.address}/issues/{part.content['number']}/comments"
        listed = self._client.listed(path, {}, _PAGES, "comments")
        return [str(one) for one in sorted([one["id"] async for one in listed if await self._is_ours(one, part.key)])]

    async def create(self, place: Place, part: Part) -> Created:
        """Create one, with this section."""
        path = f"/repos/{place.address}/issues/{part.content['number']}/comments"
        body = with_section(_marker(part.key), part)
        try:
            made = await self._client.change("POST", path, {"body": body}, what="comment on a pull request", creates=True)
        except MissingError as error:
            raise rejected(error) from error
        if not isinstance(made, Mapping) or not isinstance(made.get("id"), int):
            raise Ambiguous("GitHub gave a malformed answer: it has created a comment without an id")
        return Created(str(made["id"]), is_current=not part.content["label"])

    async def change(self, place: Place, receipt: str, part: Part) -> None:
        """Write this section, and leave those of other objects as they are; then set the label."""
        path = f"/repos/{place.address}/issues/comments/{receipt}"
        try:
            found = await self._client.get(path)
            body = found.get("body") if isinstance(found, Mapping) else None
            after = with_section(body if isinstance(body, str) and _marker(part.key) in body.splitlines() else _marker(part.key), part)
            if after != body:
                await self._client.change("PATCH", path, {"body": after}, what="edit a comment")
        except MissingError:
            pass  # Somebody has deleted it: it is left so.
        if part.content["label"]:
            labels = f"/repos/{place.address}/issues/{part.content['number']}/labels"
            try:
                await self._client.change("POST", labels, {"labels": [part.content["label"]]}, what="label a pull request")
            except MissingError:
                return

    async def remove(self, place: Place, receipt: str) -> None:
        """Delete one."""
        try:
            await self._client.change("DELETE", f"/repos/{place.address}/issues/comments/{receipt}", None, what="delete a comment")
        except MissingError:
            return

    async def _is_ours(self, one: Any, key: str) -> bool:
        body = one.get("body") if isinstance(one, Mapping) else None
        if not isinstance(body, str) or _marker(key) not in body.splitlines() or not isinstance(one.get("id"), int):
            return False
        return await self._identity.made(one)


def with_section(body: str, part: Part) -> str:
    """Return a comment's text with a part's section: in its own place, else last."""
    begin, end = f"<!-- ecs-release section {part.content['owner']} -->", "<!-- ecs-release end -->"
    section = [begin, str(part.content["text"])[:_LONGEST], end]
    lines = body.splitlines()
    if begin in lines and end in lines[lines.index(begin) :]:
        first = lines.index(begin)
        last = lines.index(end, first)
        return "\n".join([*lines[:first], *section, *lines[last + 1 :]])
    if len(body) + len(section[1]) > _LONGEST:
        lines = lines[:1]  # Sections of objects that are long gone, most likely.
    return "\n".join([*lines, *section])


def _marker(key: str) -> str:
    return f"<!-- ecs-release comment {key} -->"
