"""Others' interventions: who had ECS go on with an attempt's deployment in AWS, go back or stop it. Looks find them, CloudTrail names them.

CloudTrail reports minutes later, if at all, and in no order. What it says is put where it belongs by the hook's id and the ARN of the
service deployment, never by time: with an attempt under way, or with one of the history that has ended meanwhile. An answer of ours that
was only inferred from what its hook showed gives way to what CloudTrail has of others before it.
"""

from __future__ import annotations

from typing import Any

from ecs_release.api.hook_status import Intervention
from ecs_release.api.release_status import HistoryEntry, Rollout
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.history_entry import entry
from ecs_release.domain.ecs import interventions
from ecs_release.domain.ecs.events import Instruction
from ecs_release.domain.ecs.interventions import CONTINUE, FOREIGN, REQUESTED, ROLLBACK, STOP, TIMED_OUT
from ecs_release.domain.ecs.service import Hook
from ecs_release.domain.verification import deployment_stages

_ACTIONS = {"SUCCEEDED": CONTINUE, "FAILED": ROLLBACK}
"""What somebody did, by the status of a PAUSE hook.

Amazon ECS developer guide, "Amazon ECS service deployment hook state change events".
"""


def track(facts: Facts, draft: Draft) -> None:
    """Add what others have done to the latest attempt, and the names of those who did it to this or an earlier one."""
    for hook in _ended_hooks(facts, draft):
        _add_seen(facts, draft, hook)
    for one in reversed(facts.seen.instructions):
        _name(facts, draft, one)


def _ended_hooks(facts: Facts, draft: Draft) -> tuple[Hook, ...]:
    """Return the hooks of the attempt's deployment that do not wait any more, if that was not for our own sake."""
    rollout, seen, before = draft.rollout, facts.diagnostics.service_deployment, facts.status.rollout
    if rollout is None or seen is None or rollout.service_deployment_arn != seen.arn:
        return ()
    # The look is older than what this pass decides: a call that it announces has ended nothing yet.
    if before is None or before.attempt_id != rollout.attempt_id or _takes_back(before):
        return ()
    ended = {"SUCCEEDED", "TIMED_OUT"} | (set() if deployment_stages.may_fail_hooks(seen) else {"FAILED"})
    return tuple(h for h in seen.hooks if h.target_type == "PAUSE" and h.id and h.status in ended)


def _takes_back(rollout: Rollout) -> bool:
    """Return whether the operator itself takes an attempt's deployment back, or has done so: what ends with it ends by that."""
    return rollout.outcome == attempts.ABORTED or attempts.intended_action(rollout) in (attempts.STOP, attempts.RETURN)


def _add_seen(facts: Facts, draft: Draft, hook: Hook) -> None:
    rollout = draft.rollout
    assert rollout is not None
    known = rollout.interventions or []
    # What there was no room for is not entered anew at each look.
    if interventions.of_hook(known, hook.id) is not None or interventions.was_stopped(known) or len(known) >= interventions.MOST:
        return
    # All that wait fail with the one at which somebody went back.
    if hook.status == "FAILED" and any(i.action == ROLLBACK for i in known):
        return
    before = facts.status.rollout
    stage = next((h.stage for h in (before.hooks if before else None) or () if h.id == hook.id), None)
    if hook.status == "TIMED_OUT":
        found = Intervention(action=hook.timeout_action or ROLLBACK, cause=TIMED_OUT, hook_id=hook.id, stage=stage, time=facts.now)
    else:
        found = Intervention(action=_ACTIONS[hook.status], cause=FOREIGN, hook_id=hook.id, stage=stage, time=facts.now)
    _set(facts, draft, rollout.attempt_id, interventions.added(known, found))


def _name(facts: Facts, draft: Draft, one: Instruction) -> None:
    """Add who gave an instruction to the attempt that it was about."""
    of = _attempt_of(draft, one.deployment)
    if of is None:
        return
    attempt_id, known = of
    by = _by(one)
    # A hook that FAILED by no answer that CloudTrail has named did so because of this.
    others = [i for i in known if not (i.cause == FOREIGN and i.action == ROLLBACK and not i.changed_by)]
    if one.hook:
        there = interventions.of_hook(known, one.hook)
        if there is None and len(known) < interventions.MOST:
            new = Intervention(action=one.action, cause=FOREIGN, hook_id=one.hook, **by)
            _set(facts, draft, attempt_id, interventions.added(others if one.action == ROLLBACK else known, new))
        elif there is not None and there.cause == FOREIGN and not there.changed_by:
            named = there.model_copy(update={"action": one.action, **by})
            _set(facts, draft, attempt_id, interventions.replaced(known, there, named))
        elif there is not None and _was_before(facts, draft, attempt_id, there, one):
            _name_another(facts, draft, attempt_id, known, there, one)
        return
    if _was_aborted(draft, attempt_id):
        return
    if not any(i.action == STOP and i.time == one.time for i in known):
        known = interventions.added(others, Intervention(action=STOP, cause=FOREIGN, **by))
        _set(facts, draft, attempt_id, known)
    if not attempts.is_open(_latest(draft, attempt_id)) and any(_is_stopped(i, one) for i in known):
        _set(facts, draft, attempt_id, [i.model_copy(update={"accepted_time": None}) if _is_stopped(i, one) else i for i in known])


def _by(one: Instruction) -> dict[str, Any]:
    """Return the fields of an intervention that say who gave an instruction, how and when."""
    return {"changed_by": one.arn or None, "user_agent": one.user_agent or None, "time": one.time}


def _is_inferred(ours: Intervention, one: Instruction) -> bool:
    """Return whether an answer of ours counts as accepted since somebody else's call, after which AWS accepts none."""
    return ours.cause == REQUESTED and ours.accepted_time is not None and one.time <= ours.accepted_time


def _is_stopped(ours: Intervention, one: Instruction) -> bool:
    """Return whether what counts as taken back by our answer may have been by somebody's stop."""
    return ours.action == ROLLBACK and _is_inferred(ours, one)


def _latest(draft: Draft, attempt_id: str) -> Rollout | None:
    """Return the attempt of an id if it is the latest one."""
    rollout = draft.rollout
    return rollout if rollout is not None and rollout.attempt_id == attempt_id else None


def _was_before(facts: Facts, draft: Draft, attempt_id: str, ours: Intervention, one: Instruction) -> bool:
    """Return whether somebody else has answered a hook, by CloudTrail, and not we; False where that cannot be told."""
    is_unknown = interventions.is_announced(ours) and not attempts.is_open(_latest(draft, attempt_id))
    if not is_unknown and not _is_inferred(ours, one):
        return False
    environment = facts.place.environment
    role = _principal(environment.spec.aws.role_arn or "") if environment is not None else ""
    theirs = _principal(one.arn)
    return bool(role and theirs) and theirs != role


def _principal(arn: str) -> str:
    """Return the account and the name of a role, whether it is assumed or not, or of another principal; empty if it is no ARN.

    A role's ARN has its path, that of a session has none (IAM user guide, "IAM identifiers").
    """
    parts = arn.split(":", 5)
    if len(parts) < 6:
        return ""
    kind, _, name = parts[5].partition("/")
    if kind == "assumed-role":
        name = name.partition("/")[0]
    elif kind == "role":
        name = name.rpartition("/")[2]
    return f"{parts[4]} {'role' if kind == 'assumed-role' else kind} {name}"


def _name_another(facts: Facts, draft: Draft, attempt_id: str, known: list[Intervention], ours: Intervention, one: Instruction) -> None:
    """Record that the answer was somebody else's: a hook takes one, and that it shows what ours asks for was all that was known of ours."""
    theirs = Intervention(action=one.action, cause=FOREIGN, hook_id=ours.hook_id, stage=ours.stage, **_by(one))
    _set(facts, draft, attempt_id, interventions.replaced(known, ours, theirs))
    asked = f"the request {f'of {ours.applied_by} ' if ours.applied_by else ''}came second"
    draft.event("Normal", "HookAnswered", "Continue", f"hook {ours.hook_id}: {interventions.described(theirs)}; {asked}")


def _attempt_of(draft: Draft, deployment: str) -> tuple[str, list[Intervention]] | None:
    """Return the id and the interventions of the attempt whose service deployment has an ARN."""
    rollout = draft.rollout
    if rollout is not None and rollout.service_deployment_arn == deployment:
        return rollout.attempt_id, list(rollout.interventions or ())
    found = next((e for e in draft.history if e.record is not None and e.record.service_deployment_arn == deployment), None)
    return (found.attempt_id, list(found.interventions or ())) if found is not None else None


def _was_aborted(draft: Draft, attempt_id: str) -> bool:
    """Return whether the operator itself has stopped an attempt's deployment, or is about to."""
    latest = _latest(draft, attempt_id)
    if latest is not None and _takes_back(latest):
        return True
    return any(e.attempt_id == attempt_id and e.outcome == attempts.ABORTED for e in draft.history)


def _set(facts: Facts, draft: Draft, attempt_id: str, known: list[Intervention] | None) -> None:
    latest = _latest(draft, attempt_id)
    if latest is not None:
        draft.rollout = latest.model_copy(update={"interventions": known})
        if not any(e.attempt_id == attempt_id for e in draft.history):
            draft.enter(entry(facts, draft, draft.rollout))
    draft.history = tuple(_with(e, known) if e.attempt_id == attempt_id else e for e in draft.history)


def _with(one: HistoryEntry, known: list[Intervention] | None) -> HistoryEntry:
    return one.model_copy(update={"interventions": known})
