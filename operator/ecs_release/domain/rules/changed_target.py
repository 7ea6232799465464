"""When a Release's target, or what the Project lists of it, is another than before.

Editing a Project or an Environment never deploys (law 15): only a new source or a retry takes the change in.
"""

from __future__ import annotations

from ecs_release.api.conditions import Reason
from ecs_release.api.release_status import TargetStatus
from ecs_release.domain.artifacts.source import unpinned
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Changed, Draft, Outcome, RuleResult
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.request_annotations import retry_requested
from ecs_release.domain.decision.suspension import suspension_of
from ecs_release.domain.model.clauses import join_clauses
from ecs_release.domain.model.conditions import held, situation_of_problem, stalled
from ecs_release.domain.model.errors import Retryable
from ecs_release.domain.rules.at_rest import compared, is_proven
from ecs_release.domain.verification.proof import Match


def same_target(facts: Facts, draft: Draft) -> RuleResult:
    """Go on if the target is as it was, or if the wanted digests run at the new one; else wait for a request.

    A new source takes the new target in. A retry does so once its attempt begins, for until then it may be withdrawn.
    """
    seen, known, pin = facts.target_seen, draft.target, draft.pin
    assert seen is not None and pin is not None
    if known == seen:
        return None
    if known is None or _is_named_by_ledger(known, seen):
        draft.target = seen
        return Changed("the target is recorded")
    _end_attempt(facts, draft, known, seen)
    if is_proven(facts, draft):
        attempts.adopt(facts, draft, pin)
        return Changed("the target is another one, and the wanted images run there")
    if not attempts.is_same(pin, facts.status.pin) and not facts.wanted.by_retry:
        draft.target = seen
        return Changed("the target is another one, and so is the source")
    if retry_requested(facts.release.metadata, draft) is not None:
        return Changed("the target is another one, and a retry is requested")
    what = "was deleted and created again" if known.service_arn == seen.service_arn else "is another one"
    draft.drift = None
    return Outcome(
        stalled(
            Reason.TARGET_CHANGED,
            f"ECS service {facts.place.target.key if facts.place.target else ''} {what} (before: {known.service_arn}) and does not run the"
            " wanted images: nothing is deployed there until the source changes or annotation ecs-release.dev/retry asks for it",
        )
    )


def _is_named_by_ledger(known: TargetStatus, seen: TargetStatus) -> bool:
    """Return whether the service seen is the one that the ledger names, which has only the ARN."""
    return known == TargetStatus(service_arn=seen.service_arn)


def _end_attempt(facts: Facts, draft: Draft, known: TargetStatus, seen: TargetStatus) -> None:
    """End the attempt under way: at its target nobody looks any more. Should that come back, its deployment is followed again."""
    rollout = draft.rollout
    if rollout is None or not attempts.is_open(rollout):
        return
    perhaps = attempts.intended_action(rollout) == attempts.UPDATE and facts.tracking.doubt is not None
    if attempts.is_deployed(rollout) or perhaps:
        what = f"deployment {rollout.deployment_id}" if rollout.deployment_id else "what may have been deployed"
        attempts.end(
            facts,
            draft,
            Reason.TARGET_CHANGED,
            f"the target became {seen.service_arn} meanwhile: how {what} at {known.service_arn} ended is not known",
        )
    else:
        attempts.end(facts, draft, attempts.ABANDONED, f"the target became {seen.service_arn} before anything was deployed")


def listed_containers_pinned(facts: Facts, draft: Draft) -> Outcome | None:
    """Wait for a new source or a retry if the Project lists a container for which the source was not resolved."""
    target, pin = facts.place.target, draft.pin
    assert target is not None and pin is not None
    missing = unpinned(pin, target.containers)
    if not missing:
        return None
    what = f"the Project lists container {', '.join(missing)} of ECS service {target.key}, for which the source was not resolved yet"
    suspension = suspension_of(facts)
    if suspension is not None:
        reason, message = suspension.reason, suspension.message
        return Outcome(held(False if compared(facts, draft) is Match.NO else None, reason, join_clauses(message, what)))
    if facts.release.spec.source.images:
        return _without_image(facts, draft, what)
    problem = facts.wanted.problem
    if problem is not None:
        return Outcome(situation_of_problem(problem), again_s=facts.limits.retry_s if isinstance(problem, Retryable) else None)
    text = f"{what}: nothing is deployed until the source changes or annotation ecs-release.dev/retry asks for it"
    return Outcome(stalled(Reason.TARGET_CHANGED, text))


def _without_image(facts: Facts, draft: Draft, what: str) -> Outcome:
    """Wait for a source with an image for the container: this one lists its images, and a retry cannot add one."""
    retry = retry_requested(facts.release.metadata, draft)
    if retry is not None:
        draft.handled_retry = retry
        draft.event("Warning", "RetryIgnored", "Retry", f"{what}, and spec.source has no image for it")
    text = f"{what}: nothing is deployed until spec.source has an image for it"
    of_set = "; a ReleaseSet gives its Releases one with a new source, or by annotation ecs-release.dev/refresh"
    return Outcome(stalled(Reason.TARGET_CHANGED, text + of_set))
