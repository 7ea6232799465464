"""What of a Release's status the ledger does not have yet.

The same status always gives the same entries, so that they can be made again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ecs_release.api.conditions import ConditionType, Reason
from ecs_release.api.ledger import LedgerCurrent, LedgerEntry, LedgerImage, LedgerRelease, Stage
from ecs_release.api.record_status import ForeignDeployment
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


@dataclass(frozen=True, slots=True)
class PendingEntry:
    """An entry that the ledger lacks: of which attempt or foreign deployment, which stage, and when that happened."""

    of: HistoryEntry | ForeignDeployment
    stage: Stage
    time: datetime


def pending_entries(facts: Facts, status: ReleaseStatus, *, unnamed: bool = False) -> tuple[PendingEntry, ...]:
    """List the entries that the ledger lacks, oldest first. `unnamed`: also those that wait for CloudTrail to name the caller."""
    found: list[PendingEntry] = []
    for entry in status.history or ():
        found += _of_attempt(facts, entry, unnamed=unnamed)
    for deployment in status.foreign or ():
        found += _of_foreign(facts, deployment, unnamed=unnamed)
    # Within one second: what began first ends before the next begins.
    return tuple(sorted(found, key=lambda d: (d.time, d.of.start_time or d.time, d.stage is not Stage.START)))


def _unnamed_ends(facts: Facts, status: ReleaseStatus) -> LaterEntries:
    """List the ends of attempts that wait for CloudTrail to name who intervened: no current record has them yet."""
    waiting = (e for e in status.history or () if e.outcome and e.completion_time is not None and _lacks_end(e))
    return [(e.attempt_id, Stage.END) for e in waiting if not _is_explained(facts, e)]


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
    speaks, found, lacking = _speaks_for_service(facts, status), list[LedgerWrite](), pending_entries(facts, status, unnamed=unnamed)
    waiting = () if unnamed else _unnamed_ends(facts, status)
    for nth, one in enumerate(lacking, 1):
        if isinstance(one.of, ForeignDeployment):
            status = acknowledge(status, [Acknowledgement(foreign_id(one.of.deployment_id), one.stage)])
        later = {*waiting, *((d.of.attempt_id, d.stage) for d in lacking[nth:] if isinstance(d.of, HistoryEntry))}
        found.append(_write(facts, status, one, current_record(facts, status, later) if speaks else None))
    if found or not is_current_record_pending(facts, status):
        return tuple(found)
    return (LedgerWrite(entry=None, current=current_record(facts, status, waiting)),)


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
    return known != checksum(current_record(facts, status, _unnamed_ends(facts, status)))


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


def _of_attempt(facts: Facts, entry: HistoryEntry, *, unnamed: bool) -> Iterator[PendingEntry]:
    record = entry.record
    state = record.state if record else None
    if state is None and entry.start_time is not None:
        yield PendingEntry(entry, Stage.START, entry.start_time)
    if entry.outcome and entry.completion_time is not None:
        if state != END and (unnamed or _is_explained(facts, entry)):
            yield PendingEntry(entry, Stage.END, entry.completion_time)
        elif state == END and record is not None and record.outcome != entry.outcome:
            yield PendingEntry(entry, Stage.LATE, entry.completion_time)


def _lacks_end(entry: HistoryEntry) -> bool:
    return entry.record is None or entry.record.state != END


def _is_explained(facts: Facts, entry: HistoryEntry) -> bool:
    """Return whether it is known who intervened in an attempt that has ended, or will not be: an entry waits for CloudTrail."""
    return not is_unnamed(entry.interventions) or not _may_be_named(facts, entry.completion_time)


def _may_be_named(facts: Facts, ended: datetime | None) -> bool:
    """Return whether CloudTrail may still name the caller of what ended then."""
    listens = facts.place.environment is not None and bool(facts.place.environment.spec.observation.event_queue_url)
    return listens and ended is not None and facts.now - ended < _NAMED_LATE


def _of_foreign(facts: Facts, deployment: ForeignDeployment, *, unnamed: bool) -> Iterator[PendingEntry]:
    if deployment.state is None and deployment.start_time is not None:
        yield PendingEntry(deployment, Stage.START, deployment.start_time)
    ended = deployment.completion_time
    if deployment.outcome and ended is not None and deployment.state != END and (unnamed or _is_named(facts, deployment, ended)):
        yield PendingEntry(deployment, Stage.END, ended)


def unnamed_due_in_s(facts: Facts, status: ReleaseStatus) -> float | None:
    """Return after how many seconds an end that waits for CloudTrail is due without it; None if none waits."""
    ended = [f.completion_time for f in status.foreign or () if f.outcome and f.completion_time is not None and f.state != END]
    unexplained = (e for e in status.history or () if e.outcome and _lacks_end(e) and not _is_explained(facts, e))
    ended += [e.completion_time for e in unexplained if e.completion_time is not None]
    left = [(time + _NAMED_LATE - facts.now).total_seconds() for time in ended]
    return max(1.0, min(left)) if left and len(pending_entries(facts, status, unnamed=True)) > len(pending_entries(facts, status)) else None


def _is_named(facts: Facts, deployment: ForeignDeployment, ended: datetime) -> bool:
    """Return whether it is known who started a deployment, or will not be: an entry is never changed, so it waits for CloudTrail."""
    return bool(deployment.changed_by) or not _may_be_named(facts, ended)


def entry_of(facts: Facts, status: ReleaseStatus, one: PendingEntry) -> LedgerEntry:
    """Make an entry of the ledger."""
    fields = _attempt(status, one.of) if isinstance(one.of, HistoryEntry) else _foreign(one.of)
    if one.stage is Stage.START:
        fields |= {"outcome": None, "message": None, "completion_time": None, "evidence": None}
        fields |= {"commit_range": None, "lead_time_seconds": None, "interventions": None}
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
        LedgerImage(
            container=i.container, repository=repositories.get(i.container), from_digest=i.from_digest, from_hash=i.from_hash,
            to_digest=i.to_digest, to_hash=i.to_hash, unlisted=i.unlisted,
        )
        for i in entry.images or ()
    ]  # fmt: skip
    return {
        "attempt_id": entry.attempt_id,
        "number": entry.number,
        "cause": entry.cause,
        "hash": entry.hash,
        "source_hash": entry.source_hash,
        "release_set": record.release_set if record else None,
        "set_source_hash": record.set_source_hash if record else None,
        "images": images or None,
        "task_definition": entry.task_definition,
        "deployment_id": entry.deployment_id,
        **_why(entry),
        "requested_time": record.requested_time if record else None,
        "start_time": start_of(entry.attempt_id, entry.start_time),
        "completion_time": whole_seconds(entry.completion_time),
        "outcome": entry.outcome,
        "message": entry.message,
        "evidence": list(latest.evidence[:3]) if latest and latest.evidence else None,
        "request_id": record.request_id if record else None,
    }


def _why(entry: HistoryEntry) -> dict[str, Any]:
    return {
        "requested_by": entry.requested_by,
        "applied_by": entry.applied_by,
        "description": entry.description,
        "reason": entry.reason,
        "url": entry.url,
        "revision": entry.revision,
        "ticket": entry.ticket,
        "window": entry.window,
        "commits": entry.commits,
        "commit_range": entry.commit_range,
        "lead_time_seconds": entry.lead_time_seconds,
        "interventions": entry.interventions,
    }


def _foreign(deployment: ForeignDeployment) -> dict[str, Any]:
    return {
        "attempt_id": foreign_id(deployment.deployment_id),
        "cause": FOREIGN,
        "images": [LedgerImage.model_validate(i.to_kubernetes()) for i in deployment.images or ()] or None,
        "task_definition": deployment.task_definition,
        "deployment_id": deployment.deployment_id,
        "changed_by": deployment.changed_by,
        "user_agent": deployment.user_agent,
        "start_time": whole_seconds(deployment.start_time),
        "completion_time": whole_seconds(deployment.completion_time),
        "outcome": deployment.outcome,
    }


def _release(facts: Facts, entry: HistoryEntry, time: datetime) -> LedgerRelease:
    """Return the release that a number will stand for if its artifacts have none yet. The ledger fills the number in."""
    return LedgerRelease(
        namespace=facts.release.metadata.namespace or "",
        project=facts.release.spec.project_ref.name,
        number=1,
        service_set=facts.service_set or None,
        hash=entry.hash,
        requested_by=entry.requested_by,
        applied_by=entry.applied_by,
        description=entry.description,
        url=entry.url,
        time=time,
    )
