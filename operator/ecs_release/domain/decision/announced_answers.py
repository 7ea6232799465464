"""What became of an announced answer to a lifecycle hook: by what ECS says of that hook, while the deployment is under way and at its end.

ECS does not say who has answered a hook. So an answer counts as accepted only if it may have been sent, and its hook shows what it asks
for; it is withdrawn if it was not sent, or its hook shows something else. What is not to be seen, or may have another cause, is not known:
it stays announced as the attempt ends, and is given up before that only if its hook is not listed any more.
"""

from __future__ import annotations

from collections.abc import Iterable

from ecs_release.api.hook_status import Intervention
from ecs_release.api.names import CONTINUE_ANNOTATION
from ecs_release.api.release_status import Rollout
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.history_entry import entry
from ecs_release.domain.decision.request_annotations import hook_request, refuse_one
from ecs_release.domain.ecs import interventions
from ecs_release.domain.ecs.service import Hook, ServiceDeployment
from ecs_release.domain.verification import deployment_stages

TAKEN_BACK = "the deployment is being taken back"


def settle(facts: Facts, draft: Draft, why: str, *, taken_back: bool = False, stopped: bool = False) -> None:
    """Accept or withdraw what is announced: nothing is sent any more, and `why` says so.

    `taken_back`: the call that takes the deployment back is announced. Doubt is about that call then, and an answer that is announced still
    may have been sent: all else was withdrawn before that call was announced. A hook that has failed may have failed by the call that is
    in doubt, or by one that was accepted if the deployment was `stopped`, and not by the answer.
    """
    rollout, seen, announced = draft.rollout, facts.diagnostics.service_deployment, _announced(draft)
    if rollout is None or announced is None:
        return
    hook_id, in_doubt = announced.hook_id or "", facts.tracking.doubt is not None
    became = what_became(seen, hook_id) if seen is not None else ""
    if not in_doubt and not taken_back:
        is_seen = seen is not None and _hook(seen, hook_id) is not None
        withdraw(facts, draft, became if became and is_seen else f"{why}, and it was not sent")
    elif seen is None:
        return
    elif not became and not taken_back and unclear_s(facts) <= 0:
        withdraw(facts, draft, f"{why}, and it did not reach hook {hook_id}, which waits still")
    elif became and (effect := has_taken_effect(seen, announced, rollout.interventions)) is not None:
        by_us = stopped or (taken_back and in_doubt)
        if not effect:
            withdraw(facts, draft, became)
        elif announced.action == interventions.CONTINUE or not by_us:
            accept(facts, draft)


def unclear_s(facts: Facts) -> float:
    """Return for how many seconds looks may still not show what a call in doubt has done."""
    doubt = facts.tracking.doubt
    return (doubt.since - facts.now).total_seconds() + facts.limits.visible_s if doubt is not None else 0.0


def what_became(seen: ServiceDeployment, hook_id: str) -> str:
    """Return what has become of a hook that does not wait; an empty string if it waits."""
    hook, waits = _hook(seen, hook_id), deployment_stages.open_hooks(seen)
    if hook is not None and hook in waits:
        return ""
    others = f"; what waits is hook {', '.join(h.id for h in waits)} at {seen.stage}" if waits else "; no hook waits"
    if hook is None:
        return f"the deployment has no hook {hook_id}{others}"
    if hook.status == deployment_stages.AWAITING_ACTION:
        return f"the deployment is over: ECS says {seen.status}"
    return f"hook {hook_id} no longer waits, it has {hook.status}{others}"


def has_taken_effect(seen: ServiceDeployment, answer: Intervention, known: Iterable[Intervention] | None) -> bool | None:
    """Return whether ECS did what an answer asks for; None if that is not to be seen, or has another cause that is `known`.

    A PAUSE hook SUCCEEDED by CONTINUE, and FAILED by ROLLBACK (Amazon ECS developer guide, "Amazon ECS service deployment hook state
    change events"). ECS may roll back before it shows that; a hook that went on, or timed out, had no such answer. What waits at another
    hook may have been answered there, and then all that wait end.
    """
    hook = _hook(seen, answer.hook_id or "")
    if hook is None:
        return None
    if answer.action == interventions.CONTINUE:
        return hook.status == "SUCCEEDED"
    rolls_back = hook.status not in ("SUCCEEDED", "TIMED_OUT") and deployment_stages.is_rolling_back(seen)
    if not rolls_back and hook.status != "FAILED":
        return False
    others = any(h.id != hook.id and not deployment_stages.went_on(h) for h in seen.hooks)
    return None if others or deployment_stages.may_fail_hooks(seen) or interventions.was_stopped(known) else True


def accept(facts: Facts, draft: Draft) -> None:
    """Record that AWS has accepted the announced answer. Its hook does not wait any more, whatever looks that lag behind may show."""
    rollout, announced = draft.rollout, _announced(draft)
    assert rollout is not None and announced is not None
    done = announced.model_copy(update={"accepted_time": facts.now})
    known = interventions.replaced(rollout.interventions, announced, done)
    left = [h for h in rollout.hooks or () if h.id != announced.hook_id]
    waits = {"hooks": left or None, "awaiting": rollout.awaiting if left else None}
    put(facts, draft, rollout.model_copy(update={"interventions": known, **waits}))
    draft.event("Normal", "HookAnswered", "Continue", f"hook {done.hook_id} at {done.stage}: {interventions.described(done)}")


def withdraw(facts: Facts, draft: Draft, why: str, so: str = "nothing is changed") -> None:
    """Take an announced answer back that AWS was not given, or has refused; `so` is what that means."""
    rollout, announced = draft.rollout, _announced(draft)
    assert rollout is not None and announced is not None
    known = interventions.replaced(rollout.interventions, announced, None)
    put(facts, draft, rollout.model_copy(update={"interventions": known}))
    asked = hook_request(draft.handled_continue or "")
    if asked is not None and (asked.hook_id, asked.action) == (announced.hook_id, announced.action):
        refuse_one(draft, CONTINUE_ANNOTATION, draft.handled_continue or "", why, so)
    else:
        # Another request was answered since: it keeps its own answer in status.
        draft.event("Warning", "RequestRefused", "Refuse", f"{announced.action} of hook {announced.hook_id} is refused, and {so}: {why}")


def put(facts: Facts, draft: Draft, rollout: Rollout) -> None:
    """Put an attempt with other interventions into the draft, and into its history."""
    draft.rollout = rollout
    draft.enter(entry(facts, draft, rollout))


def _announced(draft: Draft) -> Intervention | None:
    return interventions.announced(draft.rollout.interventions) if draft.rollout is not None else None


def _hook(seen: ServiceDeployment, hook_id: str) -> Hook | None:
    return next((h for h in seen.hooks if h.id == hook_id), None)
