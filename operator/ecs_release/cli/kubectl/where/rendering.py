"""The table of where a commit is, as rows, as data, and as lines of what has changed. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from ecs_release.api.meta import to_time
from ecs_release.cli.kubectl.own_clone.clone import NamedCommit
from ecs_release.cli.kubectl.terminal.tables import Cell, Row
from ecs_release.domain.presence.presence import Cell as PresenceCell
from ecs_release.domain.presence.presence import State, is_there
from ecs_release.domain.presence.table import PresenceTable, ServiceRow
from ecs_release.pages.ages import since
from ecs_release.pages.matrix import short
from ecs_release.pages.presence_words import WORDS


def rows(table: PresenceTable, now: datetime, *, wide: bool = False, namespaces: bool = False) -> tuple[list[str], list[Row]]:
    """Return the head and the rows: environments across, services down."""
    head = [*(["NAMESPACE"] if namespaces else []), "PROJECT", "SERVICE", *table.environments]
    found: list[Row] = []
    for row in table.rows:
        cells = [_table_cell(row.cells.get(name), now, wide=wide) for name in table.environments]
        found.append([*([row.namespace] if namespaces else []), row.project, row.service, *cells])
    return head, found


def _table_cell(cell: PresenceCell | None, now: datetime, *, wide: bool) -> Cell:
    if cell is None:
        return Cell("")
    _, mark, style = WORDS[cell.state]
    parts = [mark, _text(cell), since(cell.since, now)]
    if wide:
        parts += [f"runs {short(cell.runs)}" if cell.runs else "", f"wants {short(cell.wants)}" if cell.wants != cell.runs else ""]
    return Cell(" ".join(part for part in parts if part), style)


def _text(cell: PresenceCell) -> str:
    word = WORDS[cell.state][0]
    named = f"{word}: {cell.reason}" if cell.reason and cell.state is State.WAITING else word
    return f"{named} (claimed)" if cell.claimed else named


def details(table: PresenceTable) -> Iterator[str]:
    """Yield what there is to say of cells that are not live: each message once, with the places that it is about."""
    places: dict[str, list[str]] = {}
    for row, name, cell in _places(table):
        text = ": ".join(part for part in (cell.reason, cell.message) if part)
        if text and not is_there(cell):
            places.setdefault(text, []).append(f"{row.service} in {name}")
    yield from (f"{', '.join(names)}: {text}" for text, names in places.items())


def summary(table: PresenceTable) -> str:
    """Return in how many places of all the commit is live."""
    cells = table.cells
    if not cells:
        return "nothing is released there: no Release or ReleaseSet of these Projects"
    claims = sum(c.claimed for c in cells)
    text = f"live in {sum(is_there(c) for c in cells)} of {len(cells)} places"
    rest = "rests" if claims == 1 else "rest"
    return f"{text}; {claims} {rest} on a hash that a manifest claims, and no tag in ECR confirms" if claims else text


def changes(before: PresenceTable | None, after: PresenceTable, now: datetime) -> list[str]:
    """Return a line for each place where something has changed, for the log of a build."""
    was = {(r.namespace, r.project, r.service, n): _line(c) for r, n, c in _places(before)} if before is not None else {}
    return [
        f"{to_time(now)}  {row.project}/{row.service} in {name}  {_line(cell)}"
        for row, name, cell in _places(after)
        if was.get((row.namespace, row.project, row.service, name)) != _line(cell)
    ]


def data(table: PresenceTable, commit: NamedCommit, name: str, now: datetime) -> dict[str, Any]:
    """Return the table as data for JSON and YAML."""
    return {
        "time": to_time(now),
        "commit": {"name": name, "hash": commit.hash, "subject": commit.subject},
        "live": table.is_live_everywhere,
        "environments": list(table.environments),
        "services": [
            {
                "namespace": row.namespace,
                "project": row.project,
                "service": row.service,
                "environments": {name: _json(cell) for name, cell in row.cells.items()},
            }
            for row in table.rows
        ],
    }


def _json(cell: PresenceCell) -> dict[str, Any]:
    return {
        "state": str(cell.state),
        "since": to_time(cell.since) if cell.since else None,
        "runs": cell.runs or None,
        "wants": cell.wants or None,
        "reason": cell.reason or None,
        "message": cell.message or None,
        "claimed": cell.claimed,
    }


def _line(cell: PresenceCell) -> str:
    return "  ".join(part for part in (_text(cell), cell.message) if part)


def _places(table: PresenceTable) -> Iterator[tuple[ServiceRow, str, PresenceCell]]:
    yield from ((row, name, cell) for row in table.rows for name, cell in row.cells.items())
