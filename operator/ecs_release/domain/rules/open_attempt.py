"""An attempt that is under way: carried on from intent to intent, followed, aborted, or ended because something else is wanted."""

from __future__ import annotations

from datetime import timedelta

from ecs_release.api.conditions import Reason
from ecs_release.api.release_status import Rollout
from ecs_release.domain.artifacts import environment_tag as environment_tags
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Draft, MoveTags, Outcome, Register, Stop, Update
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.request_annotations import abort_wanted
from ecs_release.domain.decision.suspension import brake, platform_brake
from ecs_release.domain.ecs.service import COMPLETED, Service
from ecs_release.domain.model.conditions import of_problem, progressing, waiting
from ecs_release.domain.model.errors import Problem, Retryable
from ecs_release.domain.rules import protected_tasks as protection
from ecs_release.domain.rules import wanted_revision as revisions
from ecs_release.domain.rules.at_rest import braked
from ecs_release.domain.verification import deployment_stages as stages


def end_of_another(facts: Facts, draft: Draft) -> Outcome | None:
    """End an attempt for a source that is no longer asked for; an intent in doubt is cleared up first."""
    rollout, pin = draft.rollout, draft.pin
    if rollout is None or pin is None or not attempts.is_open(rollout) or attempts.covers(rollout, pin):
        return None
    if attempts.is_deployed(rollout):
        attempts.end(facts, draft, Reason.SUPERSEDED, "a newer source of this Release took its place")
        return None
    if _in_doubt(facts, draft):
        return _wait_out(facts)
    attempts.end(facts, draft, attempts.ABANDONED, "a newer source of this Release took its place before it was deployed")
    return None


def abort(facts: Facts, draft: Draft) -> Outcome | None:
    """Act on an abort: what is not deployed yet ends here, what is gets a StopServiceDeployment intent."""
    token = abort_wanted(facts, draft)
    if token is None:
        return None
    rollout = draft.rollout
    if rollout is None or not attempts.is_open(rollout):
        draft.handled_abort = token
        draft.say("Normal", "AbortIgnored", "Abort", "no attempt is under way, so there is nothing to abort")
        return None
    if _observed_only(facts) or platform_brake(facts) is not None or _in_doubt(facts, draft):
        return None
    draft.handled_abort = token
    if not attempts.is_deployed(rollout):
        attempts.end(facts, draft, attempts.ABORTED, f"aborted on request ({token}) before anything was deployed")
        return None
    draft.rollout = attempts.intend(rollout, attempts.STOP, facts)
    return Outcome(progressing(Reason.ROLLING_OUT, f"aborting on request ({token})"), again_s=0)


def carry_on(facts: Facts, draft: Draft) -> Outcome | None:
    """Act on the intent that is written. One that may have been carried out already is looked into first (law 6)."""
    rollout = draft.rollout
    intended = attempts.intends(rollout)
    if rollout is None or not intended:
        return None
    stopping = intended in (attempts.STOP, attempts.RETURN)
    on = platform_brake(facts) if stopping and not _observed_only(facts) else brake(facts)
    if on is not None:
        return braked(facts, draft, on)
    if _in_doubt(facts, draft):
        return _wait_out(facts)
    if intended == attempts.STOP:
        return _stop(facts, draft, rollout)
    if intended == attempts.RETURN:
        return _return(facts, draft, rollout)
    return _register_or_update(facts, draft, rollout, intended)


def _stop(facts: Facts, draft: Draft, rollout: Rollout) -> Outcome | None:
    if stages.rolls_back(facts.explained):
        # ECS would refuse, and to deploy the former revision instead would come in its way.
        attempts.end(facts, draft, attempts.ABORTED, f"aborted on request: ECS rolls deployment {rollout.deployment_id} back already")
        return None
    arn = facts.explained.arn if facts.explained else rollout.service_deployment_arn or ""
    return Outcome(progressing(Reason.ROLLING_OUT, "asking ECS to roll back"), Stop(arn))


def _return(facts: Facts, draft: Draft, rollout: Rollout) -> Outcome | None:
    back = rollout.rollback_target or ""
    assert facts.service is not None
    if not back or facts.service.task_definition == back:
        attempts.end(facts, draft, attempts.ABORTED, "aborted on request; the former revision is in place")
        return None
    return Outcome(progressing(Reason.ROLLING_OUT, f"going back to {back.rpartition('/')[2]}"), Update(back))


def _register_or_update(facts: Facts, draft: Draft, rollout: Rollout, intended: str) -> Outcome | None:
    service = facts.service
    assert service is not None
    before = set(rollout.intent.deployments or ()) if rollout.intent else set()
    if service.primary is not None and service.primary.id not in before:
        # The revision was built on a base that is no longer the service's: to deploy it would undo somebody's change.
        attempts.end(facts, draft, attempts.ABANDONED, f"deployment {service.primary.id} was started by somebody else meanwhile")
        return None
    if intended == attempts.UPDATE:
        return _update(facts, draft, rollout, service)
    if facts.start_problem is not None:
        return Outcome(of_problem(facts.start_problem))
    if intended == attempts.PUT:
        return _move(facts, draft, rollout)
    try:
        register: Register = revisions.wanted_revision(facts, draft, rollout)
    except Problem as problem:
        return Outcome(of_problem(problem))
    return Outcome(progressing(Reason.ROLLING_OUT, "registering a task definition"), register)


def _update(facts: Facts, draft: Draft, rollout: Rollout, service: Service) -> Outcome | None:
    """Point the service at the attempt's revision; one that it has already must be forced."""
    assert facts.target is not None
    revision = rollout.task_definition or ""
    if facts.revision_gone:
        attempts.end(facts, draft, attempts.ABANDONED, f"{revision.rpartition('/')[2]} was deregistered before it was deployed")
        return None
    forced = environment_tags.uses(facts.target) or service.task_definition == revision
    return Outcome(progressing(Reason.ROLLING_OUT, f"deploying {revision.rpartition('/')[2]}"), Update(revision, forced))


def _move(facts: Facts, draft: Draft, rollout: Rollout) -> Outcome | None:
    """Move the environment's tag; where it is there already, go on to the deployment."""
    target, pin = facts.target, draft.pin
    assert target is not None and pin is not None and facts.service is not None
    problem = facts.tags_problem or environment_tags.disagreement(target, pin, facts.sharers)
    if problem is not None or facts.tags is None:
        return Outcome(of_problem(problem or Retryable("the environment's tag could not be read")), again_s=facts.limits.retry_s)
    moves = environment_tags.moves(target, pin, facts.tags)
    if moves:
        return Outcome(progressing(Reason.ROLLING_OUT, f"moving tag {target.environment_tag}"), MoveTags(moves))
    draft.rollout = attempts.intend_forced(rollout, facts)
    return Outcome(progressing(Reason.ROLLING_OUT, f"tag {target.environment_tag} is moved; forcing a deployment"), again_s=0)


def in_flight(facts: Facts, draft: Draft) -> Outcome | None:
    """Say how far the attempt is; look again when its deadline passes, if nothing is seen before."""
    rollout = draft.rollout
    if rollout is None or not attempts.is_open(rollout) or not attempts.is_deployed(rollout):
        return None
    reason = Reason.VERIFYING if rollout.stage == COMPLETED else Reason.ROLLING_OUT
    message = rollout.message or "the deployment has begun"
    situation = waiting(Reason.AWAITING_HOOK, message) if rollout.awaiting else progressing(reason, message)
    return Outcome(situation, again_s=max(0.5, _again_s(facts, draft, rollout)))


def _again_s(facts: Facts, draft: Draft, rollout: Rollout) -> float:
    """Return when time alone may change what is said: at the deadline, or when it is worth asking what holds the rollout."""
    if draft.waits:
        return facts.deadline.total_seconds()
    deadline = draft.left_s
    if deadline is None:
        deadline = (attempts.moved(facts, rollout) + facts.deadline - facts.now).total_seconds()
    asked = protection.due_in_s(facts, rollout)
    if asked is None:
        return deadline
    return min(deadline, asked if asked > 0 else protection.EVERY_S)


def _observed_only(facts: Facts) -> bool:
    return facts.environment is not None and facts.environment.spec.mode == "Observe"


def _in_doubt(facts: Facts, draft: Draft) -> bool:
    """Tell whether an intent may have been carried out without our knowing, and reads may still lag behind it."""
    doubt, look = facts.doubt, facts.look
    if doubt is None or look is None or not attempts.intends(draft.rollout):
        return False
    return look.seen_time < doubt.since + timedelta(seconds=facts.limits.read_lag_s)


def _wait_out(facts: Facts) -> Outcome:
    assert facts.doubt is not None
    left = facts.doubt.since + timedelta(seconds=facts.limits.read_lag_s) - facts.now
    message = "looking whether the last call to ECS was carried out, before it is repeated"
    return Outcome(progressing(Reason.ROLLING_OUT, message), again_s=max(0.2, left.total_seconds()))
