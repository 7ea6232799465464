"""The matrix as HTML. Times in it are absolute, so that a cell stays as it is until its Release changes."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from markupsafe import Markup

from ecs_release.pages.addresses import set_address
from ecs_release.pages.matrix import Board, Column, MatrixCell, ServiceRow
from ecs_release.pages.rendering import stylesheet, templates

# How a cell begins and ends (parts.html). Class `off` is what the page's script counts.
_CELL, _OFF, _END = Markup('<td class="'), Markup("off "), Markup("</td>")

CellSource = Callable[[ServiceRow, str, MatrixCell], Markup]
"""Returns the HTML of the cell of a row and an environment: rendered now, or kept from before."""


@dataclass(frozen=True, slots=True)
class Group:
    """The services of a Project that are released together; `service_set` is empty for those that are in no ReleaseSet."""

    namespace: str
    project: str
    service_set: str
    rows: tuple[tuple[str, Markup], ...]
    """Services, each with its cells."""
    sets: tuple[tuple[str, str], ...] = ()
    """Environments, each with the page of the set that releases them there."""


def whole(board: Board) -> str:
    """Return a page that needs nothing else: the plugin's `board -o html`."""
    style = stylesheet()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    made = templates().get_template("saved.html")
    return made.render(board=board, groups=groups(board, rendered), heads=heads(board), style=Markup(style), digest=digest)  # noqa: S704 - our own file


SetNames = Mapping[tuple[str, str, str], Sequence[tuple[str, str]]]
"""Environments and names of sets, by namespace, Project and service set."""


def groups(board: Board, source: CellSource, sets: SetNames = MappingProxyType({})) -> list[Group]:
    """Return the rows by namespace, Project and service set, in the order in which each of these comes first.

    `sets` are those that have pages.
    """
    found: dict[tuple[str, str, str], list[tuple[str, Markup]]] = {}
    for row in board.rows:
        cells = Markup().join(_placed(row, column, source) for column in board.columns)
        found.setdefault((row.namespace, row.project, row.service_set), []).append((row.service, cells))
    return [
        Group(*key, tuple(rows), tuple((environment, set_address(key[0], name)) for environment, name in sets.get(key, ())))
        for key, rows in found.items()
    ]


def heads(board: Board) -> list[Markup]:
    """Return the heads of the columns."""
    return [head(column) for column in board.columns]


def head(column: Column) -> Markup:
    """Return the head of a column: the environment, and when it was observed last."""
    return _part("head", head_id(column.name), column)


def rendered(row: ServiceRow, environment: str, cell: MatrixCell) -> Markup:
    """Render a cell now."""
    return render_cell(cell_id(row.namespace, row.project, row.service, environment), cell)


def render_cell(its_id: str, cell: MatrixCell, page: str = "") -> Markup:
    """Return a cell: what runs, since when, how it stands, and what it waits for. `page` is where more is told; empty: nowhere."""
    return _part("cell", its_id, cell, page)


def cell_id(namespace: str, project: str, service: str, environment: str) -> str:
    """Return the id of a cell in its page."""
    return f"{namespace}/{project}/{service}/{environment}"


def head_id(environment: str) -> str:
    """Return the id of a column's head in its page: with one slash it is no cell's."""
    return f"environment/{environment}"


def aged(cell: Markup, column: Column) -> Markup:
    """Return a cell as it is shown where its environment was not observed lately: it is not as it should be, however it stood."""
    if not column.stale:
        return cell
    rest = cell.removeprefix(_CELL).removeprefix(_OFF).removesuffix(_END)
    return _CELL + _OFF + rest + _part("old", column) + _END


def _placed(row: ServiceRow, column: Column, source: CellSource) -> Markup:
    cell = row.cells.get(column.name)
    if cell is None:
        return _part("empty", cell_id(row.namespace, row.project, row.service, column.name))
    return aged(source(row, column.name, cell), column)


def _part(name: str, *arguments: object) -> Markup:
    return Markup(getattr(templates().get_template("parts.html").module, name)(*arguments))  # noqa: S704 - a macro escapes its texts
