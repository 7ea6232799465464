"""Attempts as rows: who, why, when, from what to what, outcome. Pure; entries of a status and of the ledger have the same fields."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from ecs_release.api.commits import AttemptCommits
from ecs_release.api.hook_status import Intervention
from ecs_release.cli.kubectl.own_clone.commit_ranges import recorded
from ecs_release.cli.kubectl.terminal.tables import Cell, Row
from ecs_release.domain.ecs.interventions import described
from ecs_release.pages import attempts
from ecs_release.pages.ages import age, since
from ecs_release.pages.attempts import Entry


def table(entries: Sequence[Entry], now: datetime, *, wide: bool = False) -> tuple[list[str], list[Row]]:
    """Return entries as a table. Empty columns are left out."""
    columns = [*_COLUMNS, *(_WIDE if wide else ())]
    cells = [[_cell(show(entry, now)) for _, show in columns] for entry in entries]
    kept = [i for i in range(len(columns)) if any(row[i].text for row in cells)]
    return [columns[i][0] for i in kept], [[row[i] for i in kept] for row in cells]


def _cell(shown: str | Cell) -> Cell:
    return shown if isinstance(shown, Cell) else Cell(shown)


def _began(entry: Entry, now: datetime) -> str:
    begun = attempts.time_of(entry, "startTime")
    return f"{since(begun, now)} ago" if begun else ""


def _outcome(entry: Entry, now: datetime) -> Cell:
    return Cell(*attempts.outcome_of(entry))


def _took(entry: Entry, now: datetime) -> str:
    return attempts.took(entry)


def _to(entry: Entry, now: datetime) -> str:
    return attempts.hash_to(entry)


def _from(entry: Entry, now: datetime) -> str:
    return attempts.hash_at(entry, "from")


def _text(*names: str) -> Callable[[Entry, datetime], str]:
    """Return a function that shows the first field of `names` that is set."""

    def show(entry: Entry, now: datetime) -> str:
        return next((str(entry[name]) for name in names if entry.get(name)), "")

    return show


def _commits(entry: Entry, now: datetime) -> str:
    brought = brought_by(entry)
    return recorded(brought, now) if brought is not None else ""


def brought_by(entry: Entry) -> AttemptCommits | None:
    """Return the commits that an attempt has brought, as status or the ledger know them."""
    found = entry.get("commitRange")
    return AttemptCommits.model_validate(found) if found else None


def _lead_time(entry: Entry, now: datetime) -> str:
    seconds = entry.get("leadTimeSeconds")
    return age(seconds) if seconds is not None else ""


def _went_on(entry: Entry, now: datetime) -> str:
    """Return who had ECS go on with an attempt or go back."""
    return "; ".join(described(Intervention.model_validate(one)) for one in entry.get("interventions") or ())


def _revision(entry: Entry, now: datetime) -> str:
    return str(entry.get("taskDefinition") or "").rpartition("/")[2]


def _when(entry: Entry, now: datetime) -> str:
    begun = attempts.time_of(entry, "startTime")
    return begun.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if begun else ""


_COLUMNS: tuple[tuple[str, Callable[[Entry, datetime], str | Cell]], ...] = (
    ("BEGAN", _began),
    ("NUMBER", _text("number")),
    ("PROJECT", _text("project")),
    ("SERVICE", _text("service")),
    ("ENVIRONMENT", _text("environment")),
    ("CAUSE", _text("cause")),
    ("FROM", _from),
    ("TO", _to),
    ("OUTCOME", _outcome),
    ("TOOK", _took),
    ("COMMITS", _commits),
    ("BY", _text("requestedBy", "changedBy")),
    ("APPLIED BY", _text("appliedBy")),
    ("WHY", _text("description")),
)
_WIDE: tuple[tuple[str, Callable[[Entry, datetime], str | Cell]], ...] = (
    ("TIME (UTC)", _when),
    ("ATTEMPT", _text("attemptID", "id")),
    ("TASK DEFINITION", _revision),
    ("REASON", _text("reason")),
    ("WENT ON", _went_on),
    ("WINDOW", _text("window")),
    ("AGAINST THE GRAPH", _text("commits")),
    ("LEAD TIME", _lead_time),
    ("TICKET", _text("ticket")),
    ("LINK", _text("url")),
    ("MESSAGE", _text("message")),
)
