"""What a status says of the ledger: which entries it has, what waits for it, and what had to be left to the audit log."""

from __future__ import annotations

from ecs_release.api.conditions import ConditionType, Reason
from ecs_release.api.ledger import LedgerEntry
from ecs_release.api.record_status import LedgerStatus
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ledger.foreign_deployments import MOST
from ecs_release.domain.ledger.pending_entries import due, entry_of, is_current_due
from ecs_release.domain.model.conditions import FALSE, TRUE, UNKNOWN, Said, merge
from ecs_release.domain.ports.ledger_acknowledgements import acknowledge

NO_LEDGER = "no ledger is configured: attempts are kept in status.history only"


def recorded(facts: Facts, draft: Draft, status: ReleaseStatus) -> tuple[ReleaseStatus, tuple[LedgerEntry, ...]]:
    """Write into a status what the ledger has, and condition Recorded. Returns with it the entries that are left to the audit log."""
    left_out: tuple[LedgerEntry, ...] = ()
    if facts.has_ledger:
        status = acknowledge(status, facts.acknowledged)
        left_out = _left_out(facts, draft, status)
        if left_out:
            ledger = status.ledger or LedgerStatus()
            count = min(1_000_000, (ledger.left_out or 0) + len({e.attempt_id for e in left_out}))
            status = status.model_copy(update={"ledger": ledger.model_copy(update={"left_out": count})})
    if not status.conditions:
        return status, left_out
    conditions = merge(status.conditions, (said(facts, status),), facts.release.metadata.generation, facts.now)
    return status.model_copy(update={"conditions": conditions}), left_out


def said(facts: Facts, status: ReleaseStatus) -> Said:
    """Say whether all that has happened is in the ledger."""
    kind = ConditionType.RECORDED
    if not facts.has_ledger:
        return Said(kind, UNKNOWN, Reason.NO_LEDGER, NO_LEDGER)
    waiting, left_out = len(due(facts, status)), status.ledger.left_out if status.ledger else None
    lost = f"{left_out} attempts waited too long for the ledger: they are in the operator's audit log" if left_out else ""
    if not waiting and not is_current_due(facts, status):
        return Said(kind, TRUE, Reason.RECORDED, lost)
    what = f"{waiting} entries wait for the ledger" if waiting else "the current record waits for the ledger"
    if facts.ledger_problem is None:
        return Said(kind, UNKNOWN, Reason.RECORDING, "; ".join(p for p in (what, lost) if p))
    text = f"{what}, and are written once it can be: {facts.ledger_problem.message}; releases go on"
    return Said(kind, FALSE, facts.ledger_problem.reason, "; ".join(p for p in (text, lost) if p))


def _left_out(facts: Facts, draft: Draft, status: ReleaseStatus) -> tuple[LedgerEntry, ...]:
    """Make the entries that neither the ledger has nor status has room for any more: attempts beyond the history, others' deployments."""
    before = acknowledge(facts.status, facts.acknowledged)
    kept = {e.attempt_id for e in status.history or ()}
    here = {f.deployment_id for f in status.foreign or ()}
    others = {f.deployment_id: f for f in (*(before.foreign or ()), *draft.foreign[MOST:]) if f.deployment_id not in here}
    gone = before.model_copy(
        update={
            "history": [e for e in before.history or () if e.attempt_id not in kept],
            "foreign": list(others.values()),
        }
    )
    return tuple(entry_of(facts, gone, one) for one in due(facts, gone, named=True))
