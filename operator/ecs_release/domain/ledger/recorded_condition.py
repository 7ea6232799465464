"""The ledger's part of a status: which entries it has, what waits for it, and what was left to the audit log."""

from __future__ import annotations

from ecs_release.api.conditions import ConditionType, Reason
from ecs_release.api.ledger import LedgerEntry
from ecs_release.api.record_status import LedgerStatus
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ledger.foreign_deployments import MAX_FOREIGN
from ecs_release.domain.ledger.pending_entries import entry_of, is_current_record_pending, pending_entries
from ecs_release.domain.model.clauses import join_clauses
from ecs_release.domain.model.conditions import FALSE, TRUE, UNKNOWN, ConditionUpdate, merge
from ecs_release.domain.ports.ledger_acknowledgements import acknowledge

NO_LEDGER = "no ledger is configured: attempts are kept in status.history only"


def with_recorded_condition(facts: Facts, draft: Draft, status: ReleaseStatus) -> tuple[ReleaseStatus, tuple[LedgerEntry, ...]]:
    """Return a status with what the ledger has and condition Recorded, and the entries that are left to the audit log."""
    left_out: tuple[LedgerEntry, ...] = ()
    if facts.ledger.is_configured:
        status = acknowledge(status, facts.ledger.acknowledged)
        left_out = _left_out(facts, draft, status)
        if left_out:
            ledger = status.ledger or LedgerStatus()
            count = min(1_000_000, (ledger.left_out or 0) + len({e.attempt_id for e in left_out}))
            status = status.model_copy(update={"ledger": ledger.model_copy(update={"left_out": count})})
    if not status.conditions:
        return status, left_out
    conditions = merge(status.conditions, (recorded_condition(facts, status),), facts.release.metadata.generation, facts.now)
    return status.model_copy(update={"conditions": conditions}), left_out


def recorded_condition(facts: Facts, status: ReleaseStatus) -> ConditionUpdate:
    """Return condition Recorded: whether all that has happened is in the ledger."""
    kind = ConditionType.RECORDED
    if not facts.ledger.is_configured:
        return ConditionUpdate(kind, UNKNOWN, Reason.NO_LEDGER, NO_LEDGER)
    waiting, left_out = len(pending_entries(facts, status)), status.ledger.left_out if status.ledger else None
    lost = f"{left_out} attempts waited too long for the ledger: they are in the operator's audit log" if left_out else ""
    if not waiting and not is_current_record_pending(facts, status):
        return ConditionUpdate(kind, TRUE, Reason.RECORDED, lost)
    what = f"{waiting} entries wait for the ledger" if waiting else "the current record waits for the ledger"
    if facts.ledger.problem is None:
        return ConditionUpdate(kind, UNKNOWN, Reason.RECORDING, join_clauses(what, lost))
    text = f"{what}, and are written once it can be: {facts.ledger.problem.message}"
    return ConditionUpdate(kind, FALSE, facts.ledger.problem.reason, join_clauses(text, "releases go on", lost))


def _left_out(facts: Facts, draft: Draft, status: ReleaseStatus) -> tuple[LedgerEntry, ...]:
    """Make the entries that the ledger does not have and status has no room for: attempts beyond the history, foreign deployments."""
    before = acknowledge(facts.status, facts.ledger.acknowledged)
    kept = {e.attempt_id for e in status.history or ()}
    here = {f.deployment_id for f in status.foreign or ()}
    others = {f.deployment_id: f for f in (*(before.foreign or ()), *draft.foreign[MAX_FOREIGN:]) if f.deployment_id not in here}
    gone = before.model_copy(
        update={
            "history": [e for e in before.history or () if e.attempt_id not in kept],
            "foreign": list(others.values()),
        }
    )
    return tuple(entry_of(facts, gone, one) for one in pending_entries(facts, gone, unnamed=True))
