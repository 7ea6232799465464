"""What a response from AWS means for the status."""

from __future__ import annotations

from ecs_release.api.conditions import Reason
from ecs_release.domain.artifacts.environment_tag import RETURNED
from ecs_release.domain.decision import announced_answers, attempts
from ecs_release.domain.decision.decision import Decision, Draft, Outcome
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.request_annotations import aborted_text
from ecs_release.domain.model.conditions import Situation, progressing, situation_of_problem, stalled
from ecs_release.domain.model.errors import Ambiguous, Blocked, Problem
from ecs_release.domain.release.status import report


def registered(facts: Facts, task_definition: str) -> Decision:
    """A revision was registered: announce that the service is pointed at it."""
    draft = Draft.of(facts.status)
    assert draft.rollout is not None
    draft.rollout = attempts.intend_update(draft.rollout, task_definition, facts)
    return report(facts, draft, Outcome(_rolling(f"deploying {task_definition.rpartition('/')[2]}"), again_s=0))


def tags_moved(facts: Facts) -> Decision:
    """The environment's tag was moved: announce that a deployment is forced."""
    draft = Draft.of(facts.status)
    assert draft.rollout is not None
    draft.rollout = attempts.intend_forced(draft.rollout, facts)
    return report(facts, draft, Outcome(_rolling("the tag is moved; forcing a deployment"), again_s=0))


def tags_returned(facts: Facts) -> Decision:
    """The environment's tag has gone back to where it pointed before the attempt that failed."""
    draft = Draft.of(facts.status)
    rollout = draft.rollout
    assert rollout is not None
    draft.rollout = rollout.model_copy(update={"environment_tag": RETURNED})
    draft.event("Normal", "TagReturned", "RollBack", f"the environment's tag went back after {rollout.outcome}")
    return report(facts, draft, Outcome(stalled(rollout.outcome or "", rollout.message or ""), again_s=0))


def updated(facts: Facts, deployment_id: str, request_id: str = "") -> Decision:
    """UpdateService was accepted (`request_id` is AWS's): the PRIMARY deployment that it returned is ours, or ends an aborted attempt."""
    draft = Draft.of(facts.status)
    if attempts.intended_action(draft.rollout) == attempts.RETURN:
        return _aborted(facts, draft, f"{aborted_text(draft)}: went back to {_name(draft)} by deployment {deployment_id}")
    attempts.started(facts, draft, deployment_id, request_id)
    return report(facts, draft, Outcome(_rolling(f"deployment {deployment_id} has begun"), again_s=0))


def stopped(facts: Facts, *, rolls_back: bool) -> Decision:
    """StopServiceDeployment was called: if ECS does not roll back, the former revision is deployed again."""
    draft = Draft.of(facts.status)
    rollout = draft.rollout
    assert rollout is not None
    if rolls_back:
        return _aborted(facts, draft, f"{aborted_text(draft)}: ECS rolls deployment {rollout.deployment_id} back")
    if not rollout.rollback_target or rollout.rollback_target == rollout.task_definition:
        return _aborted(facts, draft, f"{aborted_text(draft)}: there is no former revision to go back to, so the deployment goes on")
    draft.rollout = attempts.intend(rollout, attempts.RETURN)
    return report(facts, draft, Outcome(_rolling(f"going back to {_name(draft)}"), again_s=0))


def answered(facts: Facts) -> Decision:
    """ContinueServiceDeployment was accepted: ECS goes on, or back."""
    draft = Draft.of(facts.status)
    announced_answers.accept(facts, draft)
    return report(facts, draft, Outcome(_rolling("the lifecycle hook is answered"), again_s=0))


def not_answered(facts: Facts, problem: Problem) -> Decision:
    """AWS refused ContinueServiceDeployment: nothing was done, and it is not asked again."""
    draft = Draft.of(facts.status)
    announced_answers.withdraw(facts, draft, problem.message)
    return report(facts, draft, Outcome(None, again_s=0))


def lost(facts: Facts, problem: Ambiguous) -> Decision:
    """The answer to the call was lost: the intent stands, and is looked into before the call is made again."""
    again_s = min(facts.limits.retry_s, facts.limits.visible_s)
    return report(facts, Draft.of(facts.status), Outcome(situation_of_problem(problem), again_s=again_s))


def refused(facts: Facts, problem: Problem, again_s: float) -> Decision:
    """AWS refused the call: the intent stands, and the call is made again after `again_s`."""
    draft = Draft.of(facts.status)
    if isinstance(problem, Blocked) and draft.rollout is not None and not draft.rollout.outcome:
        draft.rollout = draft.rollout.model_copy(update={"refused_time": draft.rollout.refused_time or facts.now})
    return report(facts, draft, Outcome(situation_of_problem(problem), again_s=again_s))


def _aborted(facts: Facts, draft: Draft, message: str) -> Decision:
    attempts.end(facts, draft, attempts.ABORTED, message)
    return report(facts, draft, Outcome(Situation("False", False, True, Reason.ABORTED, message), again_s=0))


def _rolling(message: str) -> Situation:
    return progressing(Reason.ROLLING_OUT, message)


def _name(draft: Draft) -> str:
    return (draft.rollout.rollback_target or "").rpartition("/")[2] if draft.rollout else ""
