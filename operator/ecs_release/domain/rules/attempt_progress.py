"""An attempt that is followed: what the latest look at the service means for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from ecs_release.api.conditions import Reason
from ecs_release.api.hook_status import OpenHook
from ecs_release.api.release_status import Rollout, RolloutProgress
from ecs_release.domain.artifacts import environment_tag
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Changed, Draft
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.request_annotations import aborted_text
from ecs_release.domain.decision.running_status import author_text
from ecs_release.domain.ecs.service import Hook, Service, ServiceDeployment
from ecs_release.domain.model.clauses import join_clauses
from ecs_release.domain.rules import protected_tasks
from ecs_release.domain.verification import deployment_stages
from ecs_release.domain.verification.judge import judge
from ecs_release.domain.verification.judgement import FollowedDeployment, Judgement, Progress, Timeouts, Verdict
from ecs_release.domain.verification.proof import each_task_resolves, first_task_mismatch
from ecs_release.domain.verification.replaced_deployment import started_by_ecs

_MOST_HOOKS = 10


def confirm(facts: Facts, draft: Draft) -> Changed | None:
    """Accept what a call to AWS did although its answer never came (law 6: look before anything is repeated)."""
    doubt, rollout = facts.tracking.doubt, draft.rollout
    if doubt is None or rollout is None or facts.seen.unread is not None or facts.service is None or not _same_service(facts, draft):
        return None
    intended = attempts.intended_action(rollout)
    if intended == attempts.REGISTER and doubt.registered:
        draft.rollout = attempts.intend_update(rollout, doubt.registered, facts)
        return Changed("the revision was registered by a call whose answer was lost")
    if intended == attempts.UPDATE and doubt.started:
        attempts.started(facts, draft, doubt.started)
        return Changed("the deployment was started by a call whose answer was lost")
    if intended == attempts.UPDATE and doubt.left_tasks and attempts.is_cleared_up(facts, doubt):
        _end_gone(facts, draft, rollout, facts.service)
        return Changed("the attempt ended: its deployment, of which only tasks are known, is not listed any more")
    return None


def _end_gone(facts: Facts, draft: Draft, rollout: Rollout, service: Service) -> None:
    """End an attempt whose deployment has come and gone while nobody looked, and whose id is not known: by what is PRIMARY instead."""
    revision = (rollout.task_definition or "").rpartition("/")[2]
    left = f"a call whose answer was lost had started tasks of {revision}, and their deployment is not listed any more"
    primary, before = service.primary, (rollout.intent.deployments if rollout.intent else None) or ()
    if primary is None:
        attempts.end(facts, draft, Reason.SUPERSEDED, f"the service has no PRIMARY deployment: {left}")
    elif primary.id in before or started_by_ecs(primary):
        attempts.end(facts, draft, Reason.ROLLED_BACK, f"ECS rolled back to {primary.task_definition.rpartition('/')[2]}: {left}")
    else:
        by = f"deployment {primary.id} of {primary.task_definition.rpartition('/')[2]}"
        attempts.end(facts, draft, Reason.SUPERSEDED, f"{by} replaced ours before it was seen to be done: {left}")


def follow(facts: Facts, draft: Draft) -> Changed | None:
    """Judge the attempt's deployment by the latest look at the service, and end the attempt if there is a verdict."""
    rollout = draft.rollout
    if rollout is None or facts.seen.unread is not None or facts.service is None or not _same_service(facts, draft):
        return None
    if not attempts.is_followed(rollout) or _is_older(facts, rollout):
        return None
    if rollout.outcome and (draft.pin is None or not attempts.covers(rollout, draft.pin)):
        return None
    stray = _stray_task(facts, draft, rollout)
    if stray:
        attempts.end(facts, draft, Reason.TAG_MOVED, stray)
        return Changed("the attempt ended: its tag was moved")
    judgement = _with_protected(facts, _judge(facts, draft, rollout))
    if taken_back := _taken_back(facts, rollout, judgement):
        attempts.end(facts, draft, attempts.ABORTED, f"{aborted_text(draft)}: {taken_back}")
        return Changed("the attempt ended: it was aborted by a call whose answer was lost")
    draft.waits, draft.left_s, draft.missing = judgement.waits, judgement.left_s, judgement.missing
    _apply(facts, draft, rollout, judgement)
    return Changed(f"the attempt is {judgement.verdict}")


def _taken_back(facts: Facts, rollout: Rollout, judgement: Judgement) -> str:
    """Return how the call of an abort, whose answer was lost, has taken the deployment back; an empty string if it has not."""
    intended, primary = attempts.intended_action(rollout), facts.service.primary if facts.service else None
    if facts.tracking.doubt is None or primary is None or intended not in (attempts.STOP, attempts.RETURN):
        return ""
    if judgement.verdict is Verdict.ROLLED_BACK:
        return judgement.message
    is_newer = primary.id != rollout.deployment_id and primary.id not in ((rollout.intent.deployments if rollout.intent else None) or ())
    back = primary.task_definition
    if intended == attempts.RETURN and is_newer and back == rollout.rollback_target:
        return f"went back to {back.rpartition('/')[2]} by deployment {primary.id}"
    return ""


def _stray_task(facts: Facts, draft: Draft, rollout: Rollout) -> str:
    """Return how the environment's tag was moved by somebody before our first task pulled it; an empty string if it was not."""
    if rollout.outcome or facts.place.target is None or facts.service is None or not environment_tag.uses(facts.place.target):
        return ""
    revision, aims_at = facts.revisions.running, attempts.aims_at(rollout)
    each = revision is not None and each_task_resolves(revision, aims_at)
    accepted = attempts.accepted_by(facts, rollout, draft.pin)
    return first_task_mismatch(facts.service, rollout.deployment_id or "", accepted, each_resolves=each)


def _same_service(facts: Facts, draft: Draft) -> bool:
    """Return whether the service seen is the one that the attempt went to: its target may have changed meanwhile (law 15)."""
    known, seen = draft.target, facts.target_seen
    return known is None or known.service_arn is None or known == seen


def _is_older(facts: Facts, rollout: Rollout) -> bool:
    """Return whether the look was asked for before ECS accepted the deployment, and does not show it: it says nothing about it."""
    look, accepted = facts.seen.look, attempts.accepted_time(rollout)
    if look is None or look.service is None or accepted is None:
        return False
    return look.as_of <= accepted and look.service.deployment(rollout.deployment_id or "") is None


def _judge(facts: Facts, draft: Draft, rollout: Rollout) -> Judgement:
    assert facts.seen.look is not None and facts.service is not None
    intent = rollout.intent
    return judge(
        FollowedDeployment(
            deployment_id=rollout.deployment_id or "",
            rollback_target=rollout.rollback_target or "",
            started=attempts.accepted_time(rollout) or facts.now,
            last_progress=attempts.last_progress(facts, rollout),
            listed_before=frozenset(intent.deployments or ()) if intent else frozenset(),
            stage=rollout.stage or "",
            best=_best(rollout),
            late=bool(rollout.outcome),
            overtaken=attempts.overtaken(draft),
            missing_since=facts.tracking.missing_since,
            not_before=_not_before(facts, rollout),
            each_task_resolves=facts.diagnostics.each_task_resolves,
        ),
        facts.service,
        attempts.accepted_by(facts, rollout, draft.pin),
        facts.now,
        Timeouts(facts.place.deadline.total_seconds(), facts.limits.visible_s, facts.limits.rollback_s),
        facts.diagnostics.service_deployment,
        facts.diagnostics.primary_digests,
        as_of=facts.seen.look.as_of,
    )


def _not_before(facts: Facts, rollout: Rollout) -> datetime | None:
    """Return when the deployment was created, if it has been PRIMARY in a look, else AWS's time when it was announced."""
    running = facts.status.running
    if running is not None and running.deployment_id == rollout.deployment_id and running.deployment_created_time is not None:
        return running.deployment_created_time
    return rollout.intent.aws_time if rollout.intent else None


def _with_protected(facts: Facts, judgement: Judgement) -> Judgement:
    """Add the protected tasks that may hold the rollout to the message."""
    protected = protected_tasks.describe(facts.diagnostics.protected)
    if not protected or (judgement.verdict.ended and judgement.verdict is not Verdict.DEADLINE_EXCEEDED):
        return judgement
    return replace(judgement, message=join_clauses(judgement.message, protected))


def _apply(facts: Facts, draft: Draft, rollout: Rollout, judgement: Judgement) -> None:
    if rollout.outcome:
        # The outcome is refined only: a late verdict replaces the earlier one, a rollout still without one leaves it.
        if judgement.verdict.ended and judgement.verdict not in (rollout.outcome, *attempts.REFINABLE):
            _end(facts, draft, judgement)
        return
    draft.rollout = rollout.model_copy(update=_seen(facts, rollout, judgement) | _progress(facts, rollout, judgement))
    if judgement.verdict.ended:
        _end(facts, draft, judgement)


def _seen(facts: Facts, rollout: Rollout, judgement: Judgement) -> dict[str, object]:
    """Return the fields of the rollout that the look has shown."""
    seen = facts.diagnostics.service_deployment
    answered = {i.hook_id or "" for i in rollout.interventions or () if i.accepted_time is not None}
    changed: dict[str, object] = {
        "message": judgement.message[:1024],
        "awaiting": (deployment_stages.awaited_hook(seen, answered) or "")[:1024] or None,
        "hooks": [_open_hook(h, seen) for h in deployment_stages.open_hooks(seen, answered)][:_MOST_HOOKS] or None,
        "traffic_percent": deployment_stages.traffic_percent(seen),
    }
    if judgement.stage:
        changed["stage"] = judgement.stage
    if seen is not None:
        changed["service_deployment_arn"] = seen.arn
    if facts.diagnostics.evidence:
        changed["evidence"] = list(facts.diagnostics.evidence[:3])
    return changed


def _open_hook(hook: Hook, seen: ServiceDeployment | None) -> OpenHook:
    stage = seen.stage if seen is not None else ""
    return OpenHook(id=hook.id, stage=stage or None, expires_time=hook.expires_at, timeout_action=hook.timeout_action or None)


def _progress(facts: Facts, rollout: Rollout, judgement: Judgement) -> dict[str, object]:
    """Return how far the rollout has ever been, and since when it comes no further. The first look of a deployment only sets the mark."""
    if judgement.follow:
        # Followed, but somebody else's: a newer attempt waits for it.
        intent = rollout.intent.model_copy(update={"action": None}) if rollout.intent else None
        begun: dict[str, object] = {"deployment_id": judgement.follow, "service_deployment_arn": None, "intent": intent}
        return begun | {"progress": attempts.NO_PROGRESS, "last_progress_time": facts.now}
    since, best, found = attempts.last_progress(facts, rollout), _best(rollout), judgement.progress
    if found is None:
        return {"last_progress_time": since}
    if best is not None and found.beyond(best):
        since = facts.now
    reached = found if best is None else found.highest(best)
    return {
        "last_progress_time": None if judgement.waits else since,
        "progress": RolloutProgress(
            new_tasks=reached.new, old_tasks=reached.old, traffic_percent=reached.traffic, stages=sorted(reached.stages) or None
        ),
    }


def _best(rollout: Rollout) -> Progress | None:
    """Return how far an attempt's deployment has ever been. Statuses of older versions do not say that."""
    known = rollout.progress
    if known is None:
        return None
    return Progress(known.new_tasks or 0, known.old_tasks, frozenset(known.stages or ()), known.traffic_percent or 0)


def _end(facts: Facts, draft: Draft, judgement: Judgement) -> None:
    primary = facts.service.primary if facts.service else None
    by = author_text(facts, primary) if primary is not None and judgement.verdict is Verdict.SUPERSEDED else ""
    attempts.end(facts, draft, judgement.verdict, judgement.message + by)
    pin = draft.pin
    if judgement.verdict in attempts.PROVEN and pin is not None and attempts.covers(draft.rollout, pin):
        attempts.note_ready(facts, draft, pin)
