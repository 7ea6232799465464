"""The board: services × environments, what runs in each, whether that is wanted, and how old the observation is. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from ecs_release.api.environment import Environment
from ecs_release.api.meta import to_time
from ecs_release.cli.kubectl.client.api_server import Object
from ecs_release.cli.kubectl.status.header import is_stale
from ecs_release.cli.kubectl.status.readiness import Verdict, readiness
from ecs_release.cli.kubectl.terminal.durations import since
from ecs_release.cli.kubectl.terminal.tables import Cell, Row
from ecs_release.domain.artifacts.claimed_hash import CLAIMED

_GIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHORT = 10
_SAME = ("Ready", "Suspended")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: an environment, and the time of its last full sweep. `known` is False if the user may not read Environments."""

    name: str
    title: str = ""
    seen: datetime | None = None
    stale: bool = False
    known: bool = True


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """What one service runs in one environment."""

    release: str
    running: str
    wanted: str
    phase: str
    reason: str
    message: str
    tasks: str
    since: datetime | None
    requested_by: str
    description: str
    style: str
    mark: str
    differs: bool


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """A row: a service of a Project, and its cells by environment."""

    namespace: str
    project: str
    service: str
    cells: dict[str, MatrixCell] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Board:
    """All rows and columns at one point in time."""

    time: datetime
    columns: tuple[Column, ...]
    rows: tuple[ServiceRow, ...]


def build(releases: Sequence[Object], environments: Sequence[Object] | None, now: datetime) -> Board:
    """Arrange Releases by service and environment. `environments` is None if they may not be read."""
    known = {e["metadata"]["name"]: Environment.model_validate(e) for e in environments or ()}
    names = sorted({r["spec"]["environmentRef"]["name"] for r in releases})
    rows: dict[tuple[str, str, str], ServiceRow] = {}
    # Of two Releases that claim one service, the one that holds it is shown.
    for body in sorted(releases, key=lambda r: (readiness(r).reason == "TargetConflict", r["metadata"]["name"])):
        spec = body["spec"]
        key = (body["metadata"]["namespace"], spec["projectRef"]["name"], spec["service"])
        rows.setdefault(key, ServiceRow(*key)).cells.setdefault(spec["environmentRef"]["name"], _cell(body))
    columns = tuple(_column(name, known.get(name), now, readable=environments is not None) for name in names)
    return Board(now, columns, tuple(rows[key] for key in sorted(rows)))


def in_order(board: Board, releases: Sequence[Object]) -> Board:
    """Sort the rows in the order of Releases: each by the first of its Releases."""
    columns: dict[tuple[str, str, str], int] = {}
    for number, body in enumerate(releases):
        key = (body["metadata"]["namespace"], body["spec"]["projectRef"]["name"], body["spec"]["service"])
        columns.setdefault(key, number)
    return replace(board, rows=tuple(sorted(board.rows, key=lambda row: columns[row.namespace, row.project, row.service])))


def _column(name: str, environment: Environment | None, now: datetime, *, readable: bool) -> Column:
    if environment is None:
        return Column(name, known=False, stale=readable)
    seen = environment.status.last_sweep_time if environment.status else None
    return Column(name, environment.spec.display_name or "", seen, is_stale(environment, now))


def _cell(body: Object) -> MatrixCell:
    state = readiness(body)
    summary, running = body.get("status", {}).get("summary") or {}, body.get("status", {}).get("running") or {}
    runs, wanted = str(running.get("hash") or summary.get("runningHash") or ""), str(summary.get("hash") or "")
    change = body["spec"].get("change") or {}
    since_time = running.get("sinceTime")
    mark, style = state.mark
    # A pin by digests has no hash: then only the phase shows a difference.
    differs = bool(wanted) and runs != wanted and not (state.phase in _SAME and state.verdict is Verdict.READY)
    return MatrixCell(
        release=body["metadata"]["name"],
        running=runs,
        wanted=wanted,
        phase=state.phase,
        reason=state.reason,
        message=state.message,
        tasks=f"{running.get('runningCount', 0)}/{running.get('desiredCount', 0)}" if running else "",
        since=datetime.fromisoformat(since_time) if since_time else None,
        requested_by=str(change.get("requestedBy") or ""),
        description=str(change.get("description") or ""),
        style=style,
        mark=mark,
        differs=differs,
    )


def short(name: str) -> str:
    """Shorten a full git hash, and keep its mark if it is only claimed; tags and short hashes stay as they are."""
    bare = name.removeprefix(CLAIMED)
    return f"{name.removesuffix(bare)}{bare[:_SHORT]}" if _GIT.fullmatch(bare) else name


def cell_text(cell: MatrixCell) -> str:
    """Return the text of a cell: what runs, and what is not as it should be."""
    runs = short(cell.running) or "-"
    if cell.phase == "Ready":
        return runs if cell.reason != "NothingRunning" else f"{runs} (nothing runs)"
    goal = f" {short(cell.wanted)}" if cell.differs and cell.wanted else ""
    what = cell.reason if cell.phase == "Failed" else cell.phase
    return f"{runs} {cell.mark}{goal} {what}"


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


def age_of(column: Column, now: datetime) -> str:
    """Return how long ago a stale column was observed."""
    return f"seen {since(column.seen, now)} ago" if column.seen else "never seen" if column.known else "no such Environment"


def _table_cell(cell: MatrixCell | None, column: Column, now: datetime, *, wide: bool) -> Cell:
    if cell is None:
        return Cell("", "dim")
    text = cell_text(cell)
    if wide:
        more = [cell.tasks, since(cell.since, now), cell.requested_by]
        text = " ".join([text, *(part for part in more if part)])
    return Cell(f"{text} ?" if column.stale else text, "dim" if column.stale else cell.style)


def data(board: Board) -> dict[str, Any]:
    """Return the board as data for JSON and YAML."""
    return {
        "time": to_time(board.time),
        "environments": [
            {"name": p.name, "displayName": p.title, "lastSweepTime": to_time(p.seen) if p.seen else None, "old": p.stale}
            for p in board.columns
        ],
        "services": [
            {
                "namespace": w.namespace,
                "project": w.project,
                "service": w.service,
                "environments": {n: _json(s) for n, s in w.cells.items()},
            }
            for w in board.rows
        ],
    }


def _json(cell: MatrixCell) -> dict[str, Any]:
    said = {k: v for k, v in asdict(cell).items() if k not in ("style", "mark", "requested_by")}
    return said | {"since": to_time(cell.since) if cell.since else None, "requestedBy": cell.requested_by}
