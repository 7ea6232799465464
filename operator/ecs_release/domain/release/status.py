"""From a draft to the status that is written: conditions, what runs, the columns of kubectl, and Events about what changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from ecs_release.api.conditions import Condition, ConditionType, Reason
from ecs_release.api.record_status import LedgerStatus
from ecs_release.api.release_status import Links, Pin, ReleaseStatus, ReleaseSummary, Rollout, Running
from ecs_release.domain.artifacts.source import display_hash
from ecs_release.domain.decision import attempts, suspension, suspension_end
from ecs_release.domain.decision.decision import Decision, Draft, Outcome
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.request_annotations import standing_refusal
from ecs_release.domain.decision.running_status import running
from ecs_release.domain.drift import drift
from ecs_release.domain.ledger import foreign_deployments, foreign_interventions, recorded_condition
from ecs_release.domain.model.applied_by import applied_by
from ecs_release.domain.model.conditions import (
    FALSE,
    TRUE,
    UNKNOWN,
    ConditionUpdate,
    Situation,
    find,
    is_news,
    kstatus_conditions,
    merge,
    phase,
    waiting,
)
from ecs_release.domain.model.image_names import short_digest
from ecs_release.domain.ports.protocols import EventNote
from ecs_release.domain.promotion import overdue
from ecs_release.domain.retention import image_availability
from ecs_release.domain.rules import attempt_commits
from ecs_release.domain.rules.at_rest import Standing, compared, standing
from ecs_release.domain.verification.health import recorded
from ecs_release.domain.verification.proof import Match


def report(facts: Facts, draft: Draft, outcome: Outcome, changes: tuple[str, ...] = ()) -> Decision:
    """Compose the status. If the outcome has no situation, the conditions stay as they were."""
    before, outcome = facts.status, _as_correction(draft, outcome)
    attempt_commits.note(facts, draft)
    foreign_interventions.track(facts, draft)
    believed = facts.seen.unread is None and not draft.missing
    is_ours = outcome.situation is None or _is_ours(facts, draft, outcome.situation)
    if not draft.missing and is_ours:
        foreign_deployments.track(facts, draft)
    now_runs = running(facts) if believed else before.running
    conditions, its_phase = list(before.conditions or ()), before.phase
    if outcome.situation is not None:
        updates = [*kstatus_conditions(outcome.situation), *_aspects(facts, draft, outcome.situation)]
        draft.events += image_availability.warnings(before, updates)
        conditions = merge(before.conditions, updates, facts.release.metadata.generation, facts.now)
        its_phase = phase(outcome.situation)
    end, told = suspension_end.told(facts.release.spec, before.suspension, facts.now)
    awaited = overdue.awaited(facts, draft, now_runs, is_ours=is_ours)
    status = ReleaseStatus(
        observed_generation=facts.release.metadata.generation if outcome.situation else before.observed_generation,
        phase=its_phase,
        conditions=conditions or None,
        pin=_pin_that_stands(facts, draft),
        target=draft.target,
        running=now_runs,
        health=recorded(facts.seen.health) if facts.service is not None and facts.seen.unread is None else before.health,
        rollout=_with_links(facts, draft.rollout),
        plan=draft.plan,
        closed_window=draft.closed_window,
        drift=draft.drift if facts.seen.look is None or facts.service is not None else None,
        last_drift=drift.last(facts, draft, outcome.situation),
        history=list(draft.history) or None,
        views=before.views,
        last_ready=draft.last_ready,
        promotion=awaited.status,
        foreign=list(draft.foreign[: foreign_deployments.MAX_FOREIGN]) or None,
        ledger=draft.ledger if facts.ledger.is_configured else _without_ledger(before, draft),
        suspension=end,
        last_handled_retry=draft.handled_retry,
        last_handled_refresh=draft.handled_refresh,
        last_handled_override=draft.handled_override,
        last_handled_override_commits=draft.handled_override_commits,
        last_handled_abort=draft.handled_abort,
        last_handled_continue=draft.handled_continue,
        refused_request=standing_refusal(draft, before),
        summary=_summary(facts, draft, now_runs, find(conditions, ConditionType.READY)),
    )
    status, left_out = recorded_condition.with_recorded_condition(facts, draft, status)
    events = (*draft.events, *_events(before, outcome), *told, *awaited.events)
    return Decision(
        status,
        outcome.act,
        events,
        _again_s(facts, draft, outcome, awaited.next),
        fast=_is_fast(draft, outcome),
        missing=draft.missing,
        left_out=left_out,
        changes=changes,
    )


def _is_fast(draft: Draft, outcome: Outcome) -> bool:
    """Return whether to look again soon. An attempt that is held up (suspended, denied) moves no faster for being looked at often."""
    moving = attempts.is_open(draft.rollout) and (outcome.situation is None or outcome.situation.reconciling)
    return moving or draft.missing or _is_waiting(outcome)


def _pin_that_stands(facts: Facts, draft: Draft) -> Pin | None:
    """Return the pin for status: what a retry has resolved is left out until its attempt has begun, for it may be withdrawn."""
    begun = draft.pin is None or attempts.is_settled(draft, draft.pin)
    return draft.pin if begun or not facts.wanted.by_retry else facts.status.pin


def _without_ledger(before: ReleaseStatus, draft: Draft) -> LedgerStatus | None:
    """Leave all as it is where no ledger is configured (any more), but for the time from which on deployments are others'."""
    if draft.ledger.since_time is None:
        return before.ledger
    return (before.ledger or LedgerStatus()).model_copy(update={"since_time": draft.ledger.since_time})


def _is_ours(facts: Facts, draft: Draft, situation: Situation) -> bool:
    """Return whether the service seen is this Release's: it is neither another's nor another one than was deployed to."""
    if situation.reason != Reason.TARGET_CHANGED:
        return situation.reason != Reason.TARGET_CONFLICT
    known, service = draft.target, facts.service
    if known is None or service is None:
        return False
    return (known.service_arn, known.service_created_time) == (service.arn, service.created_at)


def _again_s(facts: Facts, draft: Draft, outcome: Outcome, promotion_due: datetime | None) -> float | None:
    """Return when to look again: as the outcome says, at the deadline of an attempt that is followed, when a suspension ends.

    And when there is something to say of a promotion that is waited for.
    """
    is_followed = draft.left_s is not None and attempts.is_open(draft.rollout) and attempts.is_deployed(draft.rollout)
    deadline_s = max(0.5, draft.left_s) if is_followed and draft.left_s is not None else None
    promotion_s = suspension.seconds_until(promotion_due, now=facts.now)
    due = [s for s in (outcome.again_s, deadline_s, suspension.again_s(facts), promotion_s) if s is not None]
    return min(due, default=None)


def _as_correction(draft: Draft, outcome: Outcome) -> Outcome:
    """Report a correction of drift that is under way as Drifted: what runs differs from what is wanted, and that is being corrected."""
    rollout, situation = draft.rollout, outcome.situation
    if rollout is None or rollout.outcome or rollout.cause != drift.CAUSE or situation is None:
        return outcome
    if situation.reason not in (Reason.ROLLING_OUT, Reason.VERIFYING):
        return outcome
    return replace(outcome, situation=waiting(Reason.DRIFTED, f"correcting it: {situation.message}"))


def _is_waiting(outcome: Outcome) -> bool:
    return outcome.situation is not None and outcome.situation.reason == Reason.AWAITING_STEADY


def _aspects(facts: Facts, draft: Draft, situation: Situation) -> tuple[ConditionUpdate, ...]:
    return (
        _resolved(facts, draft),
        _deployed(draft),
        _in_sync(facts, draft),
        image_availability.availability_condition(facts, draft),
    )


def _resolved(facts: Facts, draft: Draft) -> ConditionUpdate:
    if draft.pin is not None and draft.pin.source_hash == facts.source_hash:
        names = ", ".join(f"{i.repository}@{i.digest}" for i in draft.pin.images or ())
        return ConditionUpdate(ConditionType.ARTIFACT_RESOLVED, TRUE, Reason.RESOLVED, names)
    problem = facts.wanted.problem or facts.place.problem
    if problem is not None:
        status = FALSE if problem is facts.wanted.problem else UNKNOWN
        return ConditionUpdate(ConditionType.ARTIFACT_RESOLVED, status, problem.reason, problem.message)
    return ConditionUpdate(ConditionType.ARTIFACT_RESOLVED, UNKNOWN, Reason.RESOLVING_ARTIFACT)


def _deployed(draft: Draft) -> ConditionUpdate:
    rollout, pin = draft.rollout, draft.pin
    if rollout is None or (pin is not None and not attempts.covers(rollout, pin)):
        return ConditionUpdate(ConditionType.DEPLOYED, UNKNOWN, Reason.NOT_ATTEMPTED, "there was no attempt for this source yet")
    if not rollout.outcome:
        reason = Reason.VERIFYING if rollout.stage == "COMPLETED" else Reason.ROLLING_OUT
        reason = Reason.AWAITING_HOOK if rollout.awaiting else reason
        return ConditionUpdate(ConditionType.DEPLOYED, UNKNOWN, reason, rollout.message or "")
    good = rollout.outcome in attempts.GOOD
    return ConditionUpdate(ConditionType.DEPLOYED, TRUE if good else FALSE, rollout.outcome, rollout.message or "")


def _in_sync(facts: Facts, draft: Draft) -> ConditionUpdate:
    if facts.service is None or draft.pin is None or facts.seen.unread is not None or draft.missing:
        return ConditionUpdate(ConditionType.IN_SYNC, UNKNOWN, Reason.NOT_OBSERVED)
    stands = standing(facts, draft.pin, compared(facts, draft))
    if stands is Standing.PROVEN:
        return ConditionUpdate(ConditionType.IN_SYNC, TRUE, Reason.DIGESTS_MATCH)
    if stands is Standing.DISPROVEN:
        return ConditionUpdate(ConditionType.IN_SYNC, FALSE, Reason.DIGESTS_DIFFER, "running tasks show other digests than the wanted ones")
    reason = Reason.NOTHING_RUNNING if compared(facts, draft) is Match.NOTHING_RUNS else Reason.NOT_OBSERVED
    return ConditionUpdate(ConditionType.IN_SYNC, UNKNOWN, reason)


def _with_links(facts: Facts, rollout: Rollout | None) -> Rollout | None:
    if rollout is None or not facts.place.links or rollout.links is not None:
        return rollout
    return rollout.model_copy(update={"links": Links(**facts.place.links)})


def _summary(facts: Facts, draft: Draft, now_runs: Running | None, ready: Condition | None) -> ReleaseSummary:
    change = facts.release.spec.change
    first: Pin | None = draft.pin
    digest = short_digest(first.images[0].digest or "") if first and first.images else None
    service, before = facts.service, facts.status.summary
    # From ECS's own numbers: those in status.running stop at what the CRD admits.
    tasks = f"{service.running}/{service.desired}" if service is not None else (before.tasks if now_runs and before else None)
    revision = now_runs.task_definition.rpartition("/")[2] if now_runs and now_runs.task_definition else None
    return ReleaseSummary(
        hash=display_hash(facts.release.spec.source, first) or digest,
        running_hash=now_runs.hash if now_runs else None,
        digest=digest,
        task_definition=revision,
        tasks=tasks,
        since=now_runs.since_time if now_runs else None,
        requested_by=change.requested_by if change else None,
        applied_by=applied_by(facts.release.metadata),
        description=change.description if change else None,
        message=ready.message[:1024] if ready else None,
    )


_WARNINGS = frozenset({Reason.DRIFTED, Reason.TASKS_UNHEALTHY, Reason.OBSERVATION_FAILED, Reason.PROGRESSING_WITH_RETRY})


def _events(before: ReleaseStatus, outcome: Outcome) -> tuple[EventNote, ...]:
    """One Event when the reason of Ready changes, or it is Stalled for the same reason."""
    situation = outcome.situation
    if situation is None or not is_news(before.conditions, situation):
        return ()
    bad = situation.stalled or situation.reason in _WARNINGS
    return (EventNote("Warning" if bad else "Normal", str(situation.reason), "Reconcile", situation.message),)
