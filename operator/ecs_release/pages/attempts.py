"""Earlier attempts, of a status or of the ledger: what each changed, how long it took, and how it ended. Pure.

Entries of a Release's or a ReleaseSet's status and of the ledger have the same fields, as the API names them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from ecs_release.api.ledger import LedgerEntry, Stage
from ecs_release.api.record_status import ForeignDeployment
from ecs_release.domain.model.image_names import short_digest
from ecs_release.domain.notifications.outcome_measures import measure
from ecs_release.domain.ports.ledger_acknowledgements import foreign_id
from ecs_release.pages.ages import age
from ecs_release.pages.matrix import short

Entry = dict[str, Any]

FOREIGN = "Foreign"
"""Cause of a deployment that no Release started."""
_STAGES = {Stage.START: 0, Stage.END: 1}
_RETURNED = frozenset({"RolledBack", "Aborted", "Halted", "Failed"})
_EARLIEST = datetime.min.replace(tzinfo=UTC)


def join_attempts(entries: Iterable[LedgerEntry]) -> list[Entry]:
    """Merge the start and the end of each attempt into one entry; fields of the end take precedence. Newest first."""
    attempts: dict[str, Entry] = {}
    for entry in sorted(entries, key=lambda e: _STAGES.get(e.stage, 2)):
        attempts[entry.attempt_id] = attempts.get(entry.attempt_id, {}) | entry.to_kubernetes()
    found = [{k: v for k, v in e.items() if k != "stage"} for e in attempts.values()]
    return sorted(found, key=lambda e: str(e.get("startTime") or ""), reverse=True)


def merged(of_status: Iterable[Mapping[str, Any]], of_ledger: Iterable[Mapping[str, Any]], most: int) -> list[Entry]:
    """Return the newest attempts of both, newest first. Where both have one, what the status says of it is newer."""
    found: dict[str, Entry] = {}
    for entry in (*of_ledger, *of_status):
        found[entry["attemptID"]] = found.get(entry["attemptID"], {}) | dict(entry)
    return sorted(found.values(), key=lambda e: time_of(e, "startTime") or _EARLIEST, reverse=True)[:most]


def of_foreign(deployment: ForeignDeployment) -> Entry:
    """Return a foreign deployment as the ledger has it."""
    fields = deployment.to_kubernetes()
    kept = ("images", "outcome", "startTime", "completionTime", "changedBy", "userAgent", "taskDefinition", "deploymentID")
    return {"attemptID": foreign_id(deployment.deployment_id), "cause": FOREIGN} | {k: fields[k] for k in kept if k in fields}


def outcome_of(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Return how an attempt ended, and its style: good, bad, warn or busy."""
    outcome = str(entry.get("outcome") or "")
    if not outcome:
        return "under way", "busy"
    counted = measure(outcome)
    return outcome, "bad" if counted.failed or outcome in _RETURNED else "good" if counted.deployed else "warn"


def took(entry: Mapping[str, Any]) -> str:
    """Return how long an attempt took, and how much of that it waited; empty while it is under way."""
    begun, ended = time_of(entry, "startTime"), time_of(entry, "completionTime")
    text = age((ended - begun).total_seconds()) if begun and ended else ""
    waited = entry.get("waitedSeconds")
    return f"{text} (waited {age(waited)})" if text and waited else text


def hash_at(entry: Mapping[str, Any], end: str) -> str:
    """Return the hashes of the listed containers at one `end` of an attempt, "from" or "to", else short digests, each once."""
    listed = [i for i in entry.get("images") or () if not i.get("unlisted")]
    names = (short(str(i.get(f"{end}Hash") or "")) or short_digest(str(i.get(f"{end}Digest") or "")) for i in listed)
    return ", ".join(dict.fromkeys(name for name in names if name))


def hash_to(entry: Mapping[str, Any]) -> str:
    """Return what an attempt deployed, as it was asked for, else as its containers had it."""
    return short(str(entry.get("hash") or "")) or hash_at(entry, "to")


def time_of(entry: Mapping[str, Any], name: str) -> datetime | None:
    """Return a time of an entry."""
    text = entry.get(name)
    return datetime.fromisoformat(text) if text else None
