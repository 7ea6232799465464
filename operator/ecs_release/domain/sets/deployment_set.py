"""Deployment sets, each a set-wide attempt to roll a ReleaseSet out: how one begins, fails, is rolled back, and ends."""

from __future__ import annotations

from collections.abc import Mapping

from ecs_release.api.commits import AttemptCommits
from ecs_release.api.release_status import Pin
from ecs_release.api.releaseset_status import PREVIOUS, SetHistoryEntry, SetLastReady, SetLastReadyService, SetWave
from ecs_release.domain.artifacts.source import digests_of
from ecs_release.domain.decision.request_annotations import reason_of
from ecs_release.domain.model.applied_by import applied_by
from ecs_release.domain.model.clauses import join_clauses
from ecs_release.domain.sets import waves
from ecs_release.domain.sets.child_state import (
    LEFT,
    ChildState,
    State,
    asks_for_wanted,
    has_deployed,
    is_changed,
    is_proven,
    is_stuck,
    last_proven,
)
from ecs_release.domain.sets.decision import (
    ABORTED,
    FAILED,
    REQUESTED,
    RETRY,
    ROLLBACK,
    ROLLED_BACK,
    SUCCEEDED,
    SUCCEEDED_LATE,
    SUPERSEDED,
    SetDraft,
    child_of,
    child_states,
)
from ecs_release.domain.sets.facts import Resolved, SetFacts, attempt_since, set_display_hash
from ecs_release.domain.sets.pins import pin


def begin(facts: SetFacts, draft: SetDraft, resolved: tuple[Resolved, ...]) -> None:
    """Begin a deployment set for a new source: it replaces the one under way, whose pending waves never start."""
    if draft.is_open:
        _end_older(facts, draft)
    left = {n: s for n, s in draft.services.items() if s.state == LEFT and n not in facts.members}
    proven = {name: last_proven(child_of(facts, name)) for name in facts.members}
    draft.services = pin(facts.release_set.metadata.name, facts.members, resolved, draft.last_ready, draft.services, proven) | left
    draft.source_hash, draft.resolved, draft.waves, draft.waiting_since = facts.wanted_hash, facts.now, (), None
    draft.begin(_entry(facts, draft, REQUESTED).model_copy(update={"commits": draft.right[:1024] or None}))
    for service in draft.members:
        if service.note:
            draft.event("Normal", "Resolved", "Resolve", f"{service.name}: {service.note}")


def comes_to_its_end(facts: SetFacts, draft: SetDraft) -> bool:
    """Return whether what the deployment set under way has started is about to end by itself, though nothing further of it starts.

    Not if a Release was told of it and has deployed nothing yet: that one might begin just when the newer source may.
    """
    states = child_states(facts, draft)
    started = [s for s in draft.members if s.start_time is not None]
    deployed = {s.name for s in started if has_deployed(s, child_of(facts, s.name))}
    ended = {s.name for s in started if states[s.name].state in (State.READY, State.FAILED) and not states[s.name].rolling_out}
    if any(s.name not in deployed | ended for s in started):
        return False
    return bool(deployed) or (settles_in(facts, draft) or 0) > 0


def settles_in(facts: SetFacts, draft: SetDraft) -> float | None:
    """Return after how many seconds a deployment set all waves of which have begun will have settled; None if it does not."""
    return _settled(facts, draft, child_states(facts, draft))[1]


def _settled(facts: SetFacts, draft: SetDraft, states: Mapping[str, ChildState]) -> tuple[list[SetWave], float | None]:
    """Return the waves with those finished that have settled, and after how many seconds the last one will have, if all have begun."""
    if any(wave.state == waves.PENDING for wave in draft.waves):
        return list(draft.waves), None
    either_way = facts.release_set.spec.strategy.on_failure == "Continue"
    return waves.progress(draft.waves, states, facts.settle_s, facts.now, either_way=either_way)


def _end_older(facts: SetFacts, draft: SetDraft) -> None:
    """End the deployment set under way because a newer source takes its place: as it went, if it is done, or one of its services failed."""
    states = child_states(facts, draft)
    if draft.waves and not draft.rolls_back:
        draft.waves = tuple(_settled(facts, draft, states)[0])
    if draft.waves:
        conclude(facts, draft)
    ours = waves.unfinished_services(draft.waves) & {s.name for s in draft.members if s.start_time is not None}
    failed = {name: found for name, found in states.items() if name in ours and found.is_verdict}
    if draft.is_open and failed and not draft.rolls_back:
        end(facts, draft, FAILED, failure_text(failed))
    elif draft.is_open:
        end(facts, draft, SUPERSEDED, "a newer source of this ReleaseSet took its place")


def retry(facts: SetFacts, draft: SetDraft, states: Mapping[str, ChildState], token: str) -> None:
    """Begin a deployment set of the same pins on request: what was rolled back goes forward, what failed or is outdated is retried."""
    draft.begin(_entry(facts, draft, RETRY).model_copy(update={"reason": reason_of(token) or None}))
    for service in draft.members:
        if service.reverting:
            draft.change(service.name, wants=None, start_time=None)
        elif states[service.name].takes_retry:
            draft.requests[service.name] = token


def end(facts: SetFacts, draft: SetDraft, outcome: str, message: str) -> None:
    """End the deployment set under way."""
    account_waiting(facts, draft, waits=False)
    draft.change_current(outcome=outcome, message=message[:1024], completion_time=facts.now)


def roll_back(facts: SetFacts, draft: SetDraft, why: str) -> None:
    """Begin a rollback: every service that was started returns to what the set was last Ready on, or to what ran before."""
    end(facts, draft, FAILED, why)
    draft.begin(_entry(facts, draft, ROLLBACK).model_copy(update={"message": f"because {why}"[:1024], "hash": _former_hash(draft)}))
    for service in draft.members:
        if service.previous and is_changed(service):
            draft.change(service.name, wants=PREVIOUS)
    draft.event("Warning", "RollingBack", "RollBack", f"taking the set back: {why}")
    if stuck := _stuck_text(draft):
        draft.event("Warning", "NothingToReturnTo", "RollBack", stuck)


def conclude(facts: SetFacts, draft: SetDraft) -> None:
    """End the deployment set under way if all of its services are settled."""
    if not draft.is_open:
        conclude_late(facts, draft)
        return
    draft.change_current(commit_range=_commits(facts, draft))
    states = child_states(facts, draft)
    if draft.rolls_back:
        _conclude_rollback(facts, draft, states)
    elif waves.finished(draft.waves):
        reached = {found.state for found in states.values()}
        if reached <= {State.READY}:
            end(facts, draft, SUCCEEDED, f"{len(states)} services are Ready")
            _note_ready(facts, draft)
        elif reached <= {State.READY, State.FAILED}:
            end(facts, draft, FAILED, failure_text(states))


def conclude_late(facts: SetFacts, draft: SetDraft) -> None:
    """Correct the outcome of a deployment set that had failed, and whose services have all become Ready since."""
    if draft.current is not None and draft.current.outcome in (SUCCEEDED, SUCCEEDED_LATE):
        _note_proven_since(facts, draft)
    if not draft.is_held or draft.rolls_back or draft.current is None or draft.current.outcome != FAILED:
        return
    if all(found.state is State.READY for found in child_states(facts, draft).values()):
        end(facts, draft, SUCCEEDED_LATE, join_clauses(draft.current.message or "", "all services are Ready since"))
        _note_ready(facts, draft)


def _conclude_rollback(facts: SetFacts, draft: SetDraft, states: Mapping[str, ChildState]) -> None:
    going = [s.name for s in draft.members if s.reverting]
    if any(states[s].state not in (State.READY, State.FAILED) or states[s].rolling_out for s in going):
        return
    failed = join_clauses(failure_text({s: states[s] for s in going}), _stuck_text(draft))
    why = (draft.current.message if draft.current else None) or ""
    if failed:
        end(facts, draft, FAILED, join_clauses(failed, f"rolling back {why}"))
    else:
        end(facts, draft, ROLLED_BACK, f"{len(going)} services went back {why}")


def _stuck_text(draft: SetDraft) -> str:
    """Say which services a rollback leaves as they are; an empty string if none is."""
    stuck = [service.name for service in draft.members if is_stuck(service)]
    return f"what {', '.join(stuck)} ran before is not known, so that it stays as it is"[:1024] if stuck else ""


def failure_text(states: Mapping[str, ChildState]) -> str:
    """Describe which services failed, and how; an empty string if none did."""
    failed = ((name, found) for name, found in states.items() if found.state is State.FAILED)
    return join_clauses(*(f"{name} {found.reason}: {found.message}" for name, found in failed))[:1024]


def first_failure(states: Mapping[str, ChildState]) -> tuple[str, ChildState] | None:
    """Return the first service that failed."""
    return next(((name, found) for name, found in states.items() if found.state is State.FAILED), None)


def abort(facts: SetFacts, draft: SetDraft, states: Mapping[str, ChildState], token: str) -> None:
    """End the deployment set on request: what is under way is aborted, nothing further starts."""
    for service in draft.members:
        if states[service.name].rolling_out:
            draft.requests[service.name] = token
    end(facts, draft, ABORTED, f"aborted on request ({token})")


def account_waiting(facts: SetFacts, draft: SetDraft, *, waits: bool) -> None:
    """Add up the time that the deployment set under way waits for a window."""
    if waits and draft.waiting_since is None:
        draft.waiting_since = facts.now
    elif not waits and draft.waiting_since is not None and draft.current is not None:
        # Another process, whose clock is ahead, may have noted since when.
        waited = max(0, round((facts.now - draft.waiting_since).total_seconds())) + (draft.current.waited_seconds or 0)
        draft.change_current(waited_seconds=waited)
        draft.waiting_since = None


def _note_ready(facts: SetFacts, draft: SetDraft) -> None:
    """Remember what was proven when the set became Ready. A service without a proof has no pin there; without any nothing is noted."""
    known = {s.name: digests_of(s.pin.images) for s in (draft.last_ready.services if draft.last_ready else None) or () if s.pin}
    lines = []
    for service in draft.members:
        proven = is_proven(service, child_of(facts, service.name)) or known.get(service.name) == digests_of(service.images)
        pin_ = Pin(source_hash=draft.source_hash, resolved_time=draft.resolved, images=service.images) if proven else None
        lines.append(SetLastReadyService(name=service.name, pin=pin_))
    if any(line.pin for line in lines):
        draft.last_ready = SetLastReady(source_hash=draft.source_hash, time=facts.now, services=lines)


def _note_proven_since(facts: SetFacts, draft: SetDraft) -> None:
    """Take in what is proven by now, of services of which nothing ran when the set became Ready."""
    noted = draft.last_ready if draft.last_ready is not None and draft.last_ready.source_hash == draft.source_hash else None
    pinned = {s.name for s in (noted.services if noted is not None else None) or () if s.pin}
    if any(s.name not in pinned and is_proven(s, child_of(facts, s.name)) for s in draft.members):
        _note_ready(facts, draft)


def _entry(facts: SetFacts, draft: SetDraft, cause: str) -> SetHistoryEntry:
    change = facts.release_set.spec.change
    return SetHistoryEntry(
        id=facts.new_id,
        source_hash=draft.source_hash,
        hash=set_display_hash(facts.release_set.spec) or None,
        cause=cause,
        requested_by=change.requested_by if change else None,
        applied_by=applied_by(facts.release_set.metadata),
        description=change.description if change else None,
        start_time=facts.now,
    )


def _commits(facts: SetFacts, draft: SetDraft) -> AttemptCommits | None:
    """Return the commits that the attempts of this deployment set bring, as far as its children know them; None if they differ."""
    begun, found = draft.current.start_time if draft.current else None, dict[tuple[str | None, str | None], AttemptCommits]()
    for service in draft.members:
        child = child_of(facts, service.name)
        if child is None or begun is None or not asks_for_wanted(service, child):
            continue
        entry = attempt_since(child.release, begun)
        if entry is not None and entry.commit_range is not None:
            found[entry.commit_range.before, entry.commit_range.after] = entry.commit_range
    return found.popitem()[1] if len(found) == 1 else None


def _former_hash(draft: SetDraft) -> str | None:
    hashes = {i.release_hash for s in draft.members for i in s.previous or () if i.release_hash}
    return hashes.pop() if len(hashes) == 1 else None
