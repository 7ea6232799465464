"""A look that may be older than what status rests on: it is believed only once looks have stayed so for as long as reads may lag.

ECS's reads are eventually consistent (RunTask's API reference), and may go backwards: after a deployment was seen, an answer may still
show what was there before it. While an attempt is followed `verification.judge` asks the same of its deployment.
"""

from __future__ import annotations

from datetime import timedelta

from ecs_release.api.conditions import Reason
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Draft, Outcome
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ecs.service import Service
from ecs_release.domain.model.conditions import progressing
from ecs_release.domain.verification.proof import Match, match_task


def await_newer(facts: Facts, draft: Draft) -> Outcome | None:
    """Leave everything as it is for a look that contradicts what an earlier one has shown, and look again."""
    service, rollout = facts.service, facts.status.rollout
    if service is None or (attempts.is_open(rollout) and attempts.is_deployed(rollout)) or draft.rollout != rollout:
        return None
    why = _contradiction(facts, service)
    if not why:
        return None
    left_s = _left_s(facts)
    if left_s <= 0:
        return None
    draft.missing = True
    if facts.status.observed_generation == facts.release.metadata.generation:
        return Outcome(None, again_s=left_s)
    return Outcome(progressing(Reason.VERIFYING, f"{why}: looking whether that stays so"), again_s=left_s)


def _left_s(facts: Facts) -> float:
    """Return for how many seconds more looks have to stay so."""
    since = facts.tracking.missing_since
    if since is None or facts.seen.look is None:
        return facts.limits.visible_s
    return (since + timedelta(seconds=facts.limits.visible_s) - facts.seen.look.as_of).total_seconds()


def _contradiction(facts: Facts, service: Service) -> str:
    """Return what an older look would show, too; an empty string if this one is certainly newer than what status says."""
    known, primary, target = facts.status.running, service.primary, facts.status.target
    if primary is None or known is None or target is None or target.service_arn != service.arn:
        return ""
    if primary.id != known.deployment_id:
        is_older = known.deployment_created_time is not None and primary.created_at < known.deployment_created_time
        if is_older and service.deployment(known.deployment_id or "") is None:
            return f"ECS shows deployment {primary.id}, which is older than {known.deployment_id}, and not that one"
        return ""
    pin = facts.wanted.pin
    if pin is None or not _has_settled(facts, primary.id):
        return ""
    others = [t for t in service.running_tasks if match_task(t, attempts.accepted(facts, pin)) is Match.NO]
    if not others or any(t.is_of(primary) for t in others):
        # A task of its own that shows another digest has started since.
        return ""
    return f"tasks of another deployment run beside {primary.id}, which was the only one"


def _has_settled(facts: Facts, deployment_id: str) -> bool:
    """Return whether a deployment was proven to run the wanted digests, or was completed with no task wanted."""
    pin, rollout, proven = facts.wanted.pin, facts.status.rollout, facts.status.last_ready
    if pin is None:
        return False
    if proven is not None and proven.deployment_id == deployment_id and attempts.was_ready(proven, pin):
        return True
    return (
        rollout is not None
        and rollout.deployment_id == deployment_id
        and rollout.outcome in attempts.GOOD
        and attempts.covers(rollout, pin)
    )
