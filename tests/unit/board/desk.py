"""A board with some Releases, served on loopback, and people with rights of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp

from ecs_release.api.names import ENVIRONMENT, RELEASE
from ecs_release.board.access import Access, Sight
from ecs_release.board.config import BoardSettings
from ecs_release.board.documents import Documents
from ecs_release.board.feed import Feed
from ecs_release.board.freshness import Freshness
from ecs_release.board.inventory import Inventory
from ecs_release.board.login import LONGEST_HEADER, ProxyLogin
from ecs_release.board.object_pages import ObjectPages
from ecs_release.board.server import Board
from ecs_release.board.viewer import Viewer
from ecs_release.board.watch import Several
from ecs_release.listening import listening
from tests.builders.board import RELEASES, Clock, elsewhere
from tests.unit.cli.kubectl.objects import environment, release

SEES = {"ben": Sight(frozenset({"shop"})), "ada": Sight(None, environments=True), "ann": Sight(None, environments=True), "eve": Sight()}


class Rights:
    """Says what each may see, as SubjectAccessReviews would."""

    async def sight(self, viewer: Viewer | None) -> Sight:
        assert viewer is not None
        return SEES[viewer.user]


class Desk:
    def __init__(self, **settings: Any) -> None:
        self.clock = Clock()
        self.inventory, self.documents = Inventory(self.clock.now), Documents()
        self.watched = Several(self.inventory, self.documents)
        self.feed = Feed(self.inventory)
        self.freshness = Freshness((RELEASE, ENVIRONMENT), self.clock.now, lambda: self.feed.tell(self.freshness.age))
        self.pages = ObjectPages(self.inventory, self.documents, self.freshness, ["github.com"], self.clock.now)
        self.inventory.on_change = self.feed.wake
        self.documents.on_change = self.pages.feed.wake
        taken = BoardSettings(login="headers", hosts=["releases.example.com"], **settings)
        self.board = Board(taken, ProxyLogin(taken), self.inventory, self.freshness, self.feed, cast("Access", Rights()))
        self.client: aiohttp.ClientSession

    def fill(self) -> None:
        self.watched.changed(ENVIRONMENT, environment(spec={"displayName": "Staging of all"}))
        for body in (*RELEASES, elsewhere(release("treasure", wanted="c"), "vault")):
            self.watched.changed(RELEASE, body)
        for kind in (RELEASE, ENVIRONMENT):
            self.freshness.heard(kind)

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        async with (
            listening(self.board.application(self.pages.attach(self.board)), "127.0.0.1", 0, longest_header=LONGEST_HEADER) as port,
            aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client,
        ):
            self.client = client
            yield

    async def get(self, path: str, user: str = "ben", **headers: str) -> tuple[int, str, Mapping[str, str]]:
        async with self.client.get(path, headers={"X-Forwarded-User": user, **headers}, allow_redirects=False) as answer:
            return answer.status, await answer.text(), answer.headers
