"""The matrix: services × environments, what runs in each, whether that is wanted, and how old the observation is. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from ecs_release.api.environment import Environment
from ecs_release.api.meta import to_time
from ecs_release.api.names import LABEL_SERVICE_SET
from ecs_release.api.promotion import OVERDUE
from ecs_release.domain.artifacts.claimed_hash import CLAIMED
from ecs_release.domain.presence.claims import Claim, claim_of
from ecs_release.pages.ages import age, since
from ecs_release.pages.observation import Sweep, sweep_of
from ecs_release.pages.readiness import Verdict, is_observed, readiness, told_by

_GIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHORT = 10
_SAME = ("Ready", "Suspended")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: an environment, and the time of its last full sweep. `known` is False if there is none, or it may not be read.

    `readable`: whether the user may read Environments; else it is not known how old anything is, and nothing is `stale`.
    `ahead`: that time has not come yet, so that clocks differ.
    """

    name: str
    title: str = ""
    seen: datetime | None = None
    stale: bool = False
    known: bool = True
    ahead: bool = False
    readable: bool = True

    @property
    def old(self) -> bool | None:
        """Whether it is too old to prove what runs; None if that is not known."""
        return self.stale if self.readable else None


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
    overdue: str = ""
    """What has waited too long for its promotion, if anything has."""
    observed: bool = True
    """Whether the operator looks at it; if not, what is said to run is what was seen last."""

    @property
    def is_as_wanted(self) -> bool:
        """Whether what runs is proven to be what is wanted, and something runs."""
        return self.phase == "Ready" and self.reason != "NothingRunning"


@dataclass(frozen=True, slots=True)
class Entry:
    """All that a matrix shows of one Release. `service_set` is empty for one that no ReleaseSet has made."""

    namespace: str
    project: str
    service: str
    service_set: str
    environment: str
    cell: MatrixCell
    claim: Claim = Claim.LOOKED_AT

    @property
    def rank(self) -> tuple[Claim, str]:
        """What it comes by: of two Releases that claim one service, the one that holds it is shown, also when its spec has changed."""
        return self.claim, self.cell.release


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """A row: a service of a Project, and its cells by environment."""

    namespace: str
    project: str
    service: str
    service_set: str = ""
    cells: dict[str, MatrixCell] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Board:
    """All rows and columns at one point in time."""

    time: datetime
    columns: tuple[Column, ...]
    rows: tuple[ServiceRow, ...]

    @property
    def stale(self) -> frozenset[str]:
        """The environments whose cells may no longer be so: what is in them is not proven, however it stood."""
        return frozenset(column.name for column in self.columns if column.stale)

    def troubles(self, row: ServiceRow) -> int:
        """Return how many cells of a row are not proven to be as they should be."""
        stale = self.stale
        return sum(not cell.is_as_wanted or name in stale for name, cell in row.cells.items())


def build(releases: Sequence[Mapping[str, Any]], environments: Sequence[Mapping[str, Any]] | None, now: datetime) -> Board:
    """Arrange Releases by service and environment. `environments` is None if they may not be read."""
    sweeps = None if environments is None else {e["metadata"]["name"]: sweep_of(Environment.model_validate(e)) for e in environments}
    return arrange(map(entry, releases), sweeps, now)


def arrange(entries: Iterable[Entry], sweeps: Mapping[str, Sweep] | None, now: datetime) -> Board:
    """Arrange what is known of Releases. `sweeps` are those of Environments by name; None if those may not be read."""
    rows: dict[tuple[str, str, str], ServiceRow] = {}
    names = set[str]()
    for one in sorted(entries, key=lambda e: e.rank):
        names.add(one.environment)
        key = (one.namespace, one.project, one.service)
        row = rows.get(key)
        if row is None or (one.service_set and not row.service_set):
            # In one environment it may be released with its set, and by itself in another.
            row = rows[key] = ServiceRow(*key, one.service_set, row.cells if row else {})
        row.cells.setdefault(one.environment, one.cell)
    columns = tuple(column(name, None if sweeps is None else sweeps.get(name), now, readable=sweeps is not None) for name in sorted(names))
    return Board(now, columns, tuple(sorted(rows.values(), key=lambda r: (r.namespace, r.project, r.service))))


def in_order(board: Board, releases: Sequence[Mapping[str, Any]]) -> Board:
    """Sort the rows in the order of Releases: each by the first of its Releases."""
    columns: dict[tuple[str, str, str], int] = {}
    for number, body in enumerate(releases):
        key = (body["metadata"]["namespace"], body["spec"]["projectRef"]["name"], body["spec"]["service"])
        columns.setdefault(key, number)
    return replace(board, rows=tuple(sorted(board.rows, key=lambda row: columns[row.namespace, row.project, row.service])))


def column(name: str, sweep: Sweep | None, now: datetime, *, readable: bool) -> Column:
    """Return the column of an environment; `readable` is whether the user may read Environments."""
    if sweep is None:
        return Column(name, known=False, stale=readable, readable=readable)
    return Column(name, sweep.title, sweep.time, sweep.is_stale(now), ahead=sweep.is_ahead(now))


def entry(body: Mapping[str, Any]) -> Entry:
    """Return what a matrix shows of a Release."""
    meta, spec = body["metadata"], body["spec"]
    return Entry(
        namespace=meta["namespace"],
        project=spec["projectRef"]["name"],
        service=spec["service"],
        service_set=str((meta.get("labels") or {}).get(LABEL_SERVICE_SET) or ""),
        environment=spec["environmentRef"]["name"],
        cell=_cell(body),
        claim=claim_of(told_by(body)),
    )


def _cell(body: Mapping[str, Any]) -> MatrixCell:
    state = readiness(body)
    status = body.get("status") or {}
    summary, running = status.get("summary") or {}, status.get("running") or {}
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
        overdue=_overdue(status.get("promotion") or {}),
        observed=is_observed(body),
    )


def _overdue(promotion: Mapping[str, Any]) -> str:
    return str(promotion.get("hash") or "another") if promotion.get("state") == OVERDUE else ""


def short(name: str) -> str:
    """Shorten a full git hash, and keep its mark if it is only claimed; tags and short hashes stay as they are."""
    bare = name.removeprefix(CLAIMED)
    return f"{name.removesuffix(bare)}{bare[:_SHORT]}" if _GIT.fullmatch(bare) else name


def state_text(cell: MatrixCell) -> str:
    """Return how a Release stands, in words: its phase, or the reason where that says more."""
    if cell.phase == "Ready":
        return "Ready" if cell.is_as_wanted else "nothing runs"
    return cell.reason if cell.phase == "Failed" else cell.phase


def cell_text(cell: MatrixCell) -> str:
    """Return the text of a cell: what runs, and what is not as it should be."""
    runs = f"{short(cell.running) or '-'}{f' ({short(cell.overdue)} is overdue)' if cell.overdue else ''}"
    if cell.phase == "Ready":
        return runs if cell.is_as_wanted else f"{runs} ({state_text(cell)})"
    goal = f" {short(cell.wanted)}" if cell.differs and cell.wanted else ""
    return f"{runs} {cell.mark}{goal} {state_text(cell)}"


def age_of(column: Column, now: datetime) -> str:
    """Return how long ago a stale column was observed."""
    if column.seen and column.ahead:
        return f"seen {age((column.seen - now).total_seconds())} from now: clocks differ"
    return f"seen {since(column.seen, now)} ago" if column.seen else "never seen" if column.known else "no such Environment"


def data(board: Board) -> dict[str, Any]:
    """Return the board as data for JSON and YAML."""
    return {
        "time": to_time(board.time),
        "environments": [environment_data(column) for column in board.columns],
        "services": [
            {
                "namespace": w.namespace,
                "project": w.project,
                "serviceSet": w.service_set,
                "service": w.service,
                "environments": {n: data_of_cell(s) for n, s in w.cells.items()},
            }
            for w in board.rows
        ],
    }


def environment_data(column: Column) -> dict[str, Any]:
    """Return an environment as data for JSON."""
    seen = to_time(column.seen) if column.seen else None
    return {"name": column.name, "displayName": column.title, "lastSweepTime": seen, "old": column.old}


def data_of_cell(cell: MatrixCell) -> dict[str, Any]:
    """Return a cell as data for JSON."""
    said = {k: v for k, v in asdict(cell).items() if k not in ("style", "mark", "requested_by")}
    return said | {"since": to_time(cell.since) if cell.since else None, "requestedBy": cell.requested_by}
