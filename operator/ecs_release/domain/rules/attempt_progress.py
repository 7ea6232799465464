"""Following an attempt: what one more look at the service means for it."""

from __future__ import annotations

from dataclasses import replace

from ecs_release.api.conditions import Reason
from ecs_release.api.release_status import Pin, Rollout
from ecs_release.domain.artifacts import environment_tag as environment_tags
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.rules.protected_tasks import told
from ecs_release.domain.verification import deployment_stages as stages
from ecs_release.domain.verification.judge import judge
from ecs_release.domain.verification.judgement import Followed, Judgement, Patience, Verdict
from ecs_release.domain.verification.proof import Accepted


def follow(facts: Facts, draft: Draft) -> None:
    """Take a look at the service into account: find what an earlier process did, judge the deployment, end the attempt.

    Changes `draft.rollout`, `draft.history` and `draft.progress`; does nothing without a look or an attempt.
    """
    if draft.rollout is None or facts.service is None or not _same_service(facts, draft):
        return
    _resolve_doubt(facts, draft)
    rollout = draft.rollout
    if not attempts.is_deployed(rollout) or (rollout.outcome and rollout.outcome not in attempts.REFINABLE):
        return
    if _is_older(facts, rollout):
        return
    if rollout.outcome and (draft.pin is None or not attempts.covers(rollout, draft.pin)):
        return
    stray = _stray_task(facts, draft, rollout)
    if stray:
        attempts.end(facts, draft, Reason.TAG_MOVED, stray)
        return
    judgement = _with_protected(facts, _judge(facts, draft, rollout))
    draft.waits, draft.left_s = judgement.waits, judgement.left_s
    _apply(facts, draft, rollout, judgement)


def _stray_task(facts: Facts, draft: Draft, rollout: Rollout) -> str:
    """Say that the environment's tag was moved by somebody before our first task pulled it."""
    if rollout.outcome or facts.target is None or facts.service is None or not environment_tags.uses(facts.target):
        return ""
    return environment_tags.other_first_task(facts.service, rollout.deployment_id or "", _accepted(draft, rollout))


def _same_service(facts: Facts, draft: Draft) -> bool:
    """Tell whether the service seen is the one that the attempt went to (law 15: a target may change under it)."""
    assert facts.service is not None
    known = draft.target
    return known is None or known.service_arn is None or known.service_arn == facts.service.arn


def _is_older(facts: Facts, rollout: Rollout) -> bool:
    """Tell whether the look is from before the deployment began: it says nothing about it."""
    accepted = rollout.intent.accepted_time if rollout.intent else None
    return accepted is not None and facts.look is not None and facts.look.seen_time <= accepted


def _resolve_doubt(facts: Facts, draft: Draft) -> None:
    """Accept what an intent did although its answer never came (law 6)."""
    doubt, rollout = facts.doubt, draft.rollout
    if doubt is None or rollout is None:
        return
    intended = attempts.intends(rollout)
    if intended == attempts.REGISTER and doubt.registered:
        draft.rollout = attempts.intend_update(rollout, doubt.registered, facts)
    elif intended == attempts.UPDATE and doubt.started:
        attempts.started(facts, draft, doubt.started)


def _accepted(draft: Draft, rollout: Rollout) -> Accepted:
    """Return what proves the attempt's images; the pin may be a newer one already, with other digests."""
    pin: Pin | None = draft.pin
    wanted = attempts.aims_at(rollout)
    if pin is not None and attempts.digests(pin) == wanted:
        return attempts.accepted(pin)
    return {container: frozenset({digest}) for container, digest in wanted.items()}


def _judge(facts: Facts, draft: Draft, rollout: Rollout) -> Judgement:
    assert facts.service is not None
    intent = rollout.intent
    begun = rollout.start_time or facts.now
    sent = intent.accepted_time if intent and intent.accepted_time else begun
    return judge(
        Followed(
            deployment_id=rollout.deployment_id or "",
            rollback_target=rollout.rollback_target or "",
            started=sent,
            last_progress=attempts.moved(facts, rollout),
            listed_before=frozenset(intent.deployments or ()) if intent else frozenset(),
            stage=rollout.stage or "",
            late=bool(rollout.outcome),
            overtaken=attempts.overtaken(draft),
            same_images=all(i.from_digest == i.to_digest for i in rollout.images or () if not i.unlisted),
        ),
        facts.service,
        _accepted(draft, rollout),
        facts.now,
        Patience(facts.deadline.total_seconds(), facts.limits.visible_s, facts.limits.rollback_s),
        facts.explained,
        facts.primary_pins,
    )


def _with_protected(facts: Facts, judgement: Judgement) -> Judgement:
    """Name the protected tasks that may hold the rollout."""
    protected = told(facts.protected)
    if not protected or (judgement.verdict.ended and judgement.verdict is not Verdict.DEADLINE_EXCEEDED):
        return judgement
    return replace(judgement, message=f"{judgement.message}; {protected}")


def _apply(facts: Facts, draft: Draft, rollout: Rollout, judgement: Judgement) -> None:
    if rollout.outcome:
        # Refined only: a late verdict replaces the earlier one, a rollout still without one leaves it.
        if judgement.verdict.ended and judgement.verdict not in (rollout.outcome, *attempts.REFINABLE):
            _end(facts, draft, judgement)
        return
    draft.rollout = rollout.model_copy(update=_seen(facts, judgement) | _progress(facts, draft, judgement))
    if judgement.verdict.ended:
        _end(facts, draft, judgement)


def _seen(facts: Facts, judgement: Judgement) -> dict[str, object]:
    """Say what a look has shown of the rollout."""
    changed: dict[str, object] = {
        "message": judgement.message[:1024],
        "awaiting": (stages.awaiting(facts.explained) or "")[:1024] or None,
        "traffic_percent": stages.traffic_percent(facts.explained),
    }
    if judgement.stage:
        changed["stage"] = judgement.stage
    if facts.explained is not None:
        changed["service_deployment_arn"] = facts.explained.arn
    if facts.evidence:
        changed["evidence"] = list(facts.evidence[:3])
    return changed


def _progress(facts: Facts, draft: Draft, judgement: Judgement) -> dict[str, object]:
    """Say whether the rollout came further. The first look of a process only sets the mark: it knows of no change."""
    changed: dict[str, object] = {}
    if judgement.follow:
        changed |= {"deployment_id": judgement.follow, "service_deployment_arn": None, "last_progress_time": facts.now}
    if judgement.progress is None:
        return changed
    if facts.progress is None:
        draft.progress = judgement.progress
    elif judgement.progress.beyond(facts.progress):
        draft.progress = judgement.progress.highest(facts.progress)
        changed["last_progress_time"] = facts.now
    return changed


def _end(facts: Facts, draft: Draft, judgement: Judgement) -> None:
    attempts.end(facts, draft, judgement.verdict, judgement.message)
    pin = draft.pin
    if judgement.verdict.good and pin is not None and attempts.covers(draft.rollout, pin):
        attempts.note_ready(facts, draft, pin)
