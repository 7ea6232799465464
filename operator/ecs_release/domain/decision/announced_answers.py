"""What became of an announced answer to a lifecycle hook: by what ECS says of that hook, while the deployment is under way and at its end.

ECS does not say who has answered a hook. So an answer counts as accepted only if it may have been sent, and its hook shows what it asks
for; it is withdrawn if it was never sent, or its hook shows something else. What is not to be seen stays announced: it is not known.
"""

from __future__ import annotations

from ecs_release.api.hook_status import Intervention
from ecs_release.api.names import CONTINUE_ANNOTATION
from ecs_release.api.release_status import Rollout
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.history_entry import entry
from ecs_release.domain.decision.request_annotations import refuse_one
from ecs_release.domain.ecs import interventions
from ecs_release.domain.ecs.service import Hook, ServiceDeployment
from ecs_release.domain.verification import deployment_stages

_TAKEN_BACK = "the deployment is being taken back"


def settle(facts: Facts, draft: Draft, why: str, *, taken_back: bool = False) -> None:
    """Accept or withdraw what is announced: nothing is sent any more, and `why` says so.

    `taken_back`: the call that takes the deployment back is announced. Doubt is about that call then, and an answer that is announced still
    may have been sent (`settle_before_abort`). A hook that has failed may have failed by the call that is in doubt, and not by the answer.
    """
    seen, announced = facts.diagnostics.service_deployment, _announced(draft)
    hook_id = announced.hook_id or "" if announced is not None else ""
    if announced is None or seen is None or _hook(seen, hook_id) is None:
        return
    became, in_doubt = what_became(seen, hook_id), facts.tracking.doubt is not None
    if not became and not in_doubt and not taken_back:
        withdraw(facts, draft, f"{why}, and it was not sent")
    elif not became and not taken_back and unclear_s(facts) <= 0:
        withdraw(facts, draft, f"{why}, and it did not reach hook {hook_id}, which waits still")
    elif became and (in_doubt or taken_back) and has_taken_effect(seen, hook_id, announced.action):
        if announced.action == interventions.CONTINUE or not (taken_back and in_doubt):
            accept(facts, draft)
    elif became:
        withdraw(facts, draft, became)


def settle_before_abort(facts: Facts, draft: Draft) -> None:
    """Settle what is announced before the call of an abort is: what stays may have been sent, for all else is withdrawn."""
    settle(facts, draft, _TAKEN_BACK)
    if _announced(draft) is not None and facts.tracking.doubt is None:
        withdraw(facts, draft, f"{_TAKEN_BACK}, and it was not sent")


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


def has_taken_effect(seen: ServiceDeployment, hook_id: str, action: str) -> bool:
    """Return whether ECS did what an answer asks for.

    A PAUSE hook SUCCEEDED by CONTINUE, and FAILED by ROLLBACK (Amazon ECS developer guide, "Amazon ECS service deployment hook state
    change events"). ECS may roll back before it shows that; a hook that went on, or timed out, had no such answer.
    """
    hook = _hook(seen, hook_id)
    status = hook.status if hook is not None else ""
    if action == interventions.CONTINUE:
        return status == "SUCCEEDED"
    return status == "FAILED" or (status not in ("SUCCEEDED", "TIMED_OUT") and deployment_stages.is_rolling_back(seen))


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


def withdraw(facts: Facts, draft: Draft, why: str) -> None:
    """Take an announced answer back that AWS was not given, or has refused."""
    rollout, announced = draft.rollout, _announced(draft)
    assert rollout is not None and announced is not None
    known = interventions.replaced(rollout.interventions, announced, None)
    put(facts, draft, rollout.model_copy(update={"interventions": known}))
    refuse_one(draft, CONTINUE_ANNOTATION, draft.handled_continue or "", why)


def put(facts: Facts, draft: Draft, rollout: Rollout) -> None:
    """Put an attempt with other interventions into the draft, and into its history."""
    draft.rollout = rollout
    draft.enter(entry(facts, draft, rollout))


def _announced(draft: Draft) -> Intervention | None:
    return interventions.announced(draft.rollout.interventions) if draft.rollout is not None else None


def _hook(seen: ServiceDeployment, hook_id: str) -> Hook | None:
    return next((h for h in seen.hooks if h.id == hook_id), None)
