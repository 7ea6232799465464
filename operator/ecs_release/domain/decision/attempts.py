"""Attempts: one try to make a Release true. When a new one is due, how one begins, and how it is written down when it ends."""

from __future__ import annotations

from datetime import datetime

from ecs_release.api.conditions import Reason
from ecs_release.api.release_status import (
    HistoryEntry,
    ImageChange,
    Intent,
    LastReady,
    Pin,
    ReadyImage,
    ReleaseStatus,
    Rollout,
)
from ecs_release.domain.artifacts.source import digests_of
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.history_entry import entry
from ecs_release.domain.verification.proof import Accepted, seen_digests

REGISTER, UPDATE, STOP, RETURN = "RegisterTaskDefinition", "UpdateService", "StopServiceDeployment", "RollBack"
PUT = "PutImage"

ABORTED, ABANDONED, ADOPTED = "Aborted", "Abandoned", "Adopted"
GOOD = frozenset({"Succeeded", "SucceededLate", "OvertakenSameDigests", "NothingRunning"})
REFINABLE = frozenset({"DeadlineExceeded", "RolloutFailed"})
"""Outcomes after which a deployment is still followed: it may come up late, or ECS may roll it back late."""


def accepted(pin: Pin) -> Accepted:
    """Return the digests that prove each container: the pinned one and, of a manifest list, those of its platforms."""
    return {i.container: frozenset({i.digest or "", *(i.platform_digests or ())}) for i in pin.images or ()}


def digests(pin: Pin) -> dict[str, str]:
    """Return the pinned digest of each container."""
    return digests_of(pin.images)


def aims_at(rollout: Rollout | HistoryEntry) -> dict[str, str]:
    """Return the digest that an attempt gives to each container that it changes."""
    return {i.container: i.to_digest for i in rollout.images or () if i.to_digest and not i.unlisted}


def covers(rollout: Rollout | None, pin: Pin) -> bool:
    """Tell whether an attempt was made for this very pin: the same source, resolved before the attempt began."""
    return (
        rollout is not None
        and rollout.outcome != ABANDONED
        and rollout.source_hash == pin.source_hash
        and aims_at(rollout) == digests(pin)
        and pin.resolved_time is not None
        and rollout.start_time is not None
        and rollout.start_time >= pin.resolved_time
    )


def was_ready(last_ready: LastReady | None, pin: Pin) -> bool:
    """Tell whether the Release has been Ready on this very pin: from then on a difference is drift, and no reason to deploy."""
    return (
        last_ready is not None
        and last_ready.source_hash == pin.source_hash
        and {i.container: i.digest for i in last_ready.images or ()} == digests(pin)
        and pin.resolved_time is not None
        and last_ready.time is not None
        and last_ready.time >= pin.resolved_time
    )


def is_open(rollout: Rollout | None) -> bool:
    """Tell whether an attempt is under way."""
    return rollout is not None and not rollout.outcome


def is_deployed(rollout: Rollout | None) -> bool:
    """Tell whether an attempt has reached ECS: it has a deployment that can be followed."""
    return rollout is not None and bool(rollout.deployment_id)


def moved(facts: Facts, rollout: Rollout) -> datetime:
    """Return when an attempt came further last; time in which nobody could see that does not count, nor what ECS waits on purpose."""
    times = (rollout.last_progress_time, facts.patient_from, rollout.start_time)
    return max((t for t in times if t is not None), default=facts.now)


def intends(rollout: Rollout | None) -> str:
    """Name the action that an attempt has announced and not yet seen accepted by AWS; an empty string where there is none."""
    if rollout is None or rollout.outcome or rollout.intent is None or rollout.intent.accepted_time is not None:
        return ""
    return rollout.intent.action or ""


def settled(draft: Draft, pin: Pin) -> bool:
    """Tell whether this pin has had its attempt already, or needed none (law 5: after a failure the operator holds)."""
    return covers(draft.rollout, pin) or was_ready(draft.last_ready, pin)


def is_settled(status: ReleaseStatus, pin: Pin) -> bool:
    """Tell the same of a status."""
    return covers(status.rollout, pin) or was_ready(status.last_ready, pin)


def changes(facts: Facts, pin: Pin) -> list[ImageChange]:
    """List what an attempt changes: from the digest that most tasks run to the pinned one.

    Containers that are left alone are listed with what they run now: ECS resolves their tags anew with each deployment (law 8).
    """
    runs: dict[str, str] = {}
    for seen in seen_digests(facts.service) if facts.service else ():
        if seen.digest:
            runs.setdefault(seen.container, seen.digest)
    known = facts.release_hashes
    listed = [
        ImageChange(
            container=image.container,
            from_digest=runs.get(image.container),
            from_hash=known.get(runs.get(image.container, "")) or None,
            to_digest=image.digest,
            to_hash=image.release_hash,
        )
        for image in pin.images or ()
    ]
    names = {image.container for image in listed}
    beside = [ImageChange(container=c, from_digest=d, unlisted=True) for c, d in runs.items() if c not in names]
    if facts.tags is not None:
        listed = [i.model_copy(update={"tag_digest": facts.tags.get(i.container) or None}) for i in listed]
    return (listed + beside)[:20]


def begin(facts: Facts, draft: Draft, pin: Pin, cause: str, window: str = "") -> None:
    """Begin an attempt with the intent to register its revision, or to move the environment's tag. It is in the history from now on."""
    service, look = facts.service, facts.look
    assert service is not None and look is not None
    first = REGISTER if facts.tags is None else PUT
    draft.rollout = Rollout(
        attempt_id=facts.attempt_id,
        cause=cause,
        source_hash=pin.source_hash,
        window=window[:1024] or None,
        intent=Intent(action=first, deployments=[d.id for d in service.deployments][:50], aws_time=look.aws_time),
        rollback_target=service.task_definition,
        start_time=facts.now,
        last_progress_time=facts.now,
        images=changes(facts, pin),
    )
    draft.enter(entry(facts, draft, draft.rollout))


def intend_update(rollout: Rollout, task_definition: str, facts: Facts) -> Rollout:
    """Intend to point the service at the attempt's revision, and note what ECS lists before that (law 6)."""
    service, look = facts.service, facts.look
    assert service is not None and look is not None
    intent = Intent(
        action=UPDATE,
        deployments=[d.id for d in service.deployments][:50],
        task_definition=task_definition,
        aws_time=look.aws_time,
    )
    return rollout.model_copy(update={"task_definition": task_definition, "intent": intent, "rollback_target": service.task_definition})


def intend_forced(rollout: Rollout, facts: Facts) -> Rollout:
    """Intend to force a deployment of the revision that the service has: its tag is moved."""
    assert facts.service is not None
    moved = rollout.model_copy(update={"environment_tag": "Moved"})
    return intend_update(moved, facts.service.task_definition, facts)


def intend(rollout: Rollout, action: str, facts: Facts) -> Rollout:
    """Announce another action on the attempt's deployment."""
    aws_time = facts.look.aws_time if facts.look else None
    listed = [d.id for d in facts.service.deployments][:50] if facts.service else []
    return rollout.model_copy(update={"intent": Intent(action=action, deployments=listed, aws_time=aws_time)})


def started(facts: Facts, draft: Draft, deployment_id: str, request_id: str = "") -> None:
    """Note the deployment that is ours from now on: UpdateService answered it, or it was found after a lost answer."""
    rollout = draft.rollout
    assert rollout is not None and rollout.intent is not None
    intent = rollout.intent.model_copy(update={"accepted_time": facts.now})
    found = {"deployment_id": deployment_id, "request_id": request_id or None}
    draft.rollout = rollout.model_copy(update={**found, "intent": intent, "last_progress_time": facts.now})
    draft.enter(entry(facts, draft, draft.rollout))


def overtaken(draft: Draft) -> bool:
    """Tell whether the deployment now followed is another than the one that the attempt started."""
    rollout = draft.rollout
    own = next((e.deployment_id for e in draft.history if rollout and e.attempt_id == rollout.attempt_id), None)
    return rollout is not None and own is not None and own != rollout.deployment_id


def end(facts: Facts, draft: Draft, outcome: str, message: str) -> None:
    """End the attempt under way (or refine how it ended), and write it into the history."""
    rollout = draft.rollout
    assert rollout is not None
    ended = rollout.model_copy(
        update={
            "images": _with_unlisted(facts, draft, rollout) if outcome in GOOD else rollout.images,
            "outcome": str(outcome),
            "message": message[:1024],
            "completion_time": facts.now,
            "evidence": list(facts.evidence[:3]) or rollout.evidence,
            "awaiting": None,
            "traffic_percent": None,
        }
    )
    draft.rollout = ended
    draft.enter(entry(facts, draft, ended).model_copy(update={"images": ended.images}))


def _with_unlisted(facts: Facts, draft: Draft, rollout: Rollout) -> list[ImageChange]:
    """Fill in what the containers that we left alone run now, and say where that changed."""
    runs = {s.container: s.digest for s in reversed(seen_digests(facts.service)) if s.digest} if facts.service else {}
    images: list[ImageChange] = []
    for image in rollout.images or ():
        now_runs = runs.get(image.container)
        if image.unlisted and now_runs:
            if image.from_digest and image.from_digest != now_runs:
                note = f"container {image.container}, which is left alone, changed from {image.from_digest} to {now_runs}"
                draft.say("Normal", "UnlistedImageChanged", "Deploy", note + ": its tag was resolved anew by ECS")
            images.append(image.model_copy(update={"to_digest": now_runs}))
        else:
            images.append(image)
    return images


def adopt(facts: Facts, draft: Draft, pin: Pin, cause: str = ADOPTED) -> None:
    """Take what runs already as done (law 7): recorded in the history, nothing is deployed."""
    service = facts.service
    primary = service.primary if service else None
    rollout = Rollout(
        attempt_id=facts.attempt_id,
        cause=cause,
        source_hash=pin.source_hash,
        deployment_id=primary.id if primary else None,
        task_definition=service.task_definition if service else None,
        stage="COMPLETED",
        start_time=facts.now,
        last_progress_time=facts.now,
        images=changes(facts, pin),
    )
    draft.rollout = rollout
    nothing = service is not None and service.desired == 0
    outcome = Reason.NOTHING_RUNNING if nothing else Reason.SUCCEEDED
    end(facts, draft, str(outcome), "the wanted digests ran already")
    note_ready(facts, draft, pin)


def note_ready(facts: Facts, draft: Draft, pin: Pin) -> None:
    """Remember that the Release was Ready on this pin."""
    if was_ready(draft.last_ready, pin):
        return
    draft.last_ready = LastReady(
        source_hash=pin.source_hash,
        images=[ReadyImage(container=i.container, digest=i.digest, release_hash=i.release_hash) for i in pin.images or ()],
        time=facts.now,
    )
