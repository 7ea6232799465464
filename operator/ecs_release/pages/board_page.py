"""The board's pages, around what they share with the plugin's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ecs_release.pages.filters import Filters
from ecs_release.pages.matrix import Board, Entry
from ecs_release.pages.matrix_page import CellSource, SetNames, groups, heads
from ecs_release.pages.rendering import templates


@dataclass(frozen=True, slots=True)
class Assets:
    """Where a page finds its style, its script and its icon."""

    style: str
    script: str
    icon: str


@dataclass(frozen=True, slots=True)
class Age:
    """How fresh a page is. `as_of` is when the API server was last heard of; None while not everything has been read once."""

    fresh: bool
    as_of: datetime | None


@dataclass(frozen=True, slots=True)
class Options:
    """What filters offer: all that the viewer may see."""

    projects: tuple[str, ...]
    service_sets: tuple[str, ...]
    environments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """What surrounds a page. `viewer` is who looks; empty where nobody is asked."""

    assets: Assets
    viewer: str


def options_of(entries: Iterable[Entry]) -> Options:
    """Return what there is to be chosen from."""
    projects, sets, environments = set[str](), set[str](), set[str]()
    for one in entries:
        projects.add(one.project)
        environments.add(one.environment)
        if one.service_set:
            sets.add(one.service_set)
    return Options(tuple(sorted(projects)), tuple(sorted(sets)), tuple(sorted(environments)))


def matrix(
    frame: Frame, board: Board, source: CellSource, options: Options, filters: Filters, age: Age, position: str, sets: SetNames,
    left_out: Sequence[str] = (),
) -> str:  # fmt: skip
    """Return the home page. `position` is what changes are sent to it after; `sets` are those that have pages.

    `left_out` are namespaces that are to be shown, and that the board may not read.
    """
    troubled = sum(map(board.troubles, board.rows))
    query = filters.query
    return templates().get_template("matrix.html").render(
        assets=frame.assets, open=not frame.viewer, viewer=frame.viewer, board=board, groups=groups(board, source, sets),
        heads=heads(board), options=options, filters=filters, age=age, troubled=troubled, position=position,
        left_out=left_out, stream=f"/events?{query}" if query else "/events",
    )  # fmt: skip


def message(frame: Frame, title: str, text: str) -> str:
    """Return a page that says one thing."""
    made = templates().get_template("message.html")
    return made.render(assets=frame.assets, open=not frame.viewer, title=title, text=text)
