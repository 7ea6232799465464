"""The board as a page: one file without dependencies, with a dark theme and labels for screen readers; all texts are escaped."""

from __future__ import annotations

from html import escape

from ecs_release.api.meta import to_time
from ecs_release.cli.kubectl.board.matrix import Board, Column, MatrixCell, ServiceRow, age_of, cell_text
from ecs_release.cli.kubectl.terminal.durations import since

_STYLE = """
:root { color-scheme: light dark; --line: #d0d7de; --soft: #59636e; --good: #116329; --bad: #a40e26; --warn: #7d4e00; --busy: #0a5c8f;
  --back: #fff; --head: #f6f8fa; --ink: #1f2328; }
@media (prefers-color-scheme: dark) { :root { --line: #3d444d; --soft: #9198a1; --good: #56d364; --bad: #ff8e8b; --warn: #e3b341;
  --busy: #79c0ff; --back: #0d1117; --head: #151b23; --ink: #f0f6fc; } }
body { margin: 2rem; background: var(--back); color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0 0 .25rem; }
p { margin: 0 0 1rem; color: var(--soft); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; }
caption { text-align: left; padding: 0 0 .5rem; color: var(--soft); }
th, td { border: 1px solid var(--line); padding: .45rem .7rem; text-align: left; vertical-align: top; }
thead th { background: var(--head); position: sticky; top: 0; }
tbody th { font-weight: 600; background: var(--head); }
td small, th small { display: block; color: var(--soft); font-weight: normal; }
code { font: 600 .95em ui-monospace, monospace; }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); } .busy { color: var(--busy); }
.old { border-style: dashed; opacity: .75; }
"""


def render(board: Board) -> str:
    """Return the page as HTML."""
    head = "".join(_head(column, board) for column in board.columns)
    body = "\n".join(_row(row, board) for row in board.rows)
    time = to_time(board.time)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>What runs where</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>What runs where</h1>
<p>As of <time datetime="{time}">{time}</time>, by ecs-release-operator.</p>
<div class="scroll" role="region" aria-label="Services and environments" tabindex="0">
<table>
<caption>What runs, told by digest; beside it what is not as it should be. Dashed: not observed lately, so perhaps not so.</caption>
<thead>
<tr><th scope="col">Service</th>{head}</tr>
</thead>
<tbody>
{body}
</tbody>
</table>
</div>
</body>
</html>
"""


def _head(column: Column, board: Board) -> str:
    title = f"<small>{escape(column.title)}</small>" if column.title else ""
    seen = age_of(column, board.time) if column.stale or column.seen else ""
    return f'<th scope="col"{_stale_class(column)}>{escape(column.name)}{title}<small>{escape(seen)}</small></th>'


def _row(row: ServiceRow, board: Board) -> str:
    where = f"<small>{escape(row.namespace)}/{escape(row.project)}</small>"
    cells = "".join(_table_cell(row.cells.get(column.name), column, board) for column in board.columns)
    return f'<tr><th scope="row">{escape(row.service)}{where}</th>{cells}</tr>'


def _table_cell(cell: MatrixCell | None, column: Column, board: Board) -> str:
    if cell is None:
        return f"<td{_stale_class(column)}><small>no Release</small></td>"
    parts = [
        f"{escape(cell.tasks)} tasks" if cell.tasks else "",
        f"for {since(cell.since, board.time)}" if cell.since else "",
        f"by {escape(cell.requested_by)}" if cell.requested_by else "",
    ]
    more = ", ".join(part for part in parts if part)
    why = f"<small>{escape(cell.description)}</small>" if cell.description else ""
    trouble = f"<small>{escape(cell.message)}</small>" if cell.phase != "Ready" and cell.message else ""
    return f"<td{_stale_class(column, cell.style)}><code>{escape(cell_text(cell))}</code><small>{more}</small>{why}{trouble}</td>"


def _stale_class(column: Column, style: str = "") -> str:
    classes = " ".join(name for name in (style if style in ("good", "bad", "warn", "busy") else "", "old" if column.stale else "") if name)
    return f' class="{classes}"' if classes else ""
