"""The page of two environments compared, as HTML and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ecs_release.api.meta import to_time
from ecs_release.domain.ports.commits import Commit, Unknown
from ecs_release.pages.board_page import Age, Frame, Options
from ecs_release.pages.commits.page import commit_data
from ecs_release.pages.comparison import differences
from ecs_release.pages.comparison.differences import NO_RELEASE, Difference, Key, Side, Verdict
from ecs_release.pages.comparison.distance import Distance, Pair
from ecs_release.pages.comparison.filters import ComparisonFilters
from ecs_release.pages.links import known_link
from ecs_release.pages.matrix import Board, Column, MatrixCell, ServiceRow
from ecs_release.pages.readiness import MARKS, PENDING
from ecs_release.pages.rendering import templates

_MOST_RANGES = 50
"""Pairs of commits whose commits are listed; all are counted."""


_WORDS = {
    Verdict.SAME: ("=", "good", "the same"),
    Verdict.DIFFERS: ("≠", "warn", "differs"),
    Verdict.NOTHING_RUNS: (*PENDING, "nothing runs"),
    Verdict.UNKNOWN: (*MARKS["Unknown"], "not known"),
}
"""Mark, style and words of each verdict."""


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """A service in both environments. `pair` is what its distance is known by; None if it has none."""

    difference: Difference
    service_set: str
    first: MatrixCell | None
    second: MatrixCell | None
    pair: Pair | None = None


@dataclass(frozen=True, slots=True)
class Range:
    """The commits between two, and the services that go from the one to the other. `id` is its place in the page, if they are listed."""

    id: str
    pair: Pair
    distance: Distance
    services: tuple[str, ...]
    is_listed: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that a page shows. `asked`: whether there is a commits service; `awaited`: whether some of its answers may come in a moment."""

    filters: ComparisonFilters
    time: datetime
    columns: tuple[Column, Column]
    rows: tuple[ComparedRow, ...]
    total: int
    distances: Mapping[Pair, Distance | Unknown]
    asked: bool = False
    awaited: bool = False

    @property
    def verdicts(self) -> Mapping[str, int]:
        """How many of the services that are shown compare how."""
        found = Counter(row.difference.verdict for row in self.rows)
        return {str(one): found[one] for one in Verdict}


def rows_of(
    board: Board, filters: ComparisonFilters, sides: Mapping[tuple[str, str], Side], repositories: Mapping[tuple[str, str], str]
) -> list[ComparedRow]:
    """Compare the services of a board, equal ones too. `sides` are what Releases run, by namespace and name."""
    stale = board.stale
    return [
        _row(row, filters, sides, repositories, stale) for row in board.rows if filters.first in row.cells or filters.second in row.cells
    ]


def _row(
    row: ServiceRow,
    filters: ComparisonFilters,
    sides: Mapping[tuple[str, str], Side],
    repositories: Mapping[tuple[str, str], str],
    stale: Collection[str],
) -> ComparedRow:
    def side(name: str) -> Side:
        cell = row.cells.get(name)
        if cell is None:
            return NO_RELEASE
        found = sides.get((row.namespace, cell.release), Side())
        return found.not_lately if name in stale else found

    first, second = row.cells.get(filters.first), row.cells.get(filters.second)
    before, after = side(filters.first), side(filters.second)
    key: Key = (row.namespace, row.project, row.service)
    return ComparedRow(differences.difference(key, before, after, repositories), row.service_set, first, second)


def ranges(comparison: Comparison) -> list[Range]:
    """Return the pairs of commits whose distance is known, each with its services, in the order of the rows."""
    services: dict[Pair, list[ComparedRow]] = {}
    for row in comparison.rows:
        if row.pair is not None:
            services.setdefault(row.pair, []).append(row)
    found: list[Range] = []
    for pair, rows in services.items():
        distance = comparison.distances.get(pair)
        if isinstance(distance, Distance):
            names = tuple(row.difference.service for row in rows)
            is_listed = len(found) < _MOST_RANGES and bool(distance.ahead or distance.behind)
            found.append(Range(f"range-{len(found) + 1}", pair, distance, names, is_listed))
    return found


def html(frame: Frame, comparison: Comparison, options: Options, age: Age, position: str, hosts: Collection[str]) -> str:
    """Return the page. `position` is what changes are sent to it after, `hosts` are those that it may link to."""
    found = ranges(comparison)
    groups: dict[tuple[str, str, str], list[ComparedRow]] = {}
    for row in comparison.rows:
        groups.setdefault((row.difference.namespace, row.difference.project, row.service_set), []).append(row)
    services = comparison.filters.services.query
    return templates().get_template("comparison.html").render(
        assets=frame.assets, open=not frame.viewer, age=age, position=position, options=options, comparison=comparison,
        filters=comparison.filters, groups=groups, ranges=[one for one in found if one.is_listed], by_pair={one.pair: one for one in found},
        verdicts=comparison.verdicts, words=_WORDS,
        left_out=sum(not one.is_listed for one in found), links={r.difference: _link(r, hosts) for r in comparison.rows},
        stream=f"/events?{services}" if services else "/events",
    )  # fmt: skip


def _link(row: ComparedRow, hosts: Collection[str]) -> str:
    return known_link(row.difference.link, hosts)


def data(comparison: Comparison, age: Age) -> dict[str, Any]:
    """Return the comparison as data for JSON."""
    found = ranges(comparison)
    first, second = comparison.columns
    return {
        "time": to_time(comparison.time),
        "first": _environment(comparison.filters.first, first),
        "second": _environment(comparison.filters.second, second),
        "services": [_service(row, comparison) for row in comparison.rows],
        "ranges": [
            {
                "namespace": one.pair.repository.namespace,
                "first": one.pair.first,
                "second": one.pair.second,
                "ahead": one.distance.ahead,
                "behind": one.distance.behind,
                "onlyFirst": _commits(one.distance.only_first),
                "onlySecond": _commits(one.distance.only_second),
            }
            for one in found
            if one.is_listed
        ],
        "awaited": comparison.awaited,
        "fresh": age.fresh,
    } | ({} if age.fresh else {"asOf": to_time(age.as_of) if age.as_of else None})


def _environment(name: str, column: Column) -> dict[str, Any]:
    return {"name": name, "lastSweepTime": to_time(column.seen) if column.seen else None, "old": column.old}


def _service(row: ComparedRow, comparison: Comparison) -> dict[str, Any]:
    found = differences.data(row.difference)
    del found["before"], found["after"]
    distance = comparison.distances.get(row.pair) if row.pair is not None else None
    known = distance if isinstance(distance, Distance) else None
    return found | {
        "serviceSet": row.service_set,
        "first": _side(row.difference.before, row.first),
        "second": _side(row.difference.after, row.second),
        "ahead": known.ahead if known is not None else None,
        "behind": known.behind if known is not None else None,
        "unknown": distance.message if isinstance(distance, Unknown) else None,
    }


def _side(side: Side, cell: MatrixCell | None) -> dict[str, Any] | None:
    return None if cell is None else {**differences.side_data(side), "phase": cell.phase, "reason": cell.reason}


def _commits(commits: Sequence[Commit]) -> list[dict[str, Any]]:
    return [commit_data(commit) for commit in commits]
