"""Answers to lifecycle hooks: annotation continue has ECS go on, or back, at the one hook that it names.

What holds, whatever crashes or is lost on the way:

- An answer reaches no other hook than the one that it names, of the attempt's own deployment, while ECS says that it awaits action. Each
  step of a deployment, and each deployment, has hooks of its own: an answer to one that is over is refused, with what became of it.
- It is in status, with who and why, before it is sent; it is sent again only after a look, later than reads may lag, at a hook that waits.
- A request is answered once: accepted by AWS, or refused with the reason. One that was refused is not carried out later, when a suspension
  has ended or a right was given: what it was about may be another thing by then.
- It decides no verdict: how the attempt ends is judged by what ECS does. What is announced then is settled with it (`attempts.end`).
"""

from __future__ import annotations

from ecs_release.api.conditions import Reason
from ecs_release.api.hook_status import Intervention
from ecs_release.api.names import CONTINUE_ANNOTATION
from ecs_release.api.release_status import Rollout
from ecs_release.domain.decision import announced_answers, attempts
from ecs_release.domain.decision.decision import Changed, Continue, Draft, Outcome, RuleResult
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.request_annotations import (
    HOOK_REQUEST_FORM,
    HookRequest,
    hook_answer_requested,
    hook_request,
    refuse_one,
)
from ecs_release.domain.decision.suspension import environment_suspension, spread, suspension_of
from ecs_release.domain.ecs import interventions
from ecs_release.domain.model.applied_by import applied_by
from ecs_release.domain.model.conditions import waiting
from ecs_release.domain.verification import deployment_stages


def answer_hook(facts: Facts, draft: Draft) -> RuleResult:
    """Carry out the answer that status announces; else announce the one that is asked for, or refuse it."""
    rollout = draft.rollout
    announced = interventions.announced(rollout.interventions) if rollout is not None and attempts.is_open(rollout) else None
    # Where the deployment is being taken back, the end of the attempt settles what was announced.
    if rollout is not None and announced is not None and not attempts.intended_action(rollout):
        return _carry_out(facts, draft, rollout, announced)
    value = hook_answer_requested(facts.release.metadata, draft)
    if value is None:
        return None
    asked = hook_request(value)
    refusal = HOOK_REQUEST_FORM if asked is None else _refusal(facts, draft, asked)
    if asked is None or refusal:
        refuse_one(draft, CONTINUE_ANNOTATION, value, refusal)
        return Changed("an answer to a lifecycle hook is refused")
    draft.handled_continue = value
    return _announce(facts, draft, asked)


def _announce(facts: Facts, draft: Draft, asked: HookRequest) -> Outcome:
    rollout, seen = draft.rollout, facts.diagnostics.service_deployment
    assert rollout is not None and seen is not None
    new = Intervention(
        action=asked.action,
        cause=interventions.REQUESTED,
        hook_id=asked.hook_id,
        stage=seen.stage or None,
        applied_by=applied_by(facts.release.metadata),
        reason=asked.reason or None,
        time=facts.now,
    )
    announced_answers.put(facts, draft, rollout.model_copy(update={"interventions": interventions.added(rollout.interventions, new)}))
    return Outcome(waiting(Reason.AWAITING_HOOK, f"answering hook {asked.hook_id}: {interventions.described(new)}"), again_s=0)


def _refusal(facts: Facts, draft: Draft, asked: HookRequest) -> str:
    """Return why a hook is not to be answered: an empty string if it is."""
    rollout, seen = draft.rollout, facts.diagnostics.service_deployment
    if attempts.intended_action(rollout) and attempts.is_deployed(rollout):
        return announced_answers.TAKEN_BACK
    answered = _former_answer(draft, asked.hook_id)
    if answered:
        return f"hook {asked.hook_id} was answered: {answered}"
    if rollout is None or not attempts.is_open(rollout) or not attempts.is_deployed(rollout):
        return "no deployment of this Release is under way, so no hook waits"
    if seen is None:
        return "ECS does not tell which hooks wait: see the role's right to ecs:DescribeServiceDeployments, or ask again"
    primary = facts.service.primary if facts.service else None
    if primary is None or primary.id != rollout.deployment_id:
        return f"deployment {rollout.deployment_id} is no longer PRIMARY"
    return announced_answers.what_became(seen, asked.hook_id) or _suspended(facts, asked.action)


def _former_answer(draft: Draft, hook_id: str) -> str:
    """Return who has answered a hook already, in this attempt or an earlier one; empty if that is not known."""
    known = [draft.rollout.interventions if draft.rollout else None, *(e.interventions for e in draft.history)]
    found = next((i for one in known if (i := interventions.of_hook(one, hook_id)) is not None), None)
    if found is None:
        return ""
    unknown = ", or not: it is not known what became of that" if interventions.is_announced(found) else ""
    return f"{interventions.described(found)}{unknown}"


def _suspended(facts: Facts, action: str) -> str:
    """Return what keeps an answer from being given, on purpose; empty if nothing does. To go back is held up by the platform team alone."""
    if action == interventions.CONTINUE:
        found = suspension_of(facts)
    else:
        found = environment_suspension(facts.place.environment, facts.now, spread(facts))
    return f"{found.message}: ask again when that has ended" if found is not None else ""


def _carry_out(facts: Facts, draft: Draft, rollout: Rollout, announced: Intervention) -> RuleResult:
    """Send an answer, unless it was sent already and has taken effect, or the hook no longer waits."""
    seen, hook_id = facts.diagnostics.service_deployment, announced.hook_id or ""
    if seen is None:
        # Nothing is sent to a hook that was not seen waiting; the next look may show it.
        return None
    became = announced_answers.what_became(seen, hook_id)
    in_doubt = bool(became) and facts.tracking.doubt is not None
    effect = announced_answers.has_taken_effect(seen, announced, rollout.interventions) if in_doubt else False
    if effect:
        announced_answers.accept(facts, draft)
        return Changed("a hook was answered by a call whose answer was lost")
    if effect is None and deployment_stages.has_ended(seen):
        # The end of the attempt settles it.
        return None
    if (not became or effect is None) and (left_s := announced_answers.unclear_s(facts)) > 0:
        message = f"looking whether hook {hook_id} was answered, before that is repeated"
        return Outcome(waiting(Reason.AWAITING_HOOK, message), again_s=max(0.2, left_s))
    became = became or _suspended(facts, announced.action)
    if not became:
        text = f"answering hook {hook_id}: {interventions.described(announced)}"
        return Outcome(waiting(Reason.AWAITING_HOOK, text), Continue(seen.arn, hook_id, announced.action))
    so = "nothing is changed" if effect is not None else "it is not known whether it was carried out"
    announced_answers.withdraw(facts, draft, became, so)
    return Changed("an announced answer to a lifecycle hook is withdrawn")
