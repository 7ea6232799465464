"""What of a Release's status the ledger does not have yet.

The same status always gives the same entries, so that they can be made again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ecs_release.api.conditions import ConditionType, Reason
from ecs_release.api.ledger import LedgerCurrent, LedgerEntry, LedgerImage, LedgerRelease, Stage
from ecs_release.api.meta import shared_fields
from ecs_release.api.record_status import AttemptRecord, ForeignDeployment
from ecs_release.api.release_status import HistoryEntry, ReleaseStatus
from ecs_release.domain.decision.attempts import is_open
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.holding import holder_of
from ecs_release.domain.ecs.interventions import is_unnamed
from ecs_release.domain.ledger.current_record import LaterEntries, checksum, current_record, identity, whole_seconds
from ecs_release.domain.model.conditions import find
from ecs_release.domain.ports.ledger import LedgerWrite
from ecs_release.domain.ports.ledger_acknowledgements import END, Acknowledgement, acknowledge, foreign_id, known_checksum

FOREIGN = "Foreign"
_NAMED_LATE = timedelta(minutes=15)
"""CloudTrail usually delivers within about 5 minutes of a call (AWS CloudTrail user guide, "How CloudTrail works")."""
_OF_THE_END = ("outcome", "message", "completion_time", "evidence", "commit_range", "lead_time_seconds", "interventions")
"""What no entry of a start has, also if the end is known by then."""


@dataclass(frozen=True, slots=True)
class PendingEntry:
    """An entry that the ledger lacks: of which attempt or foreign deployment, which stage, and when that happened.

    `waits_s` is for how long it still waits for CloudTrail to name the caller, because an entry is never changed; 0: it is due.
    """

    of: HistoryEntry | ForeignDeployment
    stage: Stage
    time: datetime
    waits_s: float = 0.0


def pending_entries(facts: Facts, status: ReleaseStatus, *, unnamed: bool = False) -> tuple[PendingEntry, ...]:
    """List the entries that the ledger lacks, oldest first. `unnamed`: also those that wait for CloudTrail to name the caller."""
    return tuple(one for one in _lacking(facts, status) if unnamed or not one.waits_s)


def unnamed_due_in_s(facts: Facts, status: ReleaseStatus) -> float | None:
    """Return after how many seconds an end that waits for CloudTrail is due without it; None if none waits."""
    waits = [one.waits_s for one in _lacking(facts, status) if one.waits_s]
    return max(1.0, min(waits)) if waits else None


def _lacking(facts: Facts, status: ReleaseStatus) -> list[PendingEntry]:
    """List the entries that the ledger lacks, due or not, oldest first."""
    ours = (one for entry in status.history or () for one in _of_attempt(facts, entry))
    theirs = (one for deployment in status.foreign or () for one in _of_foreign(facts, deployment))
    # Within one second: what began first ends before the next begins.
    return sorted((*ours, *theirs), key=lambda d: (d.time, d.of.start_time or d.time, d.stage is not Stage.START))


def _stages_of_attempts(entries: Iterable[PendingEntry]) -> LaterEntries:
    return {(one.of.attempt_id, one.stage) for one in entries if isinstance(one.of, HistoryEntry)}


def open_attempts(status: ReleaseStatus) -> dict[str, datetime]:
    """Return the ids of the attempts and foreign deployments that a status has as open, with their start."""
    ours = {e.attempt_id: e.start_time for e in status.history or () if not e.outcome}
    theirs = {foreign_id(f.deployment_id): f.start_time for f in status.foreign or () if not f.outcome}
    return {attempt_id: start_time for attempt_id, start_time in {**ours, **theirs}.items() if start_time is not None}


def pending_writes(facts: Facts, status: ReleaseStatus, *, unnamed: bool = False) -> tuple[LedgerWrite, ...]:
    """Return what is to be recorded, oldest first: each entry with the current record, or that alone if nothing else has changed.

    `unnamed`: see `pending_entries`. A current record holds of attempts only what the ledger has by then: if the rest never arrives (the
    process is killed and the Release deleted), what is closed afterwards is what the record leaves open, and nothing else.
    """
    speaks, found, lacking = _speaks_for_service(facts, status), list[LedgerWrite](), _lacking(facts, status)
    due = [one for one in lacking if unnamed or not one.waits_s]
    waiting = [one for one in lacking if one.waits_s and not unnamed]
    for nth, one in enumerate(due, 1):
        if isinstance(one.of, ForeignDeployment):
            status = acknowledge(status, [Acknowledgement(foreign_id(one.of.deployment_id), one.stage)])
        later = _stages_of_attempts((*waiting, *due[nth:]))
        found.append(_write(facts, status, one, current_record(facts, status, later) if speaks else None))
    if found or not is_current_record_pending(facts, status):
        return tuple(found)
    return (LedgerWrite(entry=None, current=current_record(facts, status, _stages_of_attempts(waiting))),)


def _write(facts: Facts, status: ReleaseStatus, one: PendingEntry, current: LedgerCurrent | None) -> LedgerWrite:
    entry = entry_of(facts, status, one)
    if not isinstance(one.of, HistoryEntry):
        return LedgerWrite(entry=entry, current=current)
    pin = one.of.record.pin or "" if one.of.record else ""
    return LedgerWrite(entry=entry, current=current, pin=pin, release=_release(facts, one.of, one.time))


def is_current_record_pending(facts: Facts, status: ReleaseStatus) -> bool:
    """Return whether the ledger's current record differs from this status.

    During a rollout it is written with the entries, unless one of them had to be written without it.
    """
    known, under_way = known_checksum(status), is_open(status.rollout)
    if not _speaks_for_service(facts, status) or (known is not None and under_way):
        return False
    waiting = _stages_of_attempts(one for one in _lacking(facts, status) if one.waits_s)
    return known != checksum(current_record(facts, status, waiting))


def _speaks_for_service(facts: Facts, status: ReleaseStatus) -> bool:
    """Return whether this Release may write the service's current record.

    It may not if another Release holds the service, or nothing is known of the service yet. Nor if the service cannot be read: who holds
    it is not known then, and what is another's is left alone (law 16).
    """
    if facts.place.target is None or facts.place.problem is not None or facts.seen.unread is not None or _is_held(facts, status):
        return False
    return status.running is not None or status.rollout is not None


def _is_held(facts: Facts, status: ReleaseStatus) -> bool:
    ready = find(status.conditions, ConditionType.READY)
    if ready is not None and ready.reason == Reason.TARGET_CONFLICT:
        return True
    if facts.service is not None and facts.service.status not in ("INACTIVE", "DRAINING"):
        return False
    # If there is no service, or soon none, no rule has checked who holds it.
    return holder_of(facts) not in ("", facts.name)


def _of_attempt(facts: Facts, entry: HistoryEntry) -> Iterator[PendingEntry]:
    record, ended = entry.record or AttemptRecord(), entry.completion_time
    if record.state is None and entry.start_time is not None:
        yield PendingEntry(entry, Stage.START, entry.start_time)
    if not entry.outcome or ended is None:
        return
    if record.state != END:
        yield PendingEntry(entry, Stage.END, ended, _waits_s(facts, ended) if is_unnamed(entry.interventions) else 0.0)
    elif record.outcome != entry.outcome:
        yield PendingEntry(entry, Stage.LATE, ended)


def _of_foreign(facts: Facts, deployment: ForeignDeployment) -> Iterator[PendingEntry]:
    ended = deployment.completion_time
    if deployment.state is None and deployment.start_time is not None:
        yield PendingEntry(deployment, Stage.START, deployment.start_time)
    if deployment.outcome and ended is not None and deployment.state != END:
        yield PendingEntry(deployment, Stage.END, ended, 0.0 if deployment.changed_by else _waits_s(facts, ended))


def _waits_s(facts: Facts, ended: datetime) -> float:
    """Return for how long CloudTrail may still name the caller of what ended then."""
    listens = facts.place.environment is not None and bool(facts.place.environment.spec.observation.event_queue_url)
    return max(0.0, (ended - facts.now + _NAMED_LATE).total_seconds()) if listens else 0.0


def entry_of(facts: Facts, status: ReleaseStatus, one: PendingEntry) -> LedgerEntry:
    """Make an entry of the ledger."""
    fields = _attempt(status, one.of) if isinstance(one.of, HistoryEntry) else _foreign(one.of)
    if one.stage is Stage.START:
        fields |= dict.fromkeys(_OF_THE_END)
    return LedgerEntry(**identity(facts, status), stage=one.stage, **fields)


def start_of(attempt_id: str, start_time: datetime | None) -> datetime | None:
    """Return when an attempt began, by its id: the ledger's key contains it, and must be the same with a restored status."""
    try:
        return datetime.strptime(attempt_id.partition("-")[0] + "+0000", "%Y%m%dt%H%M%S%z")
    except ValueError:
        return whole_seconds(start_time)


def _attempt(status: ReleaseStatus, entry: HistoryEntry) -> dict[str, Any]:
    record, rollout = entry.record, status.rollout
    latest = rollout if rollout is not None and rollout.attempt_id == entry.attempt_id else None
    repositories = {i.container: i.repository for i in (status.pin.images if status.pin else None) or ()}
    images = [
        LedgerImage(repository=repositories.get(image.container), **shared_fields(LedgerImage, image)) for image in entry.images or ()
    ]
    return shared_fields(LedgerEntry, record, entry) | {
        "images": images or None,
        "start_time": start_of(entry.attempt_id, entry.start_time),
        "completion_time": whole_seconds(entry.completion_time),
        "evidence": list(latest.evidence[:3]) if latest and latest.evidence else None,
    }


def _foreign(deployment: ForeignDeployment) -> dict[str, Any]:
    return shared_fields(LedgerEntry, deployment) | {
        "attempt_id": foreign_id(deployment.deployment_id),
        "cause": FOREIGN,
        "images": [LedgerImage(**shared_fields(LedgerImage, image)) for image in deployment.images or ()] or None,
        "start_time": whole_seconds(deployment.start_time),
        "completion_time": whole_seconds(deployment.completion_time),
    }


def _release(facts: Facts, entry: HistoryEntry, time: datetime) -> LedgerRelease:
    """Return the release that a number will stand for if its artifacts have none yet. The ledger fills the number in."""
    fields = shared_fields(LedgerRelease, entry) | {
        "namespace": facts.release.metadata.namespace or "",
        "project": facts.release.spec.project_ref.name,
        "number": 1,
        "service_set": facts.service_set or None,
        "time": time,
    }
    return LedgerRelease(**fields)
