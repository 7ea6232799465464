"""A Release without status (a restored cluster, a re-created object): its past is recovered, so that what failed stays held (law 7)."""

from __future__ import annotations

from ecs_release.api.conditions import Reason
from ecs_release.api.release_status import Pin, ReleaseStatus, Rollout
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Changed, Draft
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.history_entry import entry
from ecs_release.domain.ecs.service import Service, TaskDefinition
from ecs_release.domain.model.image_names import short_digest
from ecs_release.domain.recovery import from_ledger
from ecs_release.domain.recovery.from_tags import Past, Recovered, recover

_HELD = {
    Past.OLDER: (
        Reason.REAPPEARED_OLDER,
        "{revision}, which this Release deployed before from the same source, runs other images than the source means now"
        " ({wanted}): nothing is deployed until the source changes or annotation ecs-release.dev/retry asks for it",
    ),
    Past.ROLLED_BACK: (
        Reason.ROLLED_BACK,
        "{revision} was registered for the same source before, and {runs} is in its place now: ECS rolled back, or somebody"
        " went back, or it was never deployed. Nothing is deployed until the source changes or annotation ecs-release.dev/retry asks for"
        " it",
    ),
    Past.SUPERSEDED: (
        Reason.SUPERSEDED,
        "{revision} was registered for the same source before, and {runs} is in its place now: somebody deployed that later, or"
        " ECS or somebody went back to it. Nothing is deployed until the source changes or annotation ecs-release.dev/retry asks for it",
    ),
}


def needs_recovery(status: ReleaseStatus) -> bool:
    """Return whether a status says nothing of the Release's past."""
    return status.pin is None and status.rollout is None and status.last_ready is None


def recover_past(facts: Facts, draft: Draft) -> Changed | None:
    """Fill the draft with what the ledger has or, if that has nothing, what our tags say."""
    service, running, pin = facts.service, facts.revisions.running, draft.pin
    if not needs_recovery(facts.status) or draft.rollout is not None or service is None or running is None or pin is None:
        return None
    if from_ledger.recall(facts, draft):
        return Changed("the past is recovered from the ledger")
    _recover_from_tags(facts, draft, pin, service, running)
    from_ledger.abandon_unknown(facts, draft)
    return Changed("the past is recovered from tags on task definitions")


def _recover_from_tags(facts: Facts, draft: Draft, pin: Pin, service: Service, running: TaskDefinition) -> None:
    found = recover(
        service,
        running,
        facts.revisions.newest,
        attempts.digests(pin),
        installation=facts.limits.installation,
        release=facts.name,
        source=pin.source_hash or "",
    )
    if found.past in _HELD:
        _hold(facts, draft, pin, found, running)
    elif found.past is Past.UNDER_WAY and service.primary is not None:
        draft.rollout = _recovered(facts, pin, found).model_copy(update={"deployment_id": service.primary.id})
        draft.enter(entry(facts, draft, draft.rollout))


def _recovered(facts: Facts, pin: Pin, found: Recovered) -> Rollout:
    owner = found.owner
    known = {"task_definition": found.revision.arn if found.revision else None}
    if owner and owner.attempt:
        known["attempt_id"] = owner.attempt
    return attempts.attempt_at(facts, pin, "Requested").model_copy(update=known)


def _hold(facts: Facts, draft: Draft, pin: Pin, found: Recovered, running: TaskDefinition) -> None:
    reason, text = _HELD[found.past]
    revision = found.revision.arn.rpartition("/")[2] if found.revision else "a revision"
    wanted = ", ".join(f"{i.container} {short_digest(i.digest or '')}" for i in pin.images or ())
    draft.rollout = _recovered(facts, pin, found)
    draft.enter(entry(facts, draft, draft.rollout))
    attempts.end(facts, draft, reason, text.format(revision=revision, wanted=wanted, runs=running.arn.rpartition("/")[2]))
