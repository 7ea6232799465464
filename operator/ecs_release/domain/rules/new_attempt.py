"""Whether an attempt is due, and whether it may begin now."""

from __future__ import annotations

from dataclasses import replace

from ecs_release.api.conditions import Reason
from ecs_release.api.release_status import Pin
from ecs_release.domain.artifacts import environment_tag as environment_tags
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Draft, Outcome
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.plan import plan
from ecs_release.domain.decision.request_annotations import retry_wanted
from ecs_release.domain.decision.suspension import brake
from ecs_release.domain.drift import base_revision as bases
from ecs_release.domain.drift import drift
from ecs_release.domain.ecs.service import COMPLETED, Deployment, Service
from ecs_release.domain.model.conditions import of_problem, progressing, waiting
from ecs_release.domain.model.errors import Problem, Retryable
from ecs_release.domain.retention import image_availability as availability
from ecs_release.domain.rules import wanted_revision as revisions
from ecs_release.domain.rules import window_passage as gate
from ecs_release.domain.rules.at_rest import braked, is_moving, runs_wanted
from ecs_release.domain.verification import deployment_stages as stages
from ecs_release.domain.verification.proof import Match

ROLLBACK = "Rollback"


def start(facts: Facts, draft: Draft) -> Outcome | None:
    """Begin an attempt where this pin has had none, or a retry asks for one; adopt what runs already."""
    pin, service = draft.pin, facts.service
    assert pin is not None and service is not None
    retry = retry_wanted(facts, draft)
    due = not attempts.settled(draft, pin)
    unasked = _unasked(facts, draft, pin, service)
    if not due and retry is None and not unasked:
        gate.acknowledge_override(facts, draft)
        return None
    cause = _cause(facts, retry) if due or retry is not None else unasked
    rebuilds = cause == bases.CAUSE or (retry is not None and bases.follows_latest(facts) and bases.newer_base(facts) is not None)
    if not rebuilds and _runs_already(facts, pin) and not is_moving(service) and not _strays(facts, pin):
        if due:
            attempts.adopt(facts, draft, pin, ROLLBACK if facts.reverting else attempts.ADOPTED)
        if retry is not None:
            draft.handled_retry = retry
            draft.say("Normal", "RetryIgnored", "Retry", "the wanted images run already, so there is nothing to retry")
        gate.acknowledge_override(facts, draft)
        return None
    on = brake(facts)
    if on is not None:
        return replace(braked(facts, draft, on), again_s=_ask_again_s(facts, cause))
    way = gate.passage(facts, draft, pin, rebuilds=rebuilds, corrects=cause == drift.CAUSE)
    if way.closed is not None and not way.is_open:
        message = drift.waits(facts, service, pin, gate.waits(way.closed)) if cause == drift.CAUSE else gate.waits(way.closed)
        gate.acknowledge_override(facts, draft)
        draft.plan, draft.closed_window = plan(facts, pin, message), way.closed
        return Outcome(waiting(Reason.AWAITING_WINDOW, message), again_s=gate.seconds_left(facts, way.closed))
    other = foreign_deployment(facts, draft, service)
    if other is not None:
        draft.waits = stages.waits(facts.foreign)
        message = f"deployment {other.id} of {other.task_definition.rpartition('/')[2]} is under way: waiting until it settles"
        told = stages.told(facts.foreign)
        draft.plan = plan(facts, pin, message)
        left_s = facts.deadline.total_seconds() if draft.waits else _left_s(facts, service, other)
        return Outcome(waiting(Reason.AWAITING_STEADY, f"{message} ({told})" if told else message), again_s=max(1.0, left_s))
    return _begin(facts, draft, pin, retry, way, cause)


def _ask_again_s(facts: Facts, cause: str) -> float | None:
    """Return when to look again where a brake holds an attempt: nobody tells a Release that its set holds a correction no longer."""
    return drift.ASK_AGAIN_S if facts.hold is not None and cause == drift.CAUSE else None


def _unasked(facts: Facts, draft: Draft, pin: Pin, service: Service) -> str:
    """Name the cause of an attempt that nobody asked for: drift that is to be corrected, or a newer base; an empty string where none is."""
    found = runs_wanted(facts, pin)
    drift.note(facts, draft, pin, found)
    if drift.must_correct(facts, draft):
        return drift.CAUSE
    # What has drifted is corrected on its own terms, the newer base with it.
    follows = found is not Match.NO and bases.must_follow(facts, draft, pin) and not is_moving(service)
    return bases.CAUSE if follows else ""


def may_begin(facts: Facts) -> bool:
    """Tell whether an attempt may begin in this very pass: one is asked for, and nobody keeps it from beginning."""
    pin, status = facts.pin, facts.status
    if pin is None or attempts.is_open(status.rollout) or brake(facts) is not None:
        return False
    draft = Draft.of(status)
    if attempts.is_settled(status, pin) and retry_wanted(facts, draft) is None:
        return False
    try:
        return gate.passage(facts, draft, pin).is_open
    except Problem:
        return False


def _begin(facts: Facts, draft: Draft, pin: Pin, retry: str | None, way: gate.Passage, cause: str) -> Outcome:
    before = (draft.rollout, draft.history)
    problem = _try_to_begin(facts, draft, pin, cause, way.right)
    if problem is not None:
        draft.rollout, draft.history = before
        draft.plan = plan(facts, pin, problem.message)
        again = facts.limits.retry_s if isinstance(problem, Retryable) else None
        return Outcome(of_problem(problem), again_s=again)
    draft.drift = None
    if cause == drift.CAUSE and facts.service is not None:
        draft.say("Normal", "CorrectingDrift", "Deploy", f"{drift.what(facts, facts.service, pin)}: deploying the wanted images again")
    if retry is not None:
        draft.handled_retry = retry
    if way.right:
        draft.say("Warning" if way.override else "Normal", "WindowPassed", "Deploy", f"closed window {way.right}")
    if way.override:
        draft.handled_override = way.override
    else:
        gate.acknowledge_override(facts, draft)
    why = facts.service and no_rollback(facts.service)
    if why:
        draft.say("Warning", "NoRollback", "Deploy", f"ECS will not roll this deployment back if it fails: {why}")
    assert facts.target is not None
    what = {
        attempts.PUT: f"moving tag {facts.target.environment_tag}",
        attempts.UPDATE: f"deploying {(draft.rollout.task_definition or '').rpartition('/')[2] if draft.rollout else ''} again",
    }.get(attempts.intends(draft.rollout), "registering a task definition")
    return Outcome(progressing(Reason.ROLLING_OUT, what), again_s=0)


def _try_to_begin(facts: Facts, draft: Draft, pin: Pin, cause: str, window: str) -> Problem | None:
    """Begin an attempt, or say why none can begin: what is refused is refused before anything moves."""
    target = facts.target
    assert target is not None
    problem = facts.start_problem or availability.refusal(facts, pin)
    if problem is None and environment_tags.uses(target):
        problem = environment_tags.disagreement(target, pin, facts.sharers)
    if problem is not None:
        return problem
    attempts.begin(facts, draft, pin, cause, window)
    assert draft.rollout is not None
    try:
        if not environment_tags.uses(target):
            wanted = revisions.wanted_revision(facts, draft, draft.rollout)
            again = revisions.reusable(facts, wanted, draft.rollout)
            if again is not None:
                draft.rollout = attempts.intend_update(draft.rollout, again.arn, facts)
    except Problem as found:
        return found
    return None


def _strays(facts: Facts, pin: Pin) -> bool:
    """Tell whether the environment's tag points elsewhere than to what runs."""
    target = facts.target
    return target is not None and facts.tags is not None and bool(environment_tags.strays(target, pin, facts.tags))


def _cause(facts: Facts, retry: str | None) -> str:
    """Name why an attempt is made: its ReleaseSet takes the service back, a retry was asked for, or the source is new."""
    if facts.reverting:
        return ROLLBACK
    return "Retry" if retry is not None else "Requested"


def no_rollback(service: Service) -> str:
    """Say why ECS would not roll a failing deployment of a service back; an empty string where it would.

    It returns to the last completed deployment only (Amazon ECS developer guide, "How the deployment circuit breaker detects failures").
    """
    if not service.circuit_breaker:
        return "the service has no deployment circuit breaker, so that only the progress deadline ends a crash loop"
    if not service.rollback:
        return "its circuit breaker does not roll back"
    if service.primary is not None and service.primary.rollout_state not in (None, COMPLETED):
        return "its present deployment was never completed, so that there is nothing to return to"
    return ""


def _runs_already(facts: Facts, pin: Pin) -> bool:
    found = runs_wanted(facts, pin)
    nothing_wanted = facts.service is not None and facts.service.desired == 0
    return found is Match.YES or (found is Match.NOTHING_RUNS and nothing_wanted)


def _left_s(facts: Facts, service: Service, other: Deployment) -> float:
    """Return for how many seconds somebody else's deployment is waited for yet: what ECS waits on purpose does not count against it."""
    since = other.created_at
    if service.has_stages and facts.patient_from is not None:
        since = max(since, facts.patient_from)
    return (since + facts.deadline - facts.now).total_seconds() + stages.planned_s(service)


def foreign_deployment(facts: Facts, draft: Draft, service: Service) -> Deployment | None:
    """Return a deployment under way that is not our latest attempt's: ECS's own rollback, or somebody's.

    One that has been under way for longer than the progress deadline and its bake times is not waited for any more.
    """
    primary = service.primary
    if primary is None or not is_moving(service):
        return None
    # Only the latest attempt's: ECS rolls back to an earlier deployment by its own id, which may be one of ours, too.
    own = draft.rollout.deployment_id if draft.rollout else None
    if primary.id == own:
        return None
    if not stages.waits(facts.foreign) and _left_s(facts, service, primary) <= 0:
        return None
    return primary
