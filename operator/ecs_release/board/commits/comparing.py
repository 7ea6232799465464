"""The page of two environments compared."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial

from aiohttp import web

from ecs_release.board.access import Sight
from ecs_release.board.commits.distances import Distances
from ecs_release.board.commits.records import Code, Records
from ecs_release.board.feed import Feed
from ecs_release.board.freshness import Freshness
from ecs_release.board.inventory import Inventory, View
from ecs_release.board.making import Making
from ecs_release.board.server import Board
from ecs_release.pages.board_page import options_of
from ecs_release.pages.comparison import page
from ecs_release.pages.comparison.distance import pair_of
from ecs_release.pages.comparison.filters import ComparisonFilters, parse_comparison
from ecs_release.pages.comparison.page import ComparedRow, Comparison

_PATH = "/compare"
_MOST_PAIRS, _KEPT = 200, 8


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
        self._compared: Making[tuple[object, ...], Comparison] = Making(_KEPT)

    def routes(self, board: Board) -> list[web.AbstractRouteDef]:
        """Return the routes, for the application of a board, which answers for them."""
        return [web.get(_PATH, partial(self._answer, board))]

    async def _answer(self, board: Board, request: web.Request) -> web.Response:
        viewer, sight = await board.seen(request)
        filters = parse_comparison(request.query)
        # All as it is before anything is waited for: what changes meanwhile makes another page, and is sent to this one.
        frame, age, position = board.frame(viewer), self._freshness.age, self._feed.position
        entries, versions = self._inventory.entries(sight), (self._inventory.version, self._records.version)
        comparison = await self._compared.get((sight, filters, *versions), partial(self._take, sight, filters))
        pairs = list(dict.fromkeys(row.pair for row in comparison.rows if row.pair is not None))[:_MOST_PAIRS]
        distances = await self._distances.of(pairs)
        awaited = comparison.asked and len(distances) < len(pairs)
        whole = replace(comparison, distances=distances, awaited=awaited)

        def make(*, as_json: bool) -> str:
            if as_json:
                return json.dumps(page.data(whole, age), separators=(",", ":"))
            return page.html(frame, whole, options_of(entries), age, position, self._hosts)

        known = (*versions, self._distances.answers.version, len(distances))
        return await board.reply(request, (_PATH, sight, filters, viewer is None, *known), lambda as_json: partial(make, as_json=as_json))

    def _take(self, sight: Sight, filters: ComparisonFilters) -> Callable[[], Comparison]:
        """Take what is to be compared, and return what compares it, without the commits between."""
        view = View(sight, filters.services)
        board = self._inventory.taken(view)
        first, second = (self._inventory.column(view, name) for name in (filters.first, filters.second))
        found = Comparison(filters, self._inventory.now, (first, second), (), 0, {}, self._distances.are_asked)
        sides, code = dict(self._records.sides), dict(self._records.code)

        def compared() -> Comparison:
            if not filters.is_chosen:
                return found
            rows = page.rows_of(board(), filters, sides, {name: its.link for name, its in code.items()})
            shown = tuple(_with_pair(row, code) for row in rows if not (filters.different and row.difference.is_same))
            return replace(found, rows=shown, total=len(rows))

        return compared


def _with_pair(row: ComparedRow, codes: Mapping[tuple[str, str], Code]) -> ComparedRow:
    code = codes.get((row.difference.namespace, row.difference.project))
    return replace(row, pair=pair_of(row.difference, code.repository)) if code is not None else row
