"""The page of two environments compared."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace
from functools import partial

from aiohttp import web

from ecs_release.board.access import Sight
from ecs_release.board.commits.distances import Distances
from ecs_release.board.commits.records import Records
from ecs_release.board.feed import Feed
from ecs_release.board.freshness import Freshness
from ecs_release.board.inventory import Inventory, View
from ecs_release.board.server import Board
from ecs_release.pages.board_page import options_of
from ecs_release.pages.comparison import page
from ecs_release.pages.comparison.distance import pair_of
from ecs_release.pages.comparison.filters import ComparisonFilters, parse_comparison
from ecs_release.pages.comparison.page import ComparedRow, Comparison

_PATH = "/compare"
_MOST_PAIRS = 200


class ComparisonPage:
    """Is made once for all who see the same, until something changes."""

    def __init__(
        self, inventory: Inventory, records: Records, distances: Distances, freshness: Freshness, feed: Feed, hosts: Collection[str]
    ) -> None:
        """`hosts` are those that it may link to."""
        self._inventory = inventory
        self._records = records
        self._distances = distances
        self._freshness = freshness
        self._feed = feed
        self._hosts = frozenset(hosts)

    def routes(self, board: Board) -> list[web.AbstractRouteDef]:
        """Return the routes, for the application of a board, which answers for them."""
        return [web.get(_PATH, partial(self._answer, board))]

    async def _answer(self, board: Board, request: web.Request) -> web.Response:
        viewer, sight = await board.seen(request)
        comparison = self._compared(sight, parse_comparison(request.query))
        pairs = list(dict.fromkeys(row.pair for row in comparison.rows if row.pair is not None))[:_MOST_PAIRS]
        distances = await self._distances.of(pairs)
        frame, age, position = board.frame(viewer), self._freshness.age, self._feed.position

        def make(*, as_json: bool) -> str:
            awaited = comparison.asked and len(distances) < len(pairs)
            whole = replace(comparison, distances=distances, awaited=awaited)
            if as_json:
                return json.dumps(page.data(whole, age), separators=(",", ":"))
            return page.html(frame, whole, options_of(self._inventory.entries(sight)), age, position, self._hosts)

        known = (self._inventory.version, self._records.version, self._distances.answers.version, len(distances))
        return await board.reply(request, (_PATH, sight, comparison.filters, viewer is None, *known), make)

    def _compared(self, sight: Sight, filters: ComparisonFilters) -> Comparison:
        """Return what is compared, without the commits between."""
        view = View(sight, filters.services)
        board = self._inventory.board(view)
        first, second = (self._inventory.column(view, name) for name in (filters.first, filters.second))
        found = Comparison(filters, board.time, (first, second), (), 0, {}, self._distances.are_asked)
        if not filters.is_chosen:
            return found
        links = self._records.links({(row.namespace, row.project) for row in board.rows})
        rows = page.rows_of(board, filters, self._records.sides, links)
        shown = tuple(self._with_pair(row) for row in rows if row.difference.differs or not filters.different)
        return replace(found, rows=shown, total=len(rows))

    def _with_pair(self, row: ComparedRow) -> ComparedRow:
        code = self._records.code.get((row.difference.namespace, row.difference.project))
        return replace(row, pair=pair_of(row.difference, code.repository)) if code is not None else row
