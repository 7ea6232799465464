"""A Release without status whose past is in the ledger: its pin and its last verdict are those that were recorded."""

from __future__ import annotations

from datetime import datetime

from ecs_release.api.conditions import Reason
from ecs_release.api.ledger import CurrentPart, LedgerCurrent
from ecs_release.api.meta import shared_fields
from ecs_release.api.record_status import AttemptRecord, ForeignDeployment, ForeignImage
from ecs_release.api.release_status import (
    UNKNOWN_PLATFORMS,
    HistoryEntry,
    ImageChange,
    LastReady,
    Pin,
    PinnedImage,
    ReadyImage,
    Rollout,
    TargetStatus,
)
from ecs_release.api.source import Source
from ecs_release.domain.artifacts import environment_tag
from ecs_release.domain.artifacts.source import source_hash
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ecs.service import Service
from ecs_release.domain.ecs.task_definitions import ownership
from ecs_release.domain.ports.ledger_acknowledgements import END, START
from ecs_release.domain.verification.replaced_deployment import started_by_ecs


def recorded_pin(remembered: LedgerCurrent | None, source: Source) -> Pin | None:
    """Return what a source was resolved to when it was recorded; None if it was another source, or nothing is recorded.

    A tag that has moved since means what it meant then (law 2: a source is resolved once). The ledger has no platforms: until ECR has told
    them they are unknown.
    """
    wanted = remembered.wanted if remembered else None
    if wanted is None or wanted.source_hash != source_hash(source):
        return None
    images = [
        PinnedImage(container=i.container, digest=i.digest, release_hash=i.hash, platforms=UNKNOWN_PLATFORMS)
        for i in wanted.images or ()
        if i.digest
    ]
    return Pin(id=wanted.pin_id, source_hash=wanted.source_hash, resolved_time=wanted.time, images=images) if images else None


def recall(facts: Facts, draft: Draft) -> bool:
    """Fill a draft with the ledger's record. Returns whether that has an attempt, so that our tags need not be read."""
    remembered = facts.ledger.remembered
    if remembered is None:
        return False
    draft.ledger = draft.ledger.model_copy(update={"since_time": remembered.observed_time})
    if remembered.foreign is not None and remembered.foreign.deployment_id:
        draft.foreign = (_foreign(remembered.foreign, remembered.observed_time),)
    if remembered.ready is not None and draft.last_ready is None:
        draft.last_ready = _last_ready(remembered.ready)
    deployed = remembered.deployed
    if deployed is None or not deployed.attempt_id:
        return False
    under_way = not deployed.outcome
    if under_way and not _is_listed(facts.service, deployed):
        found = _of_tags(facts, deployed) or _forced(facts, deployed)
        if found is None:
            return False
        deployed = found
    draft.rollout = _rollout(deployed)
    draft.enter(_entry(deployed, START if under_way else END))
    if facts.status.target is None and _went_elsewhere(facts):
        # Its deployment is not to be looked for here, and nothing was released here.
        draft.target = TargetStatus(service_arn=remembered.service_arn)
    return True


def abandon_unknown(facts: Facts, draft: Draft) -> None:
    """End an attempt that began by the ledger and of which ECS has no trace: it was lost with the status that announced it."""
    deployed = facts.ledger.remembered.deployed if facts.ledger.remembered else None
    if deployed is None or not deployed.attempt_id or deployed.outcome:
        return
    known = draft.rollout is not None and draft.rollout.attempt_id == deployed.attempt_id
    if not known:
        before = draft.rollout
        draft.rollout = _rollout(deployed)
        draft.enter(_entry(deployed, START))
        outcome, message = _lost(facts, deployed)
        attempts.end(facts, draft, outcome, message)
        draft.rollout = before or draft.rollout
        return
    entry = next((e for e in draft.history if e.attempt_id == deployed.attempt_id), None)
    if entry is not None:
        draft.enter(entry.model_copy(update={"number": deployed.number, "record": AttemptRecord(state=START)}))


def _lost(facts: Facts, deployed: CurrentPart) -> tuple[str, str]:
    """Return how an attempt ended of which ECS has no trace. What was deployed is held, whatever became of it."""
    if _went_elsewhere(facts) and facts.ledger.remembered is not None and facts.service is not None:
        recorded = facts.ledger.remembered.service_arn
        return Reason.TARGET_CHANGED, f"the target became {facts.service.arn}: how it ended at {recorded} is not known"
    if deployed.deployment_id:
        return Reason.SUPERSEDED, f"ECS does not list its deployment {deployed.deployment_id} any more: how it ended is not known"
    return attempts.ABANDONED, "what was known of it is lost, and ECS lists no deployment of it"


def _went_elsewhere(facts: Facts) -> bool:
    """Return whether the ledger's record is of another ECS service than the target is now."""
    recorded = facts.ledger.remembered.service_arn if facts.ledger.remembered else None
    return bool(recorded) and facts.service is not None and recorded != facts.service.arn


def _is_listed(service: Service | None, deployed: CurrentPart) -> bool:
    return service is not None and bool(deployed.deployment_id) and service.deployment(deployed.deployment_id or "") is not None


def _of_tags(facts: Facts, deployed: CurrentPart) -> CurrentPart | None:
    """Complete an attempt whose deployment was not recorded: the tags of a revision name the attempt that made it."""
    made = (facts.limits.installation, facts.name, deployed.attempt_id)
    owners = {r.arn: ownership(r) for r in (facts.revisions.running, *facts.revisions.newest) if r is not None}
    # The first of a revision's deployments is the attempt's: what came after it somebody else has made.
    for deployment in sorted(facts.service.deployments if facts.service else (), key=lambda d: d.created_at):
        owner = owners.get(deployment.task_definition)
        if owner is not None and (owner.installation, owner.release, owner.attempt) == made:
            return deployed.model_copy(update={"deployment_id": deployment.id, "task_definition": deployment.task_definition})
    return None


def _forced(facts: Facts, deployed: CurrentPart) -> CurrentPart | None:
    """Complete an attempt of method EnvironmentTag: it deploys the service's own revision, which names nobody, so that its time tells."""
    target, service = facts.place.target, facts.service
    if target is None or service is None or not environment_tag.uses(target):
        return None
    if deployed.time is None or deployed.deployment_id or _went_elsewhere(facts):
        return None
    later = (d for d in service.deployments if d.created_at >= deployed.time and not started_by_ecs(d))
    first = min(later, key=lambda d: d.created_at, default=None)
    if first is None:
        return None
    return deployed.model_copy(update={"deployment_id": first.id, "task_definition": first.task_definition})


def _last_ready(ready: CurrentPart) -> LastReady:
    images = [ReadyImage(container=i.container, digest=i.digest, release_hash=i.hash) for i in ready.images or ()]
    return LastReady(source_hash=ready.source_hash, pin_id=ready.pin_id, images=images, time=ready.time)


def _foreign(part: CurrentPart, observed_time: datetime) -> ForeignDeployment:
    images = [ForeignImage(container=i.container, from_digest=i.digest, from_hash=i.hash) for i in part.images or ()]
    return ForeignDeployment(
        deployment_id=part.deployment_id or "",
        task_definition=part.task_definition,
        images=images or None,
        start_time=part.time,
        outcome=part.outcome,
        completion_time=observed_time if part.outcome else None,
        state=START,
    )


def _rollout(deployed: CurrentPart) -> Rollout:
    fields = shared_fields(Rollout, deployed) | {
        "attempt_id": deployed.attempt_id or "",
        "images": [ImageChange(container=i.container, to_digest=i.digest, to_hash=i.hash) for i in deployed.images or ()] or None,
        "start_time": deployed.time,
        "last_progress_time": deployed.time,
        "completion_time": deployed.time if deployed.outcome else None,
    }
    return Rollout(**fields)


def _entry(deployed: CurrentPart, state: str) -> HistoryEntry:
    record = AttemptRecord(state=state, outcome=deployed.outcome)
    return HistoryEntry(**shared_fields(HistoryEntry, deployed, _rollout(deployed)), record=record)
