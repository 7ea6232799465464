"""What an act on AWS means for the status, once it is done."""

from __future__ import annotations

from ecs_release.api.conditions import Reason
from ecs_release.domain.artifacts.environment_tag import RETURNED
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Decision, Draft, Outcome
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.model.conditions import Situation, of_problem, progressing, stalled
from ecs_release.domain.model.errors import Ambiguous, Problem, Retryable
from ecs_release.domain.release.status import report


def registered(facts: Facts, task_definition: str) -> Decision:
    """A revision was registered: intend to point the service at it."""
    draft = Draft.of(facts.status)
    assert draft.rollout is not None
    draft.rollout = attempts.intend_update(draft.rollout, task_definition, facts)
    return report(facts, draft, Outcome(_rolling(f"deploying {task_definition.rpartition('/')[2]}"), again_s=0))


def tags_moved(facts: Facts) -> Decision:
    """The environment's tag was moved: intend to force a deployment."""
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
    draft.say("Normal", "TagReturned", "RollBack", f"the environment's tag went back after {rollout.outcome}")
    return report(facts, draft, Outcome(stalled(rollout.outcome or "", rollout.message or ""), again_s=0))


def updated(facts: Facts, deployment_id: str, request_id: str = "") -> Decision:
    """UpdateService was accepted (`request_id` is AWS's): the PRIMARY deployment that it answered is ours, or ends an aborted attempt."""
    draft = Draft.of(facts.status)
    if attempts.intends(draft.rollout) == attempts.RETURN:
        return _aborted(facts, draft, f"aborted on request: went back to {_name(draft)} by deployment {deployment_id}")
    attempts.started(facts, draft, deployment_id, request_id)
    return report(facts, draft, Outcome(_rolling(f"deployment {deployment_id} has begun"), again_s=0))


def stopped(facts: Facts, *, rolls_back: bool) -> Decision:
    """ECS was asked to roll a deployment back; where it does not, the former revision is deployed again."""
    draft = Draft.of(facts.status)
    rollout = draft.rollout
    assert rollout is not None
    if rolls_back:
        return _aborted(facts, draft, f"aborted on request: ECS rolls deployment {rollout.deployment_id} back")
    if not rollout.rollback_target or rollout.rollback_target == rollout.task_definition:
        return _aborted(facts, draft, "aborted on request: there is no former revision to go back to, so the deployment goes on")
    draft.rollout = attempts.intend(rollout, attempts.RETURN, facts)
    return report(facts, draft, Outcome(_rolling(f"going back to {_name(draft)}"), again_s=0))


def failed(facts: Facts, problem: Problem) -> Decision:
    """AWS refused the act, or its answer was lost: the intent stands, and is looked into or tried again."""
    draft = Draft.of(facts.status)
    again = facts.limits.retry_s if isinstance(problem, Retryable) else None
    if isinstance(problem, Ambiguous):
        again = min(facts.limits.retry_s, facts.limits.read_lag_s)
    return report(facts, draft, Outcome(of_problem(problem), again_s=again))


def _aborted(facts: Facts, draft: Draft, message: str) -> Decision:
    attempts.end(facts, draft, attempts.ABORTED, message)
    return report(facts, draft, Outcome(Situation("False", False, True, Reason.ABORTED, message), again_s=0))


def _rolling(message: str) -> Situation:
    return progressing(Reason.ROLLING_OUT, message)


def _name(draft: Draft) -> str:
    return (draft.rollout.rollback_target or "").rpartition("/")[2] if draft.rollout else ""
