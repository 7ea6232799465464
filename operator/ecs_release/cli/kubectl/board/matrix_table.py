"""The matrix as a table for a terminal. Pure."""

from __future__ import annotations

from datetime import datetime

from ecs_release.cli.kubectl.terminal.tables import Cell, Row
from ecs_release.pages.ages import since
from ecs_release.pages.matrix import Board, Column, MatrixCell, age_of, cell_text


def rows(board: Board, *, wide: bool = False, namespaces: bool = False) -> tuple[list[str], list[Row]]:
    """Return the head and the rows of the board as a table."""
    head = [*(["NAMESPACE"] if namespaces else []), "PROJECT", "SERVICE", *(_head(column, board.time) for column in board.columns)]
    found: list[Row] = []
    for row in board.rows:
        cells = [_table_cell(row.cells.get(column.name), column, board.time, wide=wide) for column in board.columns]
        found.append([*([row.namespace] if namespaces else []), row.project, row.service, *cells])
    return head, found


def _head(column: Column, now: datetime) -> str:
    return f"{column.name} ({age_of(column, now)})" if column.stale else column.name


def _table_cell(cell: MatrixCell | None, column: Column, now: datetime, *, wide: bool) -> Cell:
    if cell is None:
        return Cell("", "dim")
    text = cell_text(cell)
    if wide:
        more = [cell.tasks, since(cell.since, now), cell.requested_by]
        text = " ".join([text, *(part for part in more if part)])
    return Cell(f"{text} ?" if column.stale or (cell.running and not cell.observed) else text, "dim" if column.stale else cell.style)
