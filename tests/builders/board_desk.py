"""A board in this process, with all of its pages and a commits service that the test plays; each viewer sees what `sees` says."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp

from ecs_release.board.access import Access, Sight
from ecs_release.board.commits.ancestry import Ancestry
from ecs_release.board.commits.commits_page import CommitsPage
from ecs_release.board.commits.comparing import ComparisonPage
from ecs_release.board.commits.distances import Distances
from ecs_release.board.commits.records import Records
from ecs_release.board.config import BoardSettings
from ecs_release.board.documents import Documents
from ecs_release.board.feed import Feed
from ecs_release.board.freshness import Freshness
from ecs_release.board.inventory import WATCHED, Inventory
from ecs_release.board.login import LONGEST_HEADER, ProxyLogin
from ecs_release.board.object_pages import ObjectPages
from ecs_release.board.server import Board
from ecs_release.board.viewer import Viewer
from ecs_release.board.watch import Several
from ecs_release.domain.ports.commits import Commits
from ecs_release.listening import listening
from tests.builders.board import Clock


class BoardDesk:
    """The board, what it knows, and somebody who asks it."""

    def __init__(self, commits: Commits | None = None, **settings: Any) -> None:
        """`ben` sees namespace shop, `ada` everything, and `eve` nothing."""
        self.sees = {"ben": Sight(frozenset({"shop"})), "ada": Sight(None, environments=True), "eve": Sight()}
        self.clock = Clock()
        self.inventory, self.records, self.documents = Inventory(self.clock.now), Records(), Documents()
        self.feed = Feed(self.inventory)
        self.inventory.on_change = self.feed.wake
        self.watched = Several(self.inventory, self.records, self.documents)
        self.freshness = Freshness(WATCHED, self.clock.now, lambda: self.feed.tell(self.freshness.age))
        self.elapsed_s = 0.0
        self.distances, self.ancestry = Distances(commits, lambda: self.elapsed_s), Ancestry(commits, lambda: self.elapsed_s)
        taken = BoardSettings(login="headers", **settings)
        self.board = Board(taken, ProxyLogin(taken), self.inventory, self.freshness, self.feed, cast("Access", self))
        self.comparison = ComparisonPage(self.inventory, self.records, self.distances, self.freshness, self.feed, taken.link_hosts)
        self.commits = CommitsPage(self.inventory, self.documents, self.records, self.ancestry, self.freshness, self.feed, taken.link_hosts)
        self.pages = ObjectPages(self.inventory, self.documents, self.freshness, taken.link_hosts, self.clock.now)
        self.documents.on_change = self.pages.feed.wake
        self.client: aiohttp.ClientSession

    async def sight(self, viewer: Viewer | None) -> Sight:
        """Return what somebody may see, as SubjectAccessReviews would."""
        assert viewer is not None
        return self.sees[viewer.user]

    def put(self, *bodies: dict[str, Any]) -> None:
        """Have the watch see some objects."""
        for body in bodies:
            self.watched.changed(body["kind"], body)

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        """Serve what has been read."""
        for kind in WATCHED:
            self.freshness.heard(kind)
        routes = [*self.pages.attach(self.board), *self.comparison.routes(self.board), *self.commits.routes(self.board)]
        application = self.board.application(routes)
        async with (
            listening(application, "127.0.0.1", 0, longest_header=LONGEST_HEADER) as port,
            aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client,
        ):
            self.client = client
            yield
        await self.distances.answers.close()
        await self.ancestry.close()

    async def get(self, path: str, user: str = "ben", **headers: str) -> tuple[int, str, Mapping[str, str]]:
        """Ask for a page."""
        async with self.client.get(path, headers={"X-Forwarded-User": user, **headers}, allow_redirects=False) as answer:
            return answer.status, await answer.text(), answer.headers

    async def json(self, path: str, user: str = "ben") -> dict[str, Any]:
        """Ask for a page as JSON."""
        _, text, _ = await self.get(path, user, Accept="application/json")
        return dict(json.loads(text))
