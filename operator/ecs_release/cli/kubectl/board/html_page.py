"""The board as a page: one file that needs nothing else, reads in the dark and by ear, and shows what others wrote as text."""

from __future__ import annotations

from html import escape

from ecs_release.api.meta import to_time
from ecs_release.cli.kubectl.board.matrix import Board, Line, Place, Square, age_of, words
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


def page(board: Board) -> str:
    """Write the page."""
    head = "".join(_head(place, board) for place in board.places)
    body = "\n".join(_line(line, board) for line in board.lines)
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


def _head(place: Place, board: Board) -> str:
    title = f"<small>{escape(place.title)}</small>" if place.title else ""
    seen = age_of(place, board.time) if place.old or place.seen else ""
    return f'<th scope="col"{_old(place)}>{escape(place.name)}{title}<small>{escape(seen)}</small></th>'


def _line(line: Line, board: Board) -> str:
    where = f"<small>{escape(line.namespace)}/{escape(line.project)}</small>"
    cells = "".join(_cell(line.squares.get(place.name), place, board) for place in board.places)
    return f'<tr><th scope="row">{escape(line.service)}{where}</th>{cells}</tr>'


def _cell(square: Square | None, place: Place, board: Board) -> str:
    if square is None:
        return f"<td{_old(place)}><small>no Release</small></td>"
    parts = [
        f"{escape(square.tasks)} tasks" if square.tasks else "",
        f"for {since(square.since, board.time)}" if square.since else "",
        f"by {escape(square.requested_by)}" if square.requested_by else "",
    ]
    more = ", ".join(part for part in parts if part)
    why = f"<small>{escape(square.description)}</small>" if square.description else ""
    trouble = f"<small>{escape(square.message)}</small>" if square.phase != "Ready" and square.message else ""
    return f"<td{_old(place, square.style)}><code>{escape(words(square))}</code><small>{more}</small>{why}{trouble}</td>"


def _old(place: Place, style: str = "") -> str:
    classes = " ".join(name for name in (style if style in ("good", "bad", "warn", "busy") else "", "old" if place.old else "") if name)
    return f' class="{classes}"' if classes else ""
