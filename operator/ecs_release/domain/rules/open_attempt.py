"""An attempt that is under way: carried on from intent to intent, aborted, or ended because something else is wanted."""

from __future__ import annotations

from datetime import timedelta

from ecs_release.api.conditions import Reason
from ecs_release.api.release_status import Rollout
from ecs_release.domain.artifacts import environment_tag
from ecs_release.domain.artifacts.source import resolved_elsewhere, unpinned
from ecs_release.domain.decision import announced_answers, attempts
from ecs_release.domain.decision.decision import Changed, Draft, MoveTags, Outcome, Register, RuleResult, Stop, Update
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.plan import plan
from ecs_release.domain.decision.request_annotations import abort_requested, aborted_text
from ecs_release.domain.decision.suspension import environment_suspension, spread, suspension_of
from ecs_release.domain.drift import base_revision, drift
from ecs_release.domain.ecs.service import COMPLETED, Service
from ecs_release.domain.model.conditions import progressing, situation_of_problem, waiting
from ecs_release.domain.model.errors import Problem, Retryable
from ecs_release.domain.rules import commit_passage, protected_tasks, wanted_revision, window_passage
from ecs_release.domain.rules.at_rest import suspended
from ecs_release.domain.rules.new_attempt import moved_since, passage_of, wait_for_deployment, wait_for_holder
from ecs_release.domain.verification import deployment_stages


def end_of_another(facts: Facts, draft: Draft) -> RuleResult:
    """End an attempt at a source that is no longer wanted, if it has not reached ECS; an intent in doubt is cleared up first.

    One that has is followed until the newer one begins: that may have to wait, and how a deployment ended is never left open.
    """
    rollout, pin = draft.rollout, draft.pin
    if rollout is None or pin is None or not attempts.is_open(rollout) or attempts.covers(rollout, pin) or attempts.is_deployed(rollout):
        return None
    if _in_doubt(facts, draft):
        return _wait_out(facts)
    attempts.end(facts, draft, attempts.ABANDONED, "a newer source of this Release took its place before it was deployed")
    return Changed("the attempt ended before it was deployed: its source is another one")


def end_of_unlisted(facts: Facts, draft: Draft) -> RuleResult:
    """End an attempt that changed nothing yet if the Project lists what its source was not resolved for.

    That is a container, renamed perhaps, that it would not deploy to, or another repository.
    """
    rollout, pin, target = draft.rollout, draft.pin, facts.place.target
    if rollout is None or pin is None or target is None or not attempts.is_open(rollout) or attempts.is_deployed(rollout):
        return None
    missing, moved = unpinned(pin, target.containers), resolved_elsewhere(pin, target)
    if not (missing or moved) or rollout.environment_tag == environment_tag.MOVED:
        return None
    if _in_doubt(facts, draft):
        return _wait_out(facts)
    what = f"the Project lists container {', '.join(missing)}" if missing else f"container {', '.join(moved)} has another repository"
    attempts.end(facts, draft, attempts.ABANDONED, f"{what} since it began")
    return Changed("the attempt ended before it was deployed: the Project lists other containers or repositories")


def abort(facts: Facts, draft: Draft) -> RuleResult:
    """Act on an abort: what is not deployed yet ends here, what is gets a StopServiceDeployment intent."""
    token = abort_requested(facts, draft)
    if token is None:
        return None
    rollout = draft.rollout
    if rollout is None or not attempts.is_open(rollout):
        draft.handled_abort = token
        draft.event("Normal", "AbortIgnored", "Abort", "no attempt is under way, so there is nothing to abort")
        return Changed("the abort is acknowledged")
    if environment_suspension(facts.place.environment, facts.now, spread(facts)) is not None or _in_doubt(facts, draft):
        return None
    draft.handled_abort = token
    if not attempts.is_deployed(rollout):
        attempts.end(facts, draft, attempts.ABORTED, f"aborted on request ({token}) before anything was deployed")
        return Changed("the attempt ended: it is aborted")
    announced_answers.settle(facts, draft, announced_answers.TAKEN_BACK)
    draft.rollout = attempts.intend(draft.rollout or rollout, attempts.STOP)
    return Outcome(progressing(Reason.ROLLING_OUT, f"aborting on request ({token})"), again_s=0)


def carry_on(facts: Facts, draft: Draft) -> RuleResult:
    """Act on the intent that is written. If it may have been carried out already, that is checked first (law 6: it deploys once)."""
    rollout = draft.rollout
    intended = attempts.intended_action(rollout)
    if rollout is None or not intended:
        return None
    stopping = intended in (attempts.STOP, attempts.RETURN)
    by_platform = environment_suspension(facts.place.environment, facts.now, spread(facts))
    suspension = by_platform if stopping else suspension_of(facts)
    if suspension is not None:
        return suspended(facts, draft, suspension)
    if _in_doubt(facts, draft):
        return _wait_out(facts)
    if stopping:
        return _take_back(facts, draft, rollout, intended)
    if _has_other_method(facts, rollout):
        attempts.end(facts, draft, attempts.ABANDONED, "the Environment's rollout method became another one before anything was deployed")
        return Changed("the attempt ended: the rollout method is another one")
    # Registering a revision changes nothing that runs; what does is asked of the gates again, however long ago the attempt began.
    held = wait_for_holder(facts) or (_held_by_gate(facts, draft, rollout) if intended != attempts.REGISTER else None)
    return held or _register_or_update(facts, draft, rollout, intended)


def _held_by_gate(facts: Facts, draft: Draft, rollout: Rollout) -> Outcome | None:
    """Wait if the commit graph speaks against the attempt, or a window has closed, since it began."""
    return _held_by_commits(facts, draft, rollout) or _held_by_window(facts, draft, rollout)


def _held_by_commits(facts: Facts, draft: Draft, rollout: Rollout) -> Outcome | None:
    """Wait if the commit graph speaks against the attempt by now. A right that it has, or a tag that has moved already, lets it go on."""
    pin = draft.pin
    if pin is None or rollout.environment_tag == environment_tag.MOVED:
        return None
    way = commit_passage.passage_of(facts, draft, pin, rollout.cause or "", rollout.commits or "")
    if way.refused is not None:
        return commit_passage.held(facts, draft, pin, way.refused)
    if not way.right or rollout.commits:
        return None
    # In status before it is used, so that it stays with the attempt.
    draft.rollout = rollout.model_copy(update={"commits": way.right[:1024]})
    commit_passage.note(facts, draft, way)
    return Outcome(progressing(Reason.ROLLING_OUT, f"going on against the commit graph by {way.right}"), again_s=0)


def _held_by_window(facts: Facts, draft: Draft, rollout: Rollout) -> Outcome | None:
    """Wait if a window has closed since the attempt began. A right that it has, or a tag that has moved already, lets it go on."""
    pin = draft.pin
    if pin is None or rollout.window or rollout.environment_tag == environment_tag.MOVED:
        return None
    rebuilds = rollout.cause == base_revision.CAUSE or (rollout.cause == "Retry" and base_revision.follows_latest(facts))
    way = passage_of(facts, draft, pin, rebuilds=rebuilds, corrects=rollout.cause == drift.CAUSE)
    if way.closed is None:
        return None
    if not way.right:
        message = window_passage.described(way.closed)
        draft.plan, draft.closed_window = plan(facts, pin, message), way.closed
        return Outcome(waiting(Reason.AWAITING_WINDOW, message), again_s=window_passage.seconds_left(way.closed, facts.now))
    # In status before it is used, so that it stays with the attempt.
    draft.rollout = rollout.model_copy(update={"window": way.right[:1024]})
    if way.override:
        draft.handled_override = way.override
    draft.event("Warning" if way.override else "Normal", "WindowPassed", "Deploy", f"closed window {way.right}")
    return Outcome(progressing(Reason.ROLLING_OUT, f"passing closed window {way.right}"), again_s=0)


def _has_other_method(facts: Facts, rollout: Rollout) -> bool:
    """Return whether the rollout method became another one since the attempt began: what it has announced is of the former one."""
    began_with_tag = attempts.intended_action(rollout) == attempts.PUT or rollout.environment_tag == environment_tag.MOVED
    return facts.place.target is not None and began_with_tag != environment_tag.uses(facts.place.target)


def _take_back(facts: Facts, draft: Draft, rollout: Rollout, intended: str) -> RuleResult:
    """Take an attempt's deployment back, unless another one has taken its place: what somebody else has deployed is left alone."""
    primary = facts.service.primary if facts.service else None
    if primary is not None and primary.id != rollout.deployment_id:
        return None
    return _stop(facts, draft, rollout) if intended == attempts.STOP else _return(facts, draft, rollout)


def _stop(facts: Facts, draft: Draft, rollout: Rollout) -> RuleResult:
    if deployment_stages.is_rolling_back(facts.diagnostics.service_deployment):
        # ECS would refuse, and to deploy the former revision instead would come in its way.
        attempts.end(facts, draft, attempts.ABORTED, f"{aborted_text(draft)}: ECS rolls deployment {rollout.deployment_id} back already")
        return Changed("the attempt ended: it is aborted, and ECS rolls it back")
    arn = facts.diagnostics.service_deployment.arn if facts.diagnostics.service_deployment else rollout.service_deployment_arn or ""
    return Outcome(progressing(Reason.ROLLING_OUT, "asking ECS to roll back"), Stop(arn))


def _return(facts: Facts, draft: Draft, rollout: Rollout) -> RuleResult:
    back = rollout.rollback_target or ""
    assert facts.service is not None
    if not back:
        attempts.end(facts, draft, attempts.ABORTED, f"{aborted_text(draft)}; what ran before is not known, so nothing was taken back")
        return Changed("the attempt ended: it is aborted, and there is nothing to go back to")
    if facts.service.task_definition == back:
        attempts.end(facts, draft, attempts.ABORTED, f"{aborted_text(draft)}; the former revision is in place")
        return Changed("the attempt ended: it is aborted, and the former revision is in place")
    return Outcome(progressing(Reason.ROLLING_OUT, f"going back to {back.rpartition('/')[2]}"), Update(back))


def _register_or_update(facts: Facts, draft: Draft, rollout: Rollout, intended: str) -> RuleResult:
    service = facts.service
    assert service is not None
    held = _held_by_deployment(facts, draft, rollout, service, intended)
    if held is not None:
        return held
    if intended == attempts.UPDATE:
        return _update(facts, draft, rollout, service)
    if facts.start_problem is not None:
        return Outcome(situation_of_problem(facts.start_problem))
    if intended == attempts.PUT:
        return _move(facts, draft, rollout)
    try:
        register: Register = wanted_revision.wanted_revision(facts, draft, rollout)
    except Problem as problem:
        return Outcome(situation_of_problem(problem))
    return Outcome(progressing(Reason.ROLLING_OUT, "registering a task definition"), register)


def _held_by_deployment(facts: Facts, draft: Draft, rollout: Rollout, service: Service, intended: str) -> RuleResult:
    """End an attempt if another deployment has become PRIMARY since its intent was written; wait if one has begun to go back."""
    other = _other_primary(rollout, service)
    if other:
        # The revision was built on a base that is no longer the service's: to deploy it would undo somebody's change.
        attempts.end(facts, draft, attempts.ABANDONED, other)
        return Changed("the attempt ended: another deployment is PRIMARY")
    moving = moved_since(facts, rollout, service) if intended != attempts.REGISTER else None
    if moving is None or draft.pin is None:
        return None
    return wait_for_deployment(facts, draft, draft.pin, service, moving)


def _other_primary(rollout: Rollout, service: Service) -> str:
    """Return which deployment has become PRIMARY since the intent was written; an empty string if none has."""
    primary, intent = service.primary, rollout.intent
    if primary is None or intent is None:
        return ""
    if primary.id not in (intent.deployments or ()):
        return f"deployment {primary.id} was started by somebody else meanwhile"
    if intent.primary_id is not None and primary.id != intent.primary_id:
        return f"ECS went back from deployment {intent.primary_id} to {primary.id} meanwhile"
    return ""


def _update(facts: Facts, draft: Draft, rollout: Rollout, service: Service) -> RuleResult:
    """Point the service at the attempt's revision; one that it has already must be forced."""
    assert facts.place.target is not None
    revision = rollout.task_definition or ""
    if facts.revisions.is_gone:
        attempts.end(facts, draft, attempts.ABANDONED, f"{revision.rpartition('/')[2]} was deregistered before it was deployed")
        return Changed("the attempt ended: its revision is gone")
    forced = environment_tag.uses(facts.place.target) or service.task_definition == revision
    return Outcome(progressing(Reason.ROLLING_OUT, f"deploying {revision.rpartition('/')[2]}"), Update(revision, forced))


def _move(facts: Facts, draft: Draft, rollout: Rollout) -> Outcome:
    """Move the environment's tag; if it is there already, go on to the deployment."""
    target, pin = facts.place.target, draft.pin
    assert target is not None and pin is not None and facts.service is not None
    problem = facts.tags.problem or environment_tag.disagreement(target, pin, facts.tags.sharers)
    if problem is not None or facts.tags.digests is None:
        return Outcome(situation_of_problem(problem or Retryable("the environment's tag could not be read")), again_s=facts.limits.retry_s)
    moves = environment_tag.pending_moves(target, pin, facts.tags.digests)
    if moves:
        return Outcome(progressing(Reason.ROLLING_OUT, f"moving tag {target.environment_tag}"), MoveTags(moves))
    draft.rollout = attempts.intend_forced(rollout, facts)
    return Outcome(progressing(Reason.ROLLING_OUT, f"tag {target.environment_tag} is moved; forcing a deployment"), again_s=0)


def in_flight(facts: Facts, draft: Draft) -> Outcome | None:
    """Report how far the attempt is; look again when its deadline passes, if nothing is seen before."""
    rollout = draft.rollout
    if rollout is None or not attempts.is_open(rollout) or not attempts.is_deployed(rollout) or _gives_way(facts, draft, rollout):
        return None
    reason = Reason.VERIFYING if rollout.stage == COMPLETED else Reason.ROLLING_OUT
    message = rollout.message or "the deployment has begun"
    situation = waiting(Reason.AWAITING_HOOK, message) if rollout.awaiting else progressing(reason, message)
    return Outcome(situation, again_s=max(0.5, _again_s(facts, draft, rollout)))


def _gives_way(facts: Facts, draft: Draft, rollout: Rollout) -> bool:
    """Return whether a newer source may be deployed over an attempt: it wants other digests, and the look shows that deployment."""
    pin, service = draft.pin, facts.service
    if pin is None or service is None or attempts.aims_at(rollout) == attempts.digests(pin):
        return False
    return service.deployment(rollout.deployment_id or "") is not None


def _again_s(facts: Facts, draft: Draft, rollout: Rollout) -> float:
    """Return when time alone may change the status: at the deadline, or when it is worth reading what holds the rollout."""
    if draft.waits:
        return facts.place.deadline.total_seconds()
    deadline = draft.left_s
    if deadline is None:
        deadline = (attempts.last_progress(facts, rollout) + facts.place.deadline - facts.now).total_seconds()
    due_s = protected_tasks.due_in_s(facts, rollout)
    if due_s is None:
        return deadline
    return min(deadline, due_s if due_s > 0 else protected_tasks.EVERY_S)


def _in_doubt(facts: Facts, draft: Draft) -> bool:
    """Return whether an intent may have been carried out although its answer is missing, and reads may still lag behind it."""
    doubt = facts.tracking.doubt
    return doubt is not None and bool(attempts.intended_action(draft.rollout)) and not attempts.is_cleared_up(facts, doubt)


def _wait_out(facts: Facts) -> Outcome:
    assert facts.tracking.doubt is not None
    left = facts.tracking.doubt.since + timedelta(seconds=facts.limits.visible_s) - facts.now
    message = "looking whether the last call to ECS was carried out, before it is repeated"
    return Outcome(progressing(Reason.ROLLING_OUT, message), again_s=max(0.2, left.total_seconds()))
