"""What happened between two statuses of which the second was accepted: each transition once, and not again after a restart.

An attempt has its intent in one status and ends in a later one (law 6: intent before act). So an entry that is new and ended was no
rollout: what ran already was adopted, or the outcome was read from our tags after the cluster was restored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ecs_release.api.conditions import ConditionType, Reason
from ecs_release.api.release_status import HistoryEntry, Pin, ReleaseStatus
from ecs_release.api.releaseset_status import ReleaseSetStatus
from ecs_release.domain.model.conditions import TRUE, find
from ecs_release.domain.notifications.outcome_measures import CHANGES, DEPLOYED, FAILED, NEITHER, Measure, measure
from ecs_release.domain.rules.attempt_commits import new_digests


class TransitionKind(StrEnum):
    """The kinds of transitions."""

    ENDED = "Ended"
    """An attempt (a deployment set) that was under way has ended."""
    REFINED = "Refined"
    """One that had ended got another outcome: it came up after its deadline, or was rolled back late."""
    RESTORED = "Restored"
    """After failed attempts the Release is Ready again."""
    DRIFTED = "Drifted"
    """Tasks began to run other digests than the wanted ones, by no attempt of ours."""


@dataclass(frozen=True, slots=True)
class Transition:
    """Something that happened between two statuses.

    `seconds` is how long it took: an attempt from its beginning, a deployment set without its waiting for windows, a restoration from the
    end of the first failed attempt. `lead_s` is from the push of the image to the end of the attempt, `commit_lead_s` from the oldest
    commit, as its committer claims; None if it cannot be measured.
    `counts` is what it adds to the deployments and the failures of changes.
    """

    kind: TransitionKind
    seconds: float = 0.0
    id: str = ""
    cause: str = ""
    outcome: str = ""
    counts: Measure = NEITHER
    lead_s: float | None = None
    commit_lead_s: float | None = None


def transitions(before: ReleaseStatus | None, after: ReleaseStatus, now: datetime) -> tuple[Transition, ...]:
    """List what happened to a Release. `now` is when the second status was written."""
    before = before or ReleaseStatus()
    found = [*_attempts(before, after), *_restored(before, after, now)]
    was, is_now = find(before.conditions, ConditionType.READY), find(after.conditions, ConditionType.READY)
    if is_now is not None and is_now.reason == Reason.DRIFTED and (was is None or was.reason != Reason.DRIFTED):
        found.append(Transition(TransitionKind.DRIFTED))
    return tuple(found)


def set_transitions(before: ReleaseSetStatus | None, after: ReleaseSetStatus) -> tuple[Transition, ...]:
    """List what happened to a ReleaseSet: the deployment sets that ended."""
    known = {entry.id: entry for entry in (before.history if before else None) or ()}
    found: list[Transition] = []
    for entry in after.history or ():
        was = known.get(entry.id)
        if was is None or not entry.outcome or was.outcome == entry.outcome:
            continue
        kind = TransitionKind.REFINED if was.outcome else TransitionKind.ENDED
        seconds = max(0.0, _seconds(entry.start_time, entry.completion_time) - (entry.waited_seconds or 0))
        found.append(Transition(kind, seconds, entry.id, entry.cause or "", entry.outcome))
    return tuple(found)


def _attempts(before: ReleaseStatus, after: ReleaseStatus) -> Iterator[Transition]:
    known = {entry.attempt_id: entry for entry in before.history or ()}
    for entry in after.history or ():
        was = known.get(entry.attempt_id)
        if was is None or not entry.outcome or was.outcome == entry.outcome:
            continue
        counts = _measure(entry) if entry.cause in CHANGES else NEITHER
        if was.outcome:
            # Its failure is counted already; that it was deployed after all is new.
            counts = DEPLOYED if counts.deployed and not _measure(was).deployed else NEITHER
        yield Transition(
            kind=TransitionKind.REFINED if was.outcome else TransitionKind.ENDED,
            seconds=_seconds(entry.start_time, entry.completion_time),
            id=entry.attempt_id,
            cause=entry.cause or "",
            outcome=entry.outcome,
            counts=counts,
            lead_s=_lead_s(entry, after.pin, before.history or ()) if counts.deployed else None,
            commit_lead_s=entry.lead_time_seconds if counts.deployed else None,
        )


def _measure(entry: HistoryEntry) -> Measure:
    return measure(entry.outcome or "", reached_ecs=bool(entry.deployment_id))


def _lead_s(entry: HistoryEntry, pin: Pin | None, history: Sequence[HistoryEntry]) -> float | None:
    """Return how long the change took from the push of its first image; None if it brought no image that had not run here before."""
    new = new_digests(entry, history)
    pushed = [i.pushed_time for i in (pin.images if pin else None) or () if i.pushed_time is not None and i.digest in new]
    return _seconds(min(pushed), entry.completion_time) if pushed else None


def _restored(before: ReleaseStatus, after: ReleaseStatus, now: datetime) -> Iterator[Transition]:
    """Yield the end of an outage: Ready for the first time since attempts have failed."""
    was, is_now = find(before.conditions, ConditionType.READY), find(after.conditions, ConditionType.READY)
    if is_now is None or is_now.status != TRUE or was is None or was.status == TRUE:
        return
    since = _failed_since(before)
    if since is not None:
        yield Transition(TransitionKind.RESTORED, _seconds(since, now))


def _failed_since(status: ReleaseStatus) -> datetime | None:
    """Return when the first of the latest failed attempts ended; None if the last one did not fail."""
    ready_at = status.last_ready.time if status.last_ready else None
    if ready_at is not None:
        # The history has whole seconds: what ended in the second in which it became Ready ended after that.
        ready_at = ready_at.replace(microsecond=0)
    since: datetime | None = None
    for entry in status.history or ():
        counts = _measure(entry)
        if counts.deployed or (ready_at is not None and entry.completion_time is not None and entry.completion_time < ready_at):
            break
        if counts == FAILED:
            since = entry.completion_time or since
    return since


def _seconds(start: datetime | None, end: datetime | None) -> float:
    return max(0.0, (end - start).total_seconds()) if start is not None and end is not None else 0.0
