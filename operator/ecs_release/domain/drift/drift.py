"""Drift: what runs that this Release did not deploy; since when, by whom, and whether and when the operator puts it right.

`onDrift: Correct` acts only on a Release that was Ready on this very pin, never on digests whose latest attempt failed (law 5), and only
once a foreign deployment has stood completed for correctAfterSeconds. All that this depends on is in status, so that a restart loses
nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from ecs_release.api.conditions import Reason
from ecs_release.api.drift_status import Drift, LastDrift
from ecs_release.api.release_status import HistoryEntry, Pin, ReleaseStatus
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.running_status import author_text
from ecs_release.domain.drift import base_revision
from ecs_release.domain.ecs.service import COMPLETED, Deployment, Service
from ecs_release.domain.model.conditions import TRUE, Situation
from ecs_release.domain.model.image_names import short_digest
from ecs_release.domain.verification.proof import Match, match_task, missing_containers, named_digests, other_digests, tasks_of

CAUSE = "DriftCorrection"
MOST, WITHIN = 3, timedelta(days=7)
"""So many corrections of one pin within so long are a tug of war, and the last. A job that sets a service back every night is found out
within three days; a change by hand now and then is not held against anybody. Attempts that people ask for begin the count anew."""
READ_AGAIN_S = 60.0
"""Between two reads of the ReleaseSet that holds a correction."""
_UNTIL = "until the source changes or annotation ecs-release.dev/retry asks for it"


def drift_of(facts: Facts, draft: Draft, pin: Pin, found: Match) -> Drift | None:
    """Return since when a foreign deployment has stood, and from when on it is corrected; None if there is no drift."""
    service, before = facts.service, draft.drift
    primary = service.primary if service else None
    if service is None or primary is None or found is not Match.NO or not attempts.was_ready(draft.last_ready, pin):
        return None
    same = before if before is not None and before.deployment_id == primary.id else None
    completed = (same.completed_time if same else None) or facts.now if _stands(service, primary, same) else None
    due = None
    if completed is not None and facts.place.target is not None and not hindrance(facts, draft, pin):
        due = completed + timedelta(seconds=facts.place.target.policy.correct_after_s)
    return Drift(deployment_id=primary.id, since_time=primary.created_at, completed_time=completed, correct_time=due)


def last(facts: Facts, draft: Draft, situation: Situation | None) -> LastDrift | None:
    """Return the latest drift: it begins when the Release becomes Drifted, and ends when it is Ready again."""
    before = facts.status.last_drift
    if situation is None:
        return before
    is_open = before is not None and before.end_time is None
    if situation.reason == Reason.DRIFTED and not is_open:
        primary = facts.service.primary if facts.service else None
        return LastDrift(deployment_id=primary.id if primary else None, message=situation.message[:1024], start_time=facts.now)
    if before is not None and is_open and situation.ready == TRUE:
        return before.model_copy(update={"end_time": facts.now})
    return before


def is_due(status: ReleaseStatus, now: datetime) -> bool:
    """Return whether the time has come that a status names for a correction."""
    drift = status.drift
    return drift is not None and drift.correct_time is not None and drift.correct_time <= now


def must_correct(facts: Facts, draft: Draft) -> bool:
    """Return whether drift is to be corrected now, apart from suspensions, windows and others' deployments."""
    due = draft.drift.correct_time if draft.drift else None
    return facts.permission.may_correct and due is not None and due <= facts.now


def again_s(facts: Facts, draft: Draft) -> float | None:
    """Return after how many seconds the correction is due; None if none is."""
    due = draft.drift.correct_time if draft.drift else None
    return max(0.0, (due - facts.now).total_seconds()) if due is not None else None


def hindrance(facts: Facts, draft: Draft, pin: Pin) -> str:
    """Return why the drift is never corrected; an empty string if it will be."""
    if facts.place.target is None or facts.place.target.policy.on_drift != base_revision.CORRECT:
        return "onDrift is Report: release what runs, or ask for what is wanted with annotation ecs-release.dev/retry"
    failed = _latest_failure(draft, pin)
    if failed is not None:
        return f"it is not corrected {_UNTIL}: the latest attempt at the wanted images ended {failed.outcome or 'nobody knows how'}"
    lately = corrections(draft, pin)[:MOST]
    begun = [e.start_time for e in lately if e.start_time is not None]
    if len(begun) >= MOST and begun[0] - begun[-1] <= WITHIN:
        return (
            f"it was corrected {MOST} times since {begun[-1]:%Y-%m-%d %H:%M} UTC, and something keeps changing it: find out what, and stop"
            f" it; it is not corrected again {_UNTIL}"
        )
    if not _primary_differs(facts, pin):
        return "only tasks of other deployments show that: there is nothing to correct, they go when ECS stops them"
    return ""


def corrections(draft: Draft, pin: Pin) -> list[HistoryEntry]:
    """List the corrections of this pin, newest first, since an attempt was last requested. An abandoned one counts, too."""
    found: list[HistoryEntry] = []
    for entry in draft.history:
        if entry.cause == CAUSE and entry.source_hash == pin.source_hash and attempts.aims_at(entry) == attempts.digests(pin):
            found.append(entry)
        elif entry.cause != base_revision.CAUSE:
            break
    return found


def described(facts: Facts, draft: Draft, pin: Pin) -> str:
    """Return what runs instead of what, since when, by whom, and what will be done about it."""
    service = facts.service
    assert service is not None
    parts = [f"{what(facts, service, pin)}{_since(facts, service, pin)}"]
    why_not, drift = hindrance(facts, draft, pin), draft.drift
    if why_not:
        parts.append(why_not)
    elif drift is not None and drift.correct_time is not None:
        parts.append(f"it is corrected at {drift.correct_time:%Y-%m-%d %H:%M:%S} UTC, if nothing holds that")
    elif facts.place.target is not None:
        parts.append(f"it is corrected once that deployment has stood completed for {facts.place.target.policy.correct_after_s} s")
    return "; ".join(parts)


def what(facts: Facts, service: Service, pin: Pin) -> str:
    """Name what each listed container runs that is not wanted, and what it should."""
    wanted = {i.container: i.release_hash or short_digest(i.digest or "") for i in pin.images or ()}
    seen = other_digests(service, attempts.accepted(facts, pin))
    unknown = "{} (unknown: no tag tells its hash)"
    names = {d: facts.release_hashes.get(d) or unknown.format(short_digest(d)) for d in seen.values()}
    parts = [f"{c} runs {names[d]} instead of {wanted.get(c)}" for c, d in sorted(seen.items())]
    lacking = {c for task in service.running_tasks for c in missing_containers(task, attempts.accepted(facts, pin))}
    parts += [f"there is no container {c} in what runs" for c in sorted(lacking)]
    return ", ".join(parts) or "the service names other images than the wanted ones"


def waits(facts: Facts, service: Service, pin: Pin, why: str) -> str:
    """Return that a correction waits for its window."""
    return f"{what(facts, service, pin)}; that is not corrected before its window: {why}"


def _since(facts: Facts, service: Service, pin: Pin) -> str:
    primary = service.primary
    if primary is None or not _primary_differs(facts, pin):
        return ""
    state = "" if primary.rollout_state in (None, COMPLETED) else f", {primary.rollout_state}"
    revision = primary.task_definition.rpartition("/")[2]
    return f" since {primary.created_at:%Y-%m-%d %H:%M} UTC: deployment {primary.id} ({revision}{state}){_by(facts, primary)}"


def _by(facts: Facts, primary: Deployment) -> str:
    """Return who started a deployment, if that is known."""
    if known := author_text(facts, primary):
        return known
    revision = facts.revisions.running
    if revision is not None and revision.arn == primary.task_definition and revision.registered_by:
        return f", which this Release did not start (its revision was registered by {revision.registered_by})"
    return ", which this Release did not start"


def _stands(service: Service, primary: Deployment, known: Drift | None) -> bool:
    """Return whether a foreign deployment is completed. If ECS does not say, it is once it was whole, until another is listed beside it."""
    if primary.rollout_state is not None:
        return primary.rollout_state == COMPLETED
    whole = primary.running == primary.desired and primary.pending == 0
    return len(service.deployments) == 1 and (whole or (known is not None and known.completed_time is not None))


def _primary_differs(facts: Facts, pin: Pin) -> bool:
    """Return whether the PRIMARY deployment is what differs: by its own tasks, else by what its revision names.

    Tasks of an older deployment may go on beside a completed one (protected, or with early success criteria): to deploy would not help.
    """
    service, accepted = facts.service, attempts.accepted(facts, pin)
    primary = service.primary if service else None
    if service is None or primary is None:
        return False
    own = {match_task(t, accepted) for t in tasks_of(service, primary)}
    if own:
        return Match.NO in own
    named = named_digests(facts.revisions.running, accepted)
    return any(accepted[c].match(digest) is Match.NO or (not digest and service.desired == 0) for c, digest in named.items())


def _latest_failure(draft: Draft, pin: Pin) -> HistoryEntry | None:
    """Return the latest attempt at the wanted digests, of any source, if it did not end well; one that deployed nothing does not count."""
    wanted = attempts.digests(pin)
    tried = (e for e in draft.history if attempts.aims_at(e) == wanted and e.outcome != attempts.ABANDONED)
    latest = next(tried, None)
    return latest if latest is not None and latest.outcome not in attempts.GOOD else None
