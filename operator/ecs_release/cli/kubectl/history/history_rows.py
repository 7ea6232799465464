"""Attempts as rows: who, why, when, from what to what, outcome. Pure; entries of a status and of the ledger have the same fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from ecs_release.api.commits import AttemptCommits
from ecs_release.api.hook_status import Intervention
from ecs_release.api.ledger import LedgerEntry, Stage
from ecs_release.cli.kubectl.own_clone.commit_ranges import recorded
from ecs_release.cli.kubectl.terminal.tables import Cell, Row
from ecs_release.domain.ecs.interventions import described
from ecs_release.domain.model.image_names import short_digest
from ecs_release.domain.notifications.outcome_measures import measure
from ecs_release.pages.ages import age, since
from ecs_release.pages.matrix import short

Entry = dict[str, Any]

_STAGES = {Stage.START: 0, Stage.END: 1}
_RETURNED = frozenset({"RolledBack", "Aborted", "Halted", "Failed"})


def join_attempts(entries: Iterable[LedgerEntry]) -> list[Entry]:
    """Merge the start and the end of each attempt into one entry; fields of the end take precedence. Newest first."""
    attempts: dict[str, Entry] = {}
    for entry in sorted(entries, key=lambda e: _STAGES.get(e.stage, 2)):
        attempts[entry.attempt_id] = attempts.get(entry.attempt_id, {}) | entry.to_kubernetes()
    found = [{k: v for k, v in e.items() if k != "stage"} for e in attempts.values()]
    return sorted(found, key=lambda e: str(e.get("startTime") or ""), reverse=True)


def table(entries: Sequence[Entry], now: datetime, *, wide: bool = False) -> tuple[list[str], list[Row]]:
    """Return entries as a table. Empty columns are left out."""
    columns = [*_COLUMNS, *(_WIDE if wide else ())]
    cells = [[_cell(show(entry, now)) for _, show in columns] for entry in entries]
    kept = [i for i in range(len(columns)) if any(row[i].text for row in cells)]
    return [columns[i][0] for i in kept], [[row[i] for i in kept] for row in cells]


def _cell(shown: str | Cell) -> Cell:
    return shown if isinstance(shown, Cell) else Cell(shown)


def _began(entry: Entry, now: datetime) -> str:
    begun = _time(entry, "startTime")
    return f"{since(begun, now)} ago" if begun else ""


def _outcome(entry: Entry, now: datetime) -> Cell:
    outcome = str(entry.get("outcome") or "")
    if not outcome:
        return Cell("under way", "busy")
    counted = measure(outcome)
    return Cell(outcome, "bad" if counted.failed or outcome in _RETURNED else "good" if counted.deployed else "warn")


def _took(entry: Entry, now: datetime) -> str:
    begun, ended = _time(entry, "startTime"), _time(entry, "completionTime")
    text = age((ended - begun).total_seconds()) if begun and ended else ""
    waited = entry.get("waitedSeconds")
    return f"{text} (waited {age(waited)})" if text and waited else text


def _to(entry: Entry, now: datetime) -> str:
    return short(str(entry.get("hash") or "")) or _names(entry, "to")


def _from(entry: Entry, now: datetime) -> str:
    return _names(entry, "from")


def _names(entry: Entry, end: str) -> str:
    """Return the hashes of the listed containers at one `end` of the attempt, else short digests, each once."""
    listed = [i for i in entry.get("images") or () if not i.get("unlisted")]
    names = (short(str(i.get(f"{end}Hash") or "")) or short_digest(str(i.get(f"{end}Digest") or "")) for i in listed)
    return ", ".join(dict.fromkeys(name for name in names if name))


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
    begun = _time(entry, "startTime")
    return begun.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if begun else ""


def _time(entry: Entry, name: str) -> datetime | None:
    text = entry.get(name)
    return datetime.fromisoformat(text) if text else None


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
