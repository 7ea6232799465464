"""Deployments of GitHub, and their statuses.

GitHub's REST API, "Deployments": one may be deleted once it is inactive. `auto_merge` off: nothing is merged into the ref.
`required_contexts` empty: what runs is a fact. "Deployment statuses": `auto_inactive` off, which would retire what another service set
has deployed to the same environment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ecs_release.api.conditions import Reason
from ecs_release.domain.model.errors import Ambiguous, Blocked
from ecs_release.domain.ports.views import Created, Part, Place
from ecs_release.github.client import Client, MissingError, rejected
from ecs_release.github.identity import Identity

KEY = "ecs-release-key"
_PAGES = 3
_FULL = re.compile(r"[0-9a-f]{40}")


class Deployments:
    """What is shown as a Deployment."""

    def __init__(self, client: Client, identity: Identity) -> None:
        """`identity` tells ours from others'."""
        self._client = client
        self._identity = identity

    async def find(self, place: Place, part: Part) -> list[str]:
        """Return the ids of ours with the part's key, oldest first."""
        query = {"environment": str(part.content["environment"])}
        listed = self._client.listed(f"/repos/{place.address}/deployments", query, _PAGES, "Deployments")
        return [str(one) for one in sorted([one["id"] async for one in listed if await self._is_ours(one, part.key)])]

    async def create(self, place: Place, part: Part) -> Created:
        """Create one, without a status yet."""
        body = {
            "ref": await self._full_hash(place, str(part.content["ref"])),
            "task": "deploy",
            "auto_merge": False,
            "required_contexts": [],
            "environment": part.content["environment"],
            "description": part.content["description"],
            "payload": {KEY: part.key},
        }
        try:
            made = await self._client.change("POST", f"/repos/{place.address}/deployments", body, what="create a Deployment", creates=True)
        except MissingError as error:
            raise rejected(error) from error
        if not isinstance(made, Mapping) or not isinstance(made.get("id"), int):
            raise Ambiguous("GitHub gave a malformed answer: it has created a Deployment without an id")
        return Created(str(made["id"]), is_current=False)

    async def change(self, place: Place, receipt: str, part: Part) -> None:
        """Add a status, unless it is the latest already: an earlier answer may have been lost."""
        wanted = {"state": part.content["state"], "description": part.content["status"], "log_url": part.content["logURL"]}
        path = f"/repos/{place.address}/deployments/{receipt}/statuses"
        try:
            listed = await self._client.get(path, {"per_page": "1"})
            last = listed[0] if isinstance(listed, list) and listed else {}
            if isinstance(last, Mapping) and all((last.get(name) or "") == value for name, value in wanted.items()):
                return
            await self._client.change("POST", path, {**wanted, "auto_inactive": False}, what="change a Deployment's status")
        except MissingError:
            return

    async def remove(self, place: Place, receipt: str) -> None:
        """Delete one."""
        path = f"/repos/{place.address}/deployments/{receipt}"
        try:
            await self._client.change("POST", f"{path}/statuses", {"state": "inactive", "auto_inactive": False}, what="retire a Deployment")
            await self._client.change("DELETE", path, None, what="delete a Deployment")
        except MissingError:
            return

    async def _is_ours(self, one: Any, key: str) -> bool:
        payload = one.get("payload") if isinstance(one, Mapping) else None
        if not isinstance(payload, Mapping) or payload.get(KEY) != key or not isinstance(one.get("id"), int):
            return False
        return await self._identity.made(one)

    async def _full_hash(self, place: Place, ref: str) -> str:
        """Return the full hash of a commit: a short one might be a branch's name."""
        if _FULL.fullmatch(ref):
            return ref
        refused = Blocked(Reason.REJECTED_BY_SINK, f"{place.address} on GitHub has no commit {ref}")
        try:
            found = await self._client.get(f"/repos/{place.address}/commits/{ref}", {"per_page": "1"})
        except MissingError as error:
            raise refused from error
        sha = found.get("sha") if isinstance(found, Mapping) else None
        if not isinstance(sha, str) or _FULL.fullmatch(sha) is None or not sha.startswith(ref):
            raise refused
        return sha
