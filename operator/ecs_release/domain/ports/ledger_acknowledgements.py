"""What the ledger has confirmed, written into a status: so that a restart neither repeats nor forgets anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ecs_release.api.ledger import Stage
from ecs_release.api.record_status import AttemptRecord, ForeignDeployment, LedgerStatus
from ecs_release.api.release_status import HistoryEntry, ReleaseStatus

START, END = "Start", "End"
"""The entries of an attempt that the ledger has."""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What the ledger has of one write: the attempt's entry (empty: none), outcome and number, and the checksum of the current record."""

    attempt_id: str = ""
    stage: Stage = Stage.START
    outcome: str = ""
    number: int | None = None
    current: str = ""


def acknowledge(status: ReleaseStatus, acknowledgements: Iterable[Acknowledgement]) -> ReleaseStatus:
    """Write into a status what the ledger has. Doing so again changes nothing."""
    for one in acknowledgements:
        status = _entered(status, one) if one.attempt_id else status
        # An entry that was written without the current record leaves that outdated: it is due.
        ledger = (status.ledger or LedgerStatus()).model_copy(update={"current": one.current or None})
        if status.ledger is not None or one.current:
            status = status.model_copy(update={"ledger": ledger})
    return status


def known_checksum(status: ReleaseStatus) -> str | None:
    """Return the checksum of the current record that the ledger has of a Release; None if it has none."""
    return status.ledger.current if status.ledger else None


def foreign_id(deployment_id: str) -> str:
    """Return the id of a foreign deployment, in the form of attempts' ids: ecs-svc/123 is foreign-123."""
    return "foreign-" + deployment_id.rpartition("/")[2]


def _entered(status: ReleaseStatus, one: Acknowledgement) -> ReleaseStatus:
    history = [_marked(e, one) if e.attempt_id == one.attempt_id else e for e in status.history or ()]
    foreign = [_marked_foreign(f, one) if foreign_id(f.deployment_id) == one.attempt_id else f for f in status.foreign or ()]
    return status.model_copy(update={"history": history or None, "foreign": foreign or None})


def _marked(entry: HistoryEntry, one: Acknowledgement) -> HistoryEntry:
    record = entry.record or AttemptRecord()
    if one.stage is Stage.START:
        state, outcome = record.state or START, record.outcome
    else:
        state, outcome = END, one.outcome or record.outcome
    return entry.model_copy(
        update={
            "number": one.number or entry.number,
            "record": record.model_copy(update={"state": state, "outcome": outcome}),
        }
    )


def _marked_foreign(deployment: ForeignDeployment, one: Acknowledgement) -> ForeignDeployment:
    state = END if one.stage is not Stage.START or deployment.state == END else START
    return deployment.model_copy(update={"state": state})
