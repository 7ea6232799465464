"""When a Release's target is another one than before (law 15): editing a Project or an Environment never deploys."""

from __future__ import annotations

from ecs_release.api.conditions import Reason
from ecs_release.api.release_status import TargetStatus
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Draft, Outcome
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.request_annotations import retry_wanted
from ecs_release.domain.model.conditions import stalled
from ecs_release.domain.verification.proof import Match, match_service


def same_target(facts: Facts, draft: Draft) -> Outcome | None:
    """Go on where the target is as it was, or where the wanted digests run at the new one; else wait to be asked."""
    target, service = facts.target, facts.service
    assert target is not None and service is not None
    seen = TargetStatus(
        account_id=target.key.account_id,
        region=target.key.region,
        cluster=target.key.cluster,
        service_arn=service.arn,
        service_created_time=service.created_at,
    )
    known = draft.target
    if known is None or known == seen:
        draft.target = seen
        return None
    pin = draft.pin
    assert pin is not None
    if attempts.is_open(draft.rollout):
        attempts.end(facts, draft, attempts.ABANDONED, f"the target became {service.arn}")
    asked = retry_wanted(facts, draft) is not None or pin != facts.status.pin
    runs_there = match_service(service, attempts.accepted(pin)) is Match.YES
    if not (asked or runs_there):
        what = "was deleted and created again" if known.service_arn == seen.service_arn else "is another one"
        return Outcome(
            stalled(
                Reason.TARGET_CHANGED,
                f"ECS service {target.key} {what} (before: {known.service_arn}) and does not run the wanted images: nothing is deployed"
                " there until the source changes or annotation ecs-release.dev/retry asks for it",
            )
        )
    draft.target = seen
    if runs_there:
        attempts.adopt(facts, draft, pin)
    return None
