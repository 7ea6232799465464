"""Others' interventions: who had ECS go on with an attempt's deployment in AWS, go back or stop it. Looks find them, CloudTrail names them.

CloudTrail reports minutes later, if at all, and in no order. What it says is put where it belongs by the hook's id and the ARN of the
service deployment, never by time: with an attempt under way, or with one of the history that has ended meanwhile.
"""

from __future__ import annotations

from ecs_release.api.hook_status import Intervention
from ecs_release.api.release_status import HistoryEntry, Rollout
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.history_entry import entry
from ecs_release.domain.ecs import interventions
from ecs_release.domain.ecs.events import Instruction
from ecs_release.domain.ecs.interventions import CONTINUE, FOREIGN, ROLLBACK, STOP, TIMED_OUT
from ecs_release.domain.ecs.service import Hook

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
    rollout, seen = draft.rollout, facts.diagnostics.service_deployment
    if rollout is None or seen is None or rollout.service_deployment_arn != seen.arn or _takes_back(rollout):
        return ()
    # Where ECS gives a deployment up by itself, what waits may end as FAILED with it.
    by_itself = bool(seen.triggered_alarms) or seen.breaker == "TRIGGERED"
    ended = {"SUCCEEDED", "TIMED_OUT"} | (set() if by_itself else {"FAILED"})
    return tuple(h for h in seen.hooks if h.target_type == "PAUSE" and h.id and h.status in ended)


def _takes_back(rollout: Rollout) -> bool:
    """Return whether the operator itself takes an attempt's deployment back, or has done so: what ends with it ends by that."""
    return rollout.outcome == attempts.ABORTED or attempts.intended_action(rollout) in (attempts.STOP, attempts.RETURN)


def _add_seen(facts: Facts, draft: Draft, hook: Hook) -> None:
    rollout = draft.rollout
    assert rollout is not None
    known = rollout.interventions or []
    # What there was no room for is not entered anew at each look.
    if interventions.of_hook(known, hook.id) is not None or _was_stopped(known) or len(known) >= interventions.MOST:
        return
    before = facts.status.rollout
    stage = next((h.stage for h in (before.hooks if before else None) or () if h.id == hook.id), None)
    if hook.status == "TIMED_OUT":
        found = Intervention(action=hook.timeout_action or ROLLBACK, cause=TIMED_OUT, hook_id=hook.id, stage=stage, time=facts.now)
    else:
        found = Intervention(action=_ACTIONS[hook.status], cause=FOREIGN, hook_id=hook.id, stage=stage, time=facts.now)
    _set(facts, draft, rollout.attempt_id, interventions.added(known, found))


def _was_stopped(known: list[Intervention]) -> bool:
    """Return whether somebody has stopped the deployment: then what waited ends by that."""
    return any(i.action == STOP for i in known)


def _name(facts: Facts, draft: Draft, one: Instruction) -> None:
    """Add who gave an instruction to the attempt that it was about."""
    of = _attempt_of(draft, one.deployment)
    if of is None:
        return
    attempt_id, known = of
    by = {"changed_by": one.arn or None, "user_agent": one.user_agent or None, "time": one.time}
    if one.hook:
        there = interventions.of_hook(known, one.hook)
        if there is None and len(known) < interventions.MOST:
            new = Intervention(action=one.action, cause=FOREIGN, hook_id=one.hook, **by)
            _set(facts, draft, attempt_id, interventions.added(known, new))
        elif there is not None and there.cause == FOREIGN and not there.changed_by:
            named = there.model_copy(update={"action": one.action, **by})
            _set(facts, draft, attempt_id, interventions.replaced(known, there, named))
        return
    if any(i.action == STOP and i.time == one.time for i in known) or _was_aborted(draft, attempt_id):
        return
    # A hook that FAILED by no answer that CloudTrail has named did so because of this.
    kept = [i for i in known if not (i.cause == FOREIGN and i.action == ROLLBACK and not i.changed_by)]
    _set(facts, draft, attempt_id, interventions.added(kept, Intervention(action=STOP, cause=FOREIGN, **by)))


def _attempt_of(draft: Draft, deployment: str) -> tuple[str, list[Intervention]] | None:
    """Return the id and the interventions of the attempt whose service deployment has an ARN."""
    rollout = draft.rollout
    if rollout is not None and rollout.service_deployment_arn == deployment:
        return rollout.attempt_id, list(rollout.interventions or ())
    found = next((e for e in draft.history if e.record is not None and e.record.service_deployment_arn == deployment), None)
    return (found.attempt_id, list(found.interventions or ())) if found is not None else None


def _was_aborted(draft: Draft, attempt_id: str) -> bool:
    """Return whether the operator itself has stopped an attempt's deployment, or is about to."""
    rollout = draft.rollout
    if rollout is not None and rollout.attempt_id == attempt_id and _takes_back(rollout):
        return True
    return any(e.attempt_id == attempt_id and e.outcome == attempts.ABORTED for e in draft.history)


def _set(facts: Facts, draft: Draft, attempt_id: str, known: list[Intervention] | None) -> None:
    if draft.rollout is not None and draft.rollout.attempt_id == attempt_id:
        draft.rollout = draft.rollout.model_copy(update={"interventions": known})
        if not any(e.attempt_id == attempt_id for e in draft.history):
            draft.enter(entry(facts, draft, draft.rollout))
    draft.history = tuple(_with(e, known) if e.attempt_id == attempt_id else e for e in draft.history)


def _with(one: HistoryEntry, known: list[Intervention] | None) -> HistoryEntry:
    return one.model_copy(update={"interventions": known})
