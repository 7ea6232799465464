"""Attempts: each deploys a pin once. Which pin an attempt was made for, how it begins, and how it is recorded when it ends."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from ecs_release.api.conditions import ConditionType, Reason
from ecs_release.api.meta import to_microtime
from ecs_release.api.release_status import (
    UNKNOWN_PLATFORMS,
    HistoryEntry,
    ImageChange,
    Intent,
    LastReady,
    Pin,
    PlatformDigests,
    ReadyImage,
    ReleaseStatus,
    Rollout,
    RolloutProgress,
)
from ecs_release.domain.artifacts import environment_tag
from ecs_release.domain.artifacts.source import digests_of
from ecs_release.domain.decision import announced_answers
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.decision.facts import Doubt, Facts
from ecs_release.domain.decision.history_entry import entry
from ecs_release.domain.ecs import interventions
from ecs_release.domain.model.conditions import find
from ecs_release.domain.verification.proof import Accepted, ImageDigests, seen_digests

REGISTER, UPDATE, STOP, RETURN = "RegisterTaskDefinition", "UpdateService", "StopServiceDeployment", "RollBack"
PUT = environment_tag.PUT
ANSWER = "ContinueServiceDeployment"

ABORTED, ABANDONED, ADOPTED = "Aborted", "Abandoned", "Adopted"
GOOD = frozenset({"Succeeded", "SucceededLate", "OvertakenSameDigests", "NothingRunning"})
PROVEN = GOOD - {"NothingRunning"}
"""Outcomes after which tasks have shown the wanted digests."""
NO_PROGRESS = RolloutProgress(new_tasks=0)
"""Of a deployment that no look has shown yet. Never an empty object: server-side apply makes null of one that loses its last field."""
REFINABLE = frozenset({"DeadlineExceeded", "RolloutFailed", "TargetChanged"})
"""Outcomes after which a deployment is still followed: it may come up late, ECS may roll it back late, or the target may come back."""


def proofs(pin: Pin) -> Accepted:
    """Return the digests that prove each pinned container: the pinned one and, of a manifest list, those of its platforms."""
    return {
        i.container: ImageDigests(frozenset({i.digest or "", *(i.platform_digests or ())}), complete=i.platforms != UNKNOWN_PLATFORMS)
        for i in pin.images or ()
    }


def accepted(facts: Facts, pin: Pin) -> Accepted:
    """Return the digests that prove each container that the Project lists: one that is not listed any more is left alone.

    If none of the pin is listed any more all of it counts: a proof of nothing would prove everything.
    """
    return _of_listed(facts, proofs(pin))


def _of_listed(facts: Facts, accepted: Accepted) -> Accepted:
    listed = {c.name for c in facts.place.target.containers} if facts.place.target is not None else accepted.keys()
    return {c: p for c, p in accepted.items() if c in listed} or accepted


def accepted_by(facts: Facts, rollout: Rollout, pin: Pin | None) -> Accepted:
    """Return the digests that prove an attempt's images: those of the pin that it was made for, even if another one is in force by now.

    A container that the Project does not list any more is left alone here, too: the attempt's revision has its image as it was.
    """
    wanted = aims_at(rollout)
    platforms = {p.container: p.digests or () for p in rollout.platform_digests or ()}
    known = proofs(pin) if pin is not None and digests(pin) == wanted else {}
    own = {c: ImageDigests(frozenset({digest, *platforms.get(c, ())})) for c, digest in wanted.items()}
    found = {c: ImageDigests(o.digests | known[c].digests, complete=known[c].complete) if c in known else o for c, o in own.items()}
    return _of_listed(facts, found)


def _platform_digests(pin: Pin) -> list[PlatformDigests] | None:
    return [PlatformDigests(container=i.container, digests=i.platform_digests) for i in pin.images or () if i.platform_digests] or None


def digests(pin: Pin) -> dict[str, str]:
    """Return the pinned digest of each container."""
    return digests_of(pin.images)


def aims_at(rollout: Rollout | HistoryEntry) -> dict[str, str]:
    """Return the digest that an attempt gives to each container that it changes."""
    return {i.container: i.to_digest for i in rollout.images or () if i.to_digest and not i.unlisted}


def pin_id(pin: Pin) -> str:
    """Return the id by which attempts name a pin. Those of older versions had none: their source and time are unique, too."""
    return pin.id or f"{pin.source_hash}/{to_microtime(pin.resolved_time) if pin.resolved_time else ''}"


def is_same(pin: Pin, before: Pin | None) -> bool:
    """Return whether a pin is the one from before: what is known of its images may have grown."""
    return before is not None and pin_id(pin) == pin_id(before) and digests(pin) == digests(before)


def covers(rollout: Rollout | None, pin: Pin) -> bool:
    """Return whether an attempt was made for this very pin."""
    return (
        rollout is not None
        and rollout.outcome != ABANDONED
        and _is_of(pin, rollout.pin_id, rollout.source_hash, aims_at(rollout), rollout.start_time)
    )


def was_ready(last_ready: LastReady | None, pin: Pin) -> bool:
    """Return whether the Release has been Ready on this very pin: from then on a difference is drift, and no reason to deploy."""
    if last_ready is None:
        return False
    images = {i.container: i.digest for i in last_ready.images or ()}
    return _is_of(pin, last_ready.pin_id, last_ready.source_hash, images, last_ready.time)


def _is_of(pin: Pin, named: str | None, source: str | None, images: Mapping[str, str | None], time: datetime | None) -> bool:
    """Return whether a record is of a pin: by the pin's id that it names.

    Records of older versions name none. They are of a pin of the same source and digests that was resolved before them.
    """
    if named is not None:
        return named == pin_id(pin)
    same = source == pin.source_hash and images == digests(pin)
    return same and pin.id is None and pin.resolved_time is not None and time is not None and time >= pin.resolved_time


def is_open(rollout: Rollout | None) -> bool:
    """Return whether an attempt is under way."""
    return rollout is not None and not rollout.outcome


def is_deployed(rollout: Rollout | None) -> bool:
    """Return whether an attempt has reached ECS: it has a deployment that can be followed."""
    return rollout is not None and bool(rollout.deployment_id)


def has_started(rollout: Rollout | None, deployment_id: str) -> bool:
    """Return whether a deployment is an attempt's own: one that was adopted while it was under way stays somebody else's."""
    if rollout is None or rollout.deployment_id != deployment_id:
        return False
    return rollout.intent is None or bool(rollout.intent.action)


def is_followed(rollout: Rollout) -> bool:
    """Return whether an attempt's deployment is followed: it is under way, or its outcome may still be refined."""
    return is_deployed(rollout) and (not rollout.outcome or rollout.outcome in REFINABLE)


def last_progress(facts: Facts, rollout: Rollout) -> datetime:
    """Return since when an attempt makes no progress: time in which that cannot be seen does not count, nor what ECS waits on purpose."""
    ready, outage = find(facts.status.conditions, ConditionType.READY), facts.tracking.outage
    if rollout.last_progress_time is None or (ready is not None and ready.reason == Reason.OBSERVATION_FAILED):
        return facts.now
    since = max(rollout.last_progress_time, rollout.start_time or rollout.last_progress_time)
    return outage.put_off(since) if outage is not None else since


def accepted_time(rollout: Rollout) -> datetime | None:
    """Return when ECS accepted the attempt's deployment, or a little later: the intent of an abort takes the place of the one that says it.

    None if it has none.
    """
    if not rollout.deployment_id:
        return None
    accepted = rollout.intent.accepted_time if rollout.intent else None
    return accepted or rollout.last_progress_time or rollout.start_time


def intended_action(rollout: Rollout | None) -> str:
    """Return the action that an attempt has announced and AWS has not accepted yet; an empty string if there is none."""
    if rollout is None or rollout.outcome or rollout.intent is None or rollout.intent.accepted_time is not None:
        return ""
    return rollout.intent.action or ""


def is_cleared_up(facts: Facts, doubt: Doubt) -> bool:
    """Return whether the look would show what a call in doubt has done: reads may lag behind it no more."""
    look = facts.seen.look
    return look is None or look.as_of >= doubt.since + timedelta(seconds=facts.limits.visible_s)


def announced_call(rollout: Rollout | None) -> str:
    """Return which call status announces that AWS has not accepted yet: an action, or an answer to a hook; an empty string if none."""
    action = intended_action(rollout)
    answer = interventions.announced(rollout.interventions) if rollout is not None and is_open(rollout) and not action else None
    return f"{ANSWER} {answer.hook_id}" if answer is not None else action


def is_settled(of: Draft | ReleaseStatus, pin: Pin) -> bool:
    """Return whether a pin has had its attempt already, or needed none (law 5: a source that has failed is not tried again by itself)."""
    return covers(of.rollout, pin) or was_ready(of.last_ready, pin)


def changes(facts: Facts, pin: Pin) -> list[ImageChange]:
    """List what an attempt changes: from the digest that most tasks run to the pinned one.

    Containers that are left alone are listed with what they run now, for ECS resolves their tags anew with each deployment.
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
    if facts.tags.digests is not None:
        listed = [i.model_copy(update={"tag_digest": facts.tags.digests.get(i.container) or None}) for i in listed]
    return (listed + beside)[:20]


def attempt_at(facts: Facts, pin: Pin, cause: str) -> Rollout:
    """Return an attempt at a pin that begins now."""
    return Rollout(
        attempt_id=facts.attempt_id,
        cause=cause,
        source_hash=pin.source_hash,
        pin_id=pin_id(pin),
        start_time=facts.now,
        last_progress_time=facts.now,
        images=changes(facts, pin),
        platform_digests=_platform_digests(pin),
    )


def begin(facts: Facts, draft: Draft, pin: Pin, cause: str, window: str = "", commits: str = "") -> None:
    """Begin an attempt with the intent to register its revision, or to move the environment's tag. It is in the history from then on.

    An attempt at an older source that is still under way ends with it.
    """
    service = facts.service
    assert service is not None
    first = REGISTER if facts.tags.digests is None else PUT
    rollout = attempt_at(facts, pin, cause)
    rights = {"window": window[:1024] or None, "commits": commits[:1024] or None}
    begun: dict[str, object] = {**rights, "intent": _intent(facts, first), "rollback_target": service.task_definition}
    if draft.rollout is not None and draft.rollout.outcome not in GOOD:
        begun["images"] = environment_tag.with_origins(rollout.images or (), draft.rollout)
    draft.enter(entry(facts, draft, _replace(facts, draft, rollout.model_copy(update=begun))))


def _replace(facts: Facts, draft: Draft, rollout: Rollout) -> Rollout:
    """Put an attempt in the place of the latest one, which ends if it is still under way, and take in the target that it is made for."""
    if is_open(draft.rollout):
        end(facts, draft, Reason.SUPERSEDED, "a newer source of this Release took its place")
    draft.rollout, draft.target = rollout, facts.target_seen
    return rollout


def _intent(facts: Facts, action: str, task_definition: str | None = None) -> Intent:
    """Announce an action: what ECS lists before it, and which of that is PRIMARY."""
    service, look = facts.service, facts.seen.look
    return Intent(
        action=action,
        deployments=[d.id for d in service.deployments][:50] if service else [],
        primary_id=service.primary.id if service and service.primary else None,
        task_definition=task_definition,
        aws_time=look.aws_time if look else None,
    )


def intend_update(rollout: Rollout, task_definition: str, facts: Facts) -> Rollout:
    """Announce that the service is pointed at the attempt's revision; what ECS lists before that cannot be ours."""
    assert facts.service is not None
    intent, back = _intent(facts, UPDATE, task_definition), facts.service.task_definition
    return rollout.model_copy(update={"task_definition": task_definition, "intent": intent, "refused_time": None, "rollback_target": back})


def intend_forced(rollout: Rollout, facts: Facts) -> Rollout:
    """Intend to force a deployment of the revision that the service has: its tag is moved."""
    assert facts.service is not None
    moved = rollout.model_copy(update={"environment_tag": environment_tag.MOVED})
    return intend_update(moved, facts.service.task_definition, facts)


def intend(rollout: Rollout, action: str) -> Rollout:
    """Announce another action on the attempt's deployment. What was listed before that stays known: anything else is newer than it."""
    before = rollout.intent or Intent()
    intent = Intent(action=action, deployments=before.deployments, aws_time=before.aws_time)
    return rollout.model_copy(update={"intent": intent, "refused_time": None})


def started(facts: Facts, draft: Draft, deployment_id: str, request_id: str = "") -> None:
    """Record the deployment that is ours from now on: UpdateService returned it, or it was found after a lost answer."""
    rollout = draft.rollout
    assert rollout is not None and rollout.intent is not None
    intent = rollout.intent.model_copy(update={"accepted_time": facts.now})
    found = {"deployment_id": deployment_id, "request_id": request_id or None, "refused_time": None}
    draft.rollout = rollout.model_copy(update={**found, "intent": intent, "progress": NO_PROGRESS, "last_progress_time": facts.now})
    draft.enter(entry(facts, draft, draft.rollout))


def overtaken(draft: Draft) -> bool:
    """Return whether the deployment that is followed now is another than the one that the attempt started."""
    rollout = draft.rollout
    own = next((e.deployment_id for e in draft.history if rollout and e.attempt_id == rollout.attempt_id), None)
    return rollout is not None and own is not None and own != rollout.deployment_id


def end(facts: Facts, draft: Draft, outcome: str, message: str) -> None:
    """End the attempt under way (or refine how it ended), and write it into the history. What it has announced to a hook is settled."""
    if is_open(draft.rollout):
        intended, why = intended_action(draft.rollout), f"the attempt ended as {outcome}"
        announced_answers.settle(facts, draft, why, taken_back=intended in (STOP, RETURN), stopped=intended == RETURN)
    rollout = draft.rollout
    assert rollout is not None
    ended = rollout.model_copy(
        update={
            "images": _with_unlisted(facts, draft, rollout) if outcome in GOOD else rollout.images,
            "outcome": str(outcome),
            "message": message[:1024],
            "completion_time": facts.now,
            "evidence": list(facts.diagnostics.evidence[:3]) or rollout.evidence,
            "awaiting": None,
            "hooks": None,
            "traffic_percent": None,
        }
    )
    draft.rollout = ended
    draft.enter(entry(facts, draft, ended).model_copy(update={"images": ended.images}))


def _with_unlisted(facts: Facts, draft: Draft, rollout: Rollout) -> list[ImageChange]:
    """Fill in what the containers that were left alone run now, with an Event if that changed."""
    runs = {s.container: s.digest for s in reversed(seen_digests(facts.service)) if s.digest} if facts.service else {}
    images: list[ImageChange] = []
    for image in rollout.images or ():
        now_runs = runs.get(image.container)
        if image.unlisted and now_runs:
            if image.from_digest and image.from_digest != now_runs:
                note = f"container {image.container}, which is left alone, changed from {image.from_digest} to {now_runs}"
                draft.event("Normal", "UnlistedImageChanged", "Deploy", note + ": its tag was resolved anew by ECS")
            images.append(image.model_copy(update={"to_digest": now_runs}))
        else:
            images.append(image)
    return images


def adopt(facts: Facts, draft: Draft, pin: Pin, cause: str = ADOPTED) -> None:
    """Take what runs already as done: it is recorded in the history, and nothing is deployed (law 7: what runs already is adopted)."""
    service = facts.service
    primary = service.primary if service else None
    found = {"deployment_id": primary.id if primary else None, "task_definition": service.task_definition if service else None}
    _replace(facts, draft, attempt_at(facts, pin, cause).model_copy(update={**found, "stage": "COMPLETED"}))
    nothing = service is not None and service.desired == 0
    outcome = Reason.NOTHING_RUNNING if nothing else Reason.SUCCEEDED
    end(facts, draft, str(outcome), "the wanted digests ran already")
    if not nothing:
        note_ready(facts, draft, pin)


def adopt_under_way(facts: Facts, draft: Draft, pin: Pin, cause: str = ADOPTED) -> None:
    """Follow somebody's deployment of the wanted digests as an attempt: nothing is called, and its deadline begins now."""
    service, look = facts.service, facts.seen.look
    assert service is not None and service.primary is not None and look is not None
    others = [d for d in service.deployments if d is not service.primary]
    found = {
        "deployment_id": service.primary.id,
        "task_definition": service.primary.task_definition,
        "intent": Intent(deployments=[d.id for d in others][:50], aws_time=look.aws_time),
        "rollback_target": others[0].task_definition if others else None,
        "stage": service.primary.rollout_state,
    }
    draft.enter(entry(facts, draft, _replace(facts, draft, attempt_at(facts, pin, cause).model_copy(update=found))))


def note_ready(facts: Facts, draft: Draft, pin: Pin) -> None:
    """Remember that the PRIMARY deployment was proven to run this pin. Never if nothing runs: that proves nothing."""
    primary = facts.service.primary if facts.service else None
    deployment_id = primary.id if primary else None
    if draft.last_ready is not None and was_ready(draft.last_ready, pin):
        if draft.last_ready.deployment_id != deployment_id:
            draft.last_ready = draft.last_ready.model_copy(update={"deployment_id": deployment_id})
        return
    draft.last_ready = LastReady(
        source_hash=pin.source_hash,
        pin_id=pin_id(pin),
        images=[ReadyImage(container=i.container, digest=i.digest, release_hash=i.release_hash) for i in pin.images or ()],
        deployment_id=deployment_id,
        time=facts.now,
    )
