"""Deployment sets, each a set-wide attempt to roll a ReleaseSet out: how one begins, fails, is rolled back, and ends."""

from __future__ import annotations

from collections.abc import Mapping

from ecs_release.api.commits import AttemptCommits
from ecs_release.api.release_status import Pin
from ecs_release.api.releaseset_status import PREVIOUS, SetHistoryEntry, SetLastReady, SetLastReadyService
from ecs_release.domain.artifacts.source import digests_of
from ecs_release.domain.decision.request_annotations import reason_of
from ecs_release.domain.model.applied_by import applied_by
from ecs_release.domain.model.clauses import join_clauses
from ecs_release.domain.sets import waves
from ecs_release.domain.sets.child_state import LEFT, ChildState, State, asks_for_wanted
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
        end(facts, draft, SUPERSEDED, "a newer source of this ReleaseSet took its place")
    left = {n: s for n, s in draft.services.items() if s.state == LEFT and n not in facts.members}
    draft.services = pin(facts.release_set.metadata.name, facts.members, resolved, draft.last_ready, draft.services) | left
    draft.source_hash, draft.resolved, draft.waves, draft.waiting_since = facts.wanted_hash, facts.now, (), None
    draft.begin(_entry(facts, draft, REQUESTED).model_copy(update={"commits": draft.right[:1024] or None}))
    for service in draft.members:
        if service.note:
            draft.event("Normal", "Resolved", "Resolve", f"{service.name}: {service.note}")


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
    stuck: list[str] = []
    for service in draft.members:
        if service.start_time is None or digests_of(service.images) == digests_of(service.previous):
            continue
        if service.previous:
            draft.change(service.name, wants=PREVIOUS)
        else:
            stuck.append(service.name)
    draft.event("Warning", "RollingBack", "RollBack", f"taking the set back: {why}")
    if stuck:
        note = f"what {', '.join(stuck)} ran before is not known, so that it stays as it is"
        draft.event("Warning", "NothingToReturnTo", "RollBack", note)


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
    if not draft.is_held or draft.rolls_back or draft.current is None or draft.current.outcome != FAILED:
        return
    if all(found.state is State.READY for found in child_states(facts, draft).values()):
        end(facts, draft, SUCCEEDED_LATE, join_clauses(draft.current.message or "", "all services are Ready since"))
        _note_ready(facts, draft)


def _conclude_rollback(facts: SetFacts, draft: SetDraft, states: Mapping[str, ChildState]) -> None:
    going = [s.name for s in draft.members if s.reverting]
    if any(states[s].state not in (State.READY, State.FAILED) or states[s].rolling_out for s in going):
        return
    failed = failure_text({s: states[s] for s in going})
    why = (draft.current.message if draft.current else None) or ""
    if failed:
        end(facts, draft, FAILED, join_clauses(failed, f"rolling back {why}"))
    else:
        end(facts, draft, ROLLED_BACK, f"{len(going)} services went back {why}")


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
    draft.last_ready = SetLastReady(
        source_hash=draft.source_hash,
        time=facts.now,
        services=[
            SetLastReadyService(name=s.name, pin=Pin(source_hash=draft.source_hash, resolved_time=draft.resolved, images=s.images))
            for s in draft.members
        ],
    )


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
