"""The board: services × environments, what runs in each, whether that is what is wanted, and how old the claim is. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from ecs_release.api.environment import Environment
from ecs_release.api.meta import to_time
from ecs_release.cli.kubectl.client.api_server import Object
from ecs_release.cli.kubectl.status.header import is_old
from ecs_release.cli.kubectl.status.readiness import Verdict, standing
from ecs_release.cli.kubectl.terminal.durations import since
from ecs_release.cli.kubectl.terminal.tables import Cell, Row

_GIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHORT = 10
_SAME = ("Ready", "Suspended")


@dataclass(frozen=True, slots=True)
class Place:
    """A column: an environment, and when all of it was seen last. `known` is False where the reader may not read Environments."""

    name: str
    title: str = ""
    seen: datetime | None = None
    old: bool = False
    known: bool = True


@dataclass(frozen=True, slots=True)
class Square:
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
class Line:
    """A row: a service of a Project, and its squares by environment."""

    namespace: str
    project: str
    service: str
    squares: dict[str, Square] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Board:
    """The whole of it, as it was at a time."""

    time: datetime
    places: tuple[Place, ...]
    lines: tuple[Line, ...]


def board(releases: Sequence[Object], environments: Sequence[Object] | None, now: datetime) -> Board:
    """Lay Releases out. `environments` are None where they may not be read."""
    known = {e["metadata"]["name"]: Environment.model_validate(e) for e in environments or ()}
    names = sorted({r["spec"]["environmentRef"]["name"] for r in releases})
    lines: dict[tuple[str, str, str], Line] = {}
    # Of two Releases that claim one place, the one that holds it is shown.
    for body in sorted(releases, key=lambda r: (standing(r).reason == "TargetConflict", r["metadata"]["name"])):
        spec = body["spec"]
        key = (body["metadata"]["namespace"], spec["projectRef"]["name"], spec["service"])
        lines.setdefault(key, Line(*key)).squares.setdefault(spec["environmentRef"]["name"], _square(body))
    places = tuple(_place(name, known.get(name), now, readable=environments is not None) for name in names)
    return Board(now, places, tuple(lines[key] for key in sorted(lines)))


def in_order(shown: Board, releases: Sequence[Object]) -> Board:
    """Put a board's lines in the order of Releases: each where the first of its own stands."""
    places: dict[tuple[str, str, str], int] = {}
    for number, body in enumerate(releases):
        key = (body["metadata"]["namespace"], body["spec"]["projectRef"]["name"], body["spec"]["service"])
        places.setdefault(key, number)
    return replace(shown, lines=tuple(sorted(shown.lines, key=lambda line: places[line.namespace, line.project, line.service])))


def _place(name: str, environment: Environment | None, now: datetime, *, readable: bool) -> Place:
    if environment is None:
        return Place(name, known=False, old=readable)
    seen = environment.status.last_sweep_time if environment.status else None
    return Place(name, environment.spec.display_name or "", seen, is_old(environment, now))


def _square(body: Object) -> Square:
    stand = standing(body)
    summary, running = body.get("status", {}).get("summary") or {}, body.get("status", {}).get("running") or {}
    runs, wanted = str(running.get("hash") or summary.get("runningHash") or ""), str(summary.get("hash") or "")
    change = body["spec"].get("change") or {}
    since_time = running.get("sinceTime")
    mark, style = stand.mark
    # A pin by digests has no hash: then the phase alone tells.
    differs = bool(wanted) and runs != wanted and not (stand.phase in _SAME and stand.verdict is Verdict.READY)
    return Square(
        release=body["metadata"]["name"],
        running=runs,
        wanted=wanted,
        phase=stand.phase,
        reason=stand.reason,
        message=stand.message,
        tasks=f"{running.get('runningCount', 0)}/{running.get('desiredCount', 0)}" if running else "",
        since=datetime.fromisoformat(since_time) if since_time else None,
        requested_by=str(change.get("requestedBy") or ""),
        description=str(change.get("description") or ""),
        style=style,
        mark=mark,
        differs=differs,
    )


def short(name: str) -> str:
    """Shorten what is a whole git hash; tags and short hashes stay as they are."""
    return name[:_SHORT] if _GIT.fullmatch(name) else name


def words(square: Square) -> str:
    """Say a square in a few words: what runs, and only what is not as it should be."""
    runs = short(square.running) or "-"
    if square.phase == "Ready":
        return runs if square.reason != "NothingRunning" else f"{runs} (nothing runs)"
    goal = f" {short(square.wanted)}" if square.differs and square.wanted else ""
    what = square.reason if square.phase == "Failed" else square.phase
    return f"{runs} {square.mark}{goal} {what}"


def rows(shown: Board, *, wide: bool = False, namespaces: bool = False) -> tuple[list[str], list[Row]]:
    """Lay the board out as a table: its head and its rows."""
    head = [*(["NAMESPACE"] if namespaces else []), "PROJECT", "SERVICE", *(_head(place, shown.time) for place in shown.places)]
    found: list[Row] = []
    for line in shown.lines:
        cells = [_cell(line.squares.get(place.name), place, shown.time, wide=wide) for place in shown.places]
        found.append([*([line.namespace] if namespaces else []), line.project, line.service, *cells])
    return head, found


def _head(place: Place, now: datetime) -> str:
    return f"{place.name} ({age_of(place, now)})" if place.old else place.name


def age_of(place: Place, now: datetime) -> str:
    """Say how old the claim of a column is, where it is old."""
    return f"seen {since(place.seen, now)} ago" if place.seen else "never seen" if place.known else "no such Environment"


def _cell(square: Square | None, place: Place, now: datetime, *, wide: bool) -> Cell:
    if square is None:
        return Cell("", "dim")
    text = words(square)
    if wide:
        more = [square.tasks, since(square.since, now), square.requested_by]
        text = " ".join([text, *(part for part in more if part)])
    return Cell(f"{text} ?" if place.old else text, "dim" if place.old else square.style)


def data(shown: Board) -> dict[str, Any]:
    """Write the board as JSON."""
    return {
        "time": to_time(shown.time),
        "environments": [
            {"name": p.name, "displayName": p.title, "lastSweepTime": to_time(p.seen) if p.seen else None, "old": p.old}
            for p in shown.places
        ],
        "services": [
            {
                "namespace": w.namespace,
                "project": w.project,
                "service": w.service,
                "environments": {n: _json(s) for n, s in w.squares.items()},
            }
            for w in shown.lines
        ],
    }


def _json(square: Square) -> dict[str, Any]:
    said = {k: v for k, v in asdict(square).items() if k not in ("style", "mark", "requested_by")}
    return said | {"since": to_time(square.since) if square.since else None, "requestedBy": square.requested_by}
