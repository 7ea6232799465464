"""Whether an attempt is due, and whether it may begin now."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ecs_release.api.conditions import Reason
from ecs_release.api.release_status import Pin, Rollout
from ecs_release.api.windows import ClosedWindow
from ecs_release.domain.artifacts import environment_tag
from ecs_release.domain.artifacts.source import resolved_elsewhere
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Changed, Draft, Outcome, RuleResult
from ecs_release.domain.decision.due import may_begin
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.holding import unknown_holder
from ecs_release.domain.decision.plan import plan
from ecs_release.domain.decision.request_annotations import override_requested, retry_requested
from ecs_release.domain.decision.running_status import under_way_since
from ecs_release.domain.decision.suspension import suspension_of
from ecs_release.domain.drift import base_revision, drift
from ecs_release.domain.ecs.service import COMPLETED, Deployment, Service
from ecs_release.domain.environments.targets import Target
from ecs_release.domain.model.conditions import progressing, situation_of_problem, waiting
from ecs_release.domain.model.errors import Blocked, Problem, Retryable
from ecs_release.domain.retention import image_availability
from ecs_release.domain.rules import commit_passage, wanted_revision, window_passage
from ecs_release.domain.rules.at_rest import compared, is_done, is_proven, suspended
from ecs_release.domain.verification import deployment_stages
from ecs_release.domain.verification.proof import Match, match_deployment, named_digests
from ecs_release.domain.verification.replaced_deployment import started_by_ecs

ROLLBACK = "Rollback"


@dataclass(frozen=True, slots=True)
class Ways:
    """By what an attempt begins: whether windows are open, and what the commit graph says."""

    window: window_passage.Passage
    graph: commit_passage.Passage


def note_drift(facts: Facts, draft: Draft) -> Changed | None:
    """Keep account of drift: since when somebody else's deployment has stood, and from when on it is corrected."""
    assert draft.pin is not None
    found = drift.drift_of(facts, draft, draft.pin, compared(facts, draft))
    if found == draft.drift:
        return None
    draft.drift = found
    return Changed("drift is noted" if found is not None else "there is no drift any more")


def start(facts: Facts, draft: Draft) -> RuleResult:
    """Begin an attempt if this pin has had none, or a retry requests one; adopt what runs already."""
    pin, service = draft.pin, facts.service
    assert pin is not None and service is not None
    retry = retry_requested(facts.release.metadata, draft)
    due = not attempts.is_settled(draft, pin)
    unrequested = _unrequested(facts, draft, pin, service)
    if not due and retry is None and not unrequested:
        return _acknowledge_overrides(facts, draft)
    cause = _cause(facts, retry) if due or retry is not None else unrequested
    corrects = cause == drift.CAUSE
    rebuilds = cause == base_revision.CAUSE or (
        retry is not None and base_revision.follows_latest(facts) and base_revision.newer_base(facts) is not None
    )
    unheld = wait_for_holder(facts)
    adopted = _adopt(facts, draft, pin, retry, due=due) if unheld is None and not rebuilds and not _strays(facts, pin) else None
    if unheld is not None or adopted is not None:
        return unheld or adopted
    suspension = suspension_of(facts)
    if suspension is not None:
        return replace(suspended(facts, draft, suspension), again_s=_again_s(facts, cause))
    way = passage_of(facts, draft, pin, rebuilds=rebuilds, corrects=corrects)
    ways = Ways(way, commit_passage.passage_of(facts, draft, pin, cause))
    other = foreign_deployment(facts, draft, service)
    held = _held_by_gate(facts, draft, pin, ways, corrects=corrects)
    if held is None and other is not None:
        held = wait_for_deployment(facts, draft, pin, service, other)
    return held or _begin(facts, draft, pin, retry, ways, cause)


def _held_by_gate(facts: Facts, draft: Draft, pin: Pin, ways: Ways, *, corrects: bool) -> Outcome | None:
    """Wait if the commit graph speaks against an attempt, or a window is closed."""
    if ways.graph.refused is not None:
        return commit_passage.held(facts, draft, pin, ways.graph.refused)
    if ways.window.closed is not None and not ways.window.is_open:
        return _wait_for_window(facts, draft, pin, ways.window.closed, corrects=corrects)
    return None


def may_begin_now(facts: Facts) -> bool:
    """Return whether an attempt may begin in this very pass: one may be due, and no suspension or window holds it up."""
    pin = facts.wanted.pin
    if pin is None or not may_begin(facts.release, pin, may_correct=facts.permission.may_correct) or suspension_of(facts) is not None:
        return False
    draft = Draft.of(facts.status)
    try:
        # An attempt that corrects drift is not asked for its commit; that this one does is not known yet.
        is_refused = commit_passage.passage_of(facts, draft, pin, "").refused is not None and not facts.permission.may_correct
        return not is_refused and passage_of(facts, draft, pin).is_open
    except Problem:
        return False


def passage_of(facts: Facts, draft: Draft, pin: Pin, *, rebuilds: bool = False, corrects: bool = False) -> window_passage.Passage:
    """Return whether an attempt at a pin may begin by the Environment's windows."""
    attempt = window_passage.Attempt(
        digests=attempts.digests(pin),
        history=draft.history,
        override=override_requested(facts.release.metadata, draft),
        reverts=facts.permission.reverting,
        rebuilds=rebuilds,
        corrects=corrects,
    )
    return window_passage.passage(facts.place.environment, attempt, facts.now)


def _adopt(facts: Facts, draft: Draft, pin: Pin, retry: str | None, *, due: bool) -> RuleResult:
    """Take what runs as done, and follow what is under way. A retry has nothing to do if the wanted images run; else it may deploy."""
    if not _runs_already(facts, draft):
        return _adopt_under_way(facts, draft, pin) if due and retry is None and _is_under_way(facts, pin) else None
    if due:
        attempts.adopt(facts, draft, pin, ROLLBACK if facts.permission.reverting else attempts.ADOPTED)
    if retry is not None:
        # It has taken in the target at which nothing is to be done.
        draft.handled_retry, draft.target = retry, facts.target_seen
        draft.event("Normal", "RetryIgnored", "Retry", "the wanted images run already, so there is nothing to retry")
    _acknowledge_overrides(facts, draft)
    return Changed("what runs is adopted" if due else "the retry is acknowledged: what is wanted runs")


def _acknowledge_overrides(facts: Facts, draft: Draft) -> Changed | None:
    """Acknowledge overrides that nothing waits for."""
    found = (window_passage.acknowledge_override(facts, draft), commit_passage.acknowledge_override(facts, draft))
    return next((changed for changed in found if changed is not None), None)


def _adopt_under_way(facts: Facts, draft: Draft, pin: Pin) -> Outcome:
    """Follow a deployment of the wanted images that is under way."""
    attempts.adopt_under_way(facts, draft, pin, ROLLBACK if facts.permission.reverting else attempts.ADOPTED)
    _acknowledge_overrides(facts, draft)
    what = draft.rollout.deployment_id if draft.rollout else ""
    return Outcome(progressing(Reason.ROLLING_OUT, f"deployment {what} of the wanted images is under way: it is followed"), again_s=0)


def _wait_for_window(facts: Facts, draft: Draft, pin: Pin, closed: ClosedWindow, *, corrects: bool) -> Outcome:
    message = window_passage.described(closed)
    if corrects and facts.service is not None:
        message = drift.waits(facts, facts.service, pin, message)
    window_passage.acknowledge_override(facts, draft)
    draft.plan, draft.closed_window = plan(facts, pin, message), closed
    return Outcome(waiting(Reason.AWAITING_WINDOW, message), again_s=window_passage.seconds_left(closed, facts.now))


def wait_for_deployment(facts: Facts, draft: Draft, pin: Pin, service: Service, other: Deployment) -> Outcome:
    """Wait until somebody else's deployment, or ECS's own rollback, has settled."""
    draft.waits = deployment_stages.is_waiting(facts.diagnostics.foreign)
    message = f"deployment {other.id} of {other.task_definition.rpartition('/')[2]} is under way: waiting until it settles"
    draft.plan = plan(facts, pin, message)
    stage = deployment_stages.describe(facts.diagnostics.foreign)
    left_s = facts.place.deadline.total_seconds() if draft.waits else _left_s(facts, service)
    return Outcome(waiting(Reason.AWAITING_STEADY, f"{message} ({stage})" if stage else message), again_s=max(1.0, left_s))


def wait_for_holder(facts: Facts) -> Outcome | None:
    """Wait until it is known whether the Release holds its service."""
    unknown = unknown_holder(facts)
    return Outcome(situation_of_problem(unknown)) if unknown is not None else None


def _again_s(facts: Facts, cause: str) -> float | None:
    """Return when to look again if an attempt is held up: no watch event comes when its set holds a correction no longer."""
    unrequested = cause in (drift.CAUSE, base_revision.CAUSE)
    return drift.READ_AGAIN_S if facts.permission.hold is not None and unrequested else None


def _unrequested(facts: Facts, draft: Draft, pin: Pin, service: Service) -> str:
    """Return the cause of an attempt that nobody requested: drift that is to be corrected, or a newer base; empty if there is none.

    None begins before it is known who holds the service; what runs is compared and reported meanwhile.
    """
    if unknown_holder(facts) is not None:
        return ""
    if drift.must_correct(facts, draft):
        return drift.CAUSE
    # What has drifted is corrected on its own terms, the newer base with it.
    follows = compared(facts, draft) is not Match.NO and base_revision.must_follow(facts, draft, pin) and not service.is_moving
    return base_revision.CAUSE if follows else ""


def _begin(facts: Facts, draft: Draft, pin: Pin, retry: str | None, ways: Ways, cause: str) -> Outcome:
    """Begin an attempt, and say with Events what is worth knowing of it."""
    before, way = (draft.rollout, draft.history), ways.window
    problem = _try_to_begin(facts, draft, pin, cause, ways)
    if problem is not None:
        draft.rollout, draft.history = before
        draft.plan = plan(facts, pin, problem.message)
        again = facts.limits.retry_s if isinstance(problem, Retryable) else None
        return Outcome(situation_of_problem(problem), again_s=again)
    draft.drift = None
    if cause == drift.CAUSE and facts.service is not None:
        draft.event("Normal", "CorrectingDrift", "Deploy", f"{drift.what(facts, facts.service, pin)}: deploying the wanted images again")
    if retry is not None:
        draft.handled_retry = retry
    if way.right:
        draft.event("Warning" if way.override else "Normal", "WindowPassed", "Deploy", f"closed window {way.right}")
    if way.override:
        draft.handled_override = way.override
    else:
        window_passage.acknowledge_override(facts, draft)
    commit_passage.note(facts, draft, ways.graph)
    why = facts.service and no_rollback(facts.service)
    if why:
        draft.event("Warning", "NoRollback", "Deploy", f"ECS will not roll this deployment back if it fails: {why}")
    assert facts.place.target is not None
    what = {
        attempts.PUT: f"moving tag {facts.place.target.environment_tag}",
        attempts.UPDATE: f"deploying {(draft.rollout.task_definition or '').rpartition('/')[2] if draft.rollout else ''} again",
    }.get(attempts.intended_action(draft.rollout), "registering a task definition")
    return Outcome(progressing(Reason.ROLLING_OUT, what), again_s=0)


def _try_to_begin(facts: Facts, draft: Draft, pin: Pin, cause: str, ways: Ways) -> Problem | None:
    """Begin an attempt, or return why none can begin: what is refused is refused before anything moves."""
    target = facts.place.target
    assert target is not None
    problem = facts.start_problem or _resolved_elsewhere(target, pin) or image_availability.refusal(facts, pin)
    if problem is None and environment_tag.uses(target):
        problem = environment_tag.disagreement(target, pin, facts.tags.sharers)
    if problem is not None:
        return problem
    attempts.begin(facts, draft, pin, cause, ways.window.right, ways.graph.right)
    assert draft.rollout is not None
    try:
        if not environment_tag.uses(target):
            wanted = wanted_revision.wanted_revision(facts, draft, draft.rollout)
            again = wanted_revision.reusable(facts, wanted, draft.rollout)
            if again is not None:
                draft.rollout = attempts.intend_update(draft.rollout, again.arn, facts)
    except Problem as found:
        return found
    return None


def _resolved_elsewhere(target: Target, pin: Pin) -> Problem | None:
    """Return that an image was resolved in another repository than it would be pulled from."""
    moved = resolved_elsewhere(pin, target)
    if not moved:
        return None
    text = f"container {', '.join(moved)} has another repository than the one that the source was resolved in"
    return Blocked(
        Reason.TARGET_CHANGED, f"{text}: nothing is deployed until the source changes or annotation ecs-release.dev/retry asks for it"
    )


def _strays(facts: Facts, pin: Pin) -> bool:
    """Return whether the environment's tag points elsewhere than to what runs."""
    target = facts.place.target
    return target is not None and facts.tags.digests is not None and bool(environment_tag.misplaced_tags(target, pin, facts.tags.digests))


def _cause(facts: Facts, retry: str | None) -> str:
    """Return why an attempt is made: its ReleaseSet takes the service back, a retry was requested, or the source is new."""
    if facts.permission.reverting:
        return ROLLBACK
    return "Retry" if retry is not None else "Requested"


def no_rollback(service: Service) -> str:
    """Return why ECS would not roll a failing deployment of a service back; an empty string if it would.

    It returns to the last completed deployment only (Amazon ECS developer guide, "How the deployment circuit breaker detects failures").
    """
    if not service.circuit_breaker:
        return "the service has no deployment circuit breaker, so that only the progress deadline ends a crash loop"
    if not service.rollback:
        return "its circuit breaker does not roll back"
    if service.primary is not None and service.primary.rollout_state not in (None, COMPLETED):
        return "its present deployment was never completed, so that there is nothing to return to"
    return ""


def _runs_already(facts: Facts, draft: Draft) -> bool:
    """Return whether there is nothing to deploy: the wanted digests are proven to run, or no task is wanted and one would run them."""
    service = facts.service
    assert service is not None
    nothing_wanted = compared(facts, draft) is Match.NOTHING_RUNS and service.desired == 0
    return is_proven(facts, draft) or (nothing_wanted and is_done(service))


def _is_under_way(facts: Facts, pin: Pin) -> bool:
    """Return whether ECS deploys the wanted digests now, whoever began that: to deploy them again would not help."""
    service, target, running = facts.service, facts.place.target, facts.revisions.running
    primary = service.primary if service else None
    if service is None or primary is None or target is None or running is None or running.arn != primary.task_definition:
        return False
    wanted = attempts.accepted(facts, pin)
    named = {} if environment_tag.uses(target) else named_digests(running, wanted)
    return service.is_moving and match_deployment(service, primary, wanted, named) is Match.YES


def _left_s(facts: Facts, service: Service) -> float:
    """Return for how many more seconds somebody else's deployment is waited for; what ECS waits on purpose does not count."""
    since = under_way_since(facts) or facts.now
    return (since + facts.place.deadline - facts.now).total_seconds() + deployment_stages.planned_bake_s(service)


def foreign_deployment(facts: Facts, draft: Draft, service: Service) -> Deployment | None:
    """Return a deployment under way that is not our latest attempt's: ECS's own rollback, or somebody's.

    One that was seen under way for longer than the progress deadline and its bake times is not waited for any more.
    """
    primary = service.primary
    if primary is None or not service.is_moving or _is_latest_attempts(draft, service, primary):
        return None
    return primary if _left_s(facts, service) > 0 else None


def moved_since(facts: Facts, rollout: Rollout, service: Service) -> Deployment | None:
    """Return a deployment under way that was not when an attempt began: ECS's own rollback, to a deployment of before, or somebody's."""
    since = under_way_since(facts)
    if since is None or rollout.start_time is None or since <= rollout.start_time:
        return None
    return service.primary if _left_s(facts, service) > 0 else None


def _is_latest_attempts(draft: Draft, service: Service, primary: Deployment) -> bool:
    """Return whether a deployment under way is our latest attempt's, which a newer one may replace.

    ECS rolls back to a deployment by its own id, which may be one of ours. If that is the latest attempt's, it was completed before, and
    another one is listed beside it.
    """
    rollout = draft.rollout
    if rollout is None or not attempts.has_started(rollout, primary.id):
        return False
    is_rollback = started_by_ecs(primary) or (rollout.outcome in attempts.GOOD and len(service.deployments) > 1)
    return not is_rollback
