"""Foreign deployments, which no Release started: found as they become PRIMARY, followed to the end, recorded with the caller if known."""

from __future__ import annotations

from ecs_release.api.conditions import Reason
from ecs_release.api.record_status import ForeignDeployment, ForeignImage
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.running_status import changed_by
from ecs_release.domain.ecs.service import COMPLETED, FAILED, Deployment, Service
from ecs_release.domain.ecs.task_definitions import ownership
from ecs_release.domain.verification.proof import seen_digests
from ecs_release.domain.verification.replaced_deployment import started_by_ecs

MAX_FOREIGN = 5
ENDED_COMPLETED, ENDED_FAILED, ENDED_REPLACED = "Completed", "Failed", "Replaced"
_BACK = frozenset({str(Reason.ROLLED_BACK), attempts.ABORTED})


def track(facts: Facts, draft: Draft) -> None:
    """Update `draft.foreign` by the last look. What is there at first sight is not new; from then on AWS's clock tells what is."""
    service, look = facts.service, facts.seen.look
    if service is None or look is None or facts.seen.unread is not None:
        return
    since, primary = draft.ledger.since_time, service.primary
    if since is None:
        # The answer's date has whole seconds: what is there may have begun after it.
        since_time = max(look.aws_time, primary.created_at) if primary is not None else look.aws_time
        draft.ledger = draft.ledger.model_copy(update={"since_time": since_time})
    known = tuple(_follow(facts, service, f) for f in draft.foreign)
    if primary is not None and since is not None and primary.created_at > since and _is_foreign(facts, draft, primary, known):
        known = (_begun(facts, primary), *known)
    draft.foreign = known


def _is_foreign(facts: Facts, draft: Draft, primary: Deployment, known: tuple[ForeignDeployment, ...]) -> bool:
    """Return whether the PRIMARY deployment is neither one of our attempts' nor a rollback by ECS.

    One that begins during an attempt may be that attempt's, or ECS's rollback of it: only the attempt's verdict decides that.
    """
    rollout = draft.rollout
    if any(f.deployment_id == primary.id for f in known) or started_by_ecs(primary):
        return False
    if any(entry.deployment_id == primary.id for entry in draft.history) or _is_forgotten(facts, draft, primary):
        return False
    if rollout is None or rollout.intent is None or primary.id in (rollout.intent.deployments or ()):
        return True
    if attempts.is_open(rollout):
        return False
    if rollout.deployment_id == primary.id:
        return attempts.overtaken(draft)
    return not (rollout.outcome in _BACK and attempts.is_deployed(rollout) and primary.task_definition == rollout.rollback_target)


def _is_forgotten(facts: Facts, draft: Draft, primary: Deployment) -> bool:
    """Return whether a later attempt of ours started a deployment, and this status is older, because it was restored from a backup.

    The revision's tags name the attempt. If the history has that attempt, or is newer, somebody else deployed our revision: anybody may
    go back to it.
    """
    running = facts.revisions.running
    owner = ownership(running) if running is not None and running.arn == primary.task_definition else None
    if owner is None or (owner.installation, owner.release) != (facts.limits.installation, facts.name):
        return False
    return bool(draft.history) and owner.attempt > max(entry.attempt_id for entry in draft.history)


def _begun(facts: Facts, primary: Deployment) -> ForeignDeployment:
    """Return the record of a deployment that begins: what ran before is what the last look showed."""
    before = facts.status.running
    ran = {c.name: next((d for d in c.digests or () if d.digest), None) for c in (before.containers if before else None) or ()}
    images = [ForeignImage(container=name, from_digest=d.digest, from_hash=d.release_hash) for name, d in ran.items() if d is not None]
    made = ForeignDeployment(
        deployment_id=primary.id, task_definition=primary.task_definition, images=images or None, start_time=primary.created_at
    )
    assert facts.service is not None
    return _follow(facts, facts.service, made)


def _follow(facts: Facts, service: Service, known: ForeignDeployment) -> ForeignDeployment:
    """Update a deployment by a look: who started it, what it runs, and whether it has ended."""
    primary = service.primary
    is_primary = primary is not None and primary.id == known.deployment_id
    changed: dict[str, object] = {}
    if is_primary and primary is not None and not known.changed_by and (author := changed_by(facts, primary)) is not None:
        changed |= {"changed_by": author.arn, "user_agent": author.user_agent}
    if not known.outcome and (outcome := _outcome(service, known, is_primary=is_primary)):
        changed |= {"outcome": outcome, "completion_time": facts.now, "images": _images(facts, service, known) or None}
    return known.model_copy(update=changed) if changed else known


def _outcome(service: Service, known: ForeignDeployment, *, is_primary: bool) -> str:
    deployment = service.deployment(known.deployment_id)
    if known.deployment_id in service.failed_deployments or (deployment is not None and deployment.rollout_state == FAILED):
        return ENDED_FAILED
    if not is_primary or deployment is None:
        return ENDED_REPLACED
    if deployment.rollout_state is None:
        whole = len(service.deployments) == 1 and deployment.running == deployment.desired and deployment.pending == 0
        return ENDED_COMPLETED if whole else ""
    return ENDED_COMPLETED if deployment.rollout_state == COMPLETED else ""


def _images(facts: Facts, service: Service, known: ForeignDeployment) -> list[ForeignImage]:
    """List what its tasks run now, beside what ran before."""
    images = {i.container: i for i in known.images or ()}
    runs: dict[str, str] = {}
    for seen in seen_digests(service):
        if seen.container and seen.digest:
            runs.setdefault(seen.container, seen.digest)
    for name, digest in runs.items():
        before = images.get(name) or ForeignImage(container=name)
        images[name] = before.model_copy(update={"to_digest": digest, "to_hash": facts.release_hashes.get(digest)})
    return list(images.values())[:30]
