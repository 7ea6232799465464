"""Comments on pull requests, with a label: one for each installation, Environment and pull request, in sections by object.

GitHub's REST API, "Issue comments": a pull request is an issue. A comment is found again by a hidden marker, and only among those that
these credentials have written. Markers are whole lines: text of people, which is inside of code spans, never is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ecs_release.domain.model.errors import Ambiguous
from ecs_release.domain.ports.views import Created, Part, Place
from ecs_release.github.client import Client, MissingError, rejected
from ecs_release.github.identity import Identity

_PAGES = 10
_LONGEST = 60_000
"""GitHub takes 65,536 characters."""
_CUT = "- \N{HORIZONTAL ELLIPSIS}"
_END = "<!-- ecs-release end -->"
_SECTION = re.compile(r"<!-- ecs-release section (\S+) -->")


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
        body = with_section("", part)
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
            after = with_section(body if isinstance(body, str) else "", part)
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
    """Return a comment's text with a part's section: in its own place, else last.

    People may have edited it. What they wrote stays; without our marker, or the end of a section, all sections are still told apart. If not
    all has room the oldest sections go first, then what is no section of ours. No line is ever cut: it could end inside of a code span.
    """
    marker, owner = _marker(part.key), str(part.content["owner"])
    lines = body.splitlines()
    own = _Block(owner, [_begin(owner), *_whole_lines(str(part.content["text"]), _LONGEST // 2), _END])
    before = list(_blocks(line for line in lines if line != marker))
    place = next((n for n, block in enumerate(before) if block.owner == owner), len(before))
    blocks = [*before[:place], own, *(b for b in before[place:] if b.owner != owner)]
    excess = len(marker) + sum(block.size for block in blocks) - _LONGEST
    for block in [b for b in blocks if b.owner and b is not own] + [b for b in blocks if not b.owner]:
        if excess > 0:
            blocks.remove(block)
            excess -= block.size
    return "\n".join([marker, *(line for block in blocks for line in block.lines)]).rstrip("\n")


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Lines of a comment: the section of an object, or what is none (`owner` is empty)."""

    owner: str
    lines: list[str]

    @property
    def size(self) -> int:
        """Characters, with the ends of lines."""
        return sum(len(line) + 1 for line in self.lines)


def _blocks(lines: Iterable[str]) -> Iterator[_Block]:
    """Split a comment's lines. A section ends at its end, at the next one, or with the comment."""
    block = _Block("", [])
    for line in lines:
        begins = _SECTION.fullmatch(line)
        if begins is not None:
            yield block
            block = _Block(begins[1], [])
        block.lines.append(line)
        if line == _END and block.owner:
            yield block
            block = _Block("", [])
    yield block


def _whole_lines(text: str, most: int) -> list[str]:
    """Return the first lines of a text that fit into so many characters."""
    found, size = list[str](), 0
    for line in text.splitlines():
        size += len(line) + 1
        if size > most:
            return [*found, _CUT]
        found.append(line)
    return found


def _begin(owner: str) -> str:
    return f"<!-- ecs-release section {owner} -->"


def _marker(key: str) -> str:
    return f"<!-- ecs-release comment {key} -->"
