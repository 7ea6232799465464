"""Deployment sets: one try to make a ReleaseSet true. How one begins, fails, is taken back, and is written down."""

from __future__ import annotations

from collections.abc import Mapping

from ecs_release.api.release_status import Pin
from ecs_release.api.releaseset_status import PREVIOUS, SetHistoryEntry, SetLastReady, SetLastReadyService
from ecs_release.domain.artifacts.source import digests_of
from ecs_release.domain.model.applied_by import applied_by
from ecs_release.domain.sets import waves
from ecs_release.domain.sets.child_state import LEFT, Standing, State
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
    standings,
)
from ecs_release.domain.sets.facts import Resolved, SetFacts, hash_for_people
from ecs_release.domain.sets.pins import pin


def begin(facts: SetFacts, draft: SetDraft, resolved: tuple[Resolved, ...]) -> None:
    """Begin a deployment set for a new source: it takes over from the one under way, whose pending waves never start."""
    if draft.is_open:
        end(facts, draft, SUPERSEDED, "a newer source of this ReleaseSet took its place")
    left = {n: s for n, s in draft.services.items() if s.state == LEFT and n not in facts.members}
    draft.services = pin(facts.release_set.metadata.name, facts.members, resolved, draft.last_ready, draft.services) | left
    draft.source_hash, draft.resolved, draft.waves, draft.waiting_since = facts.wanted_hash, facts.now, (), None
    draft.begin(_entry(facts, draft, REQUESTED))
    for service in draft.members:
        if service.note:
            draft.say("Normal", "Resolved", "Resolve", f"{service.name}: {service.note}")


def again(facts: SetFacts, draft: SetDraft, stand: Mapping[str, Standing], token: str) -> None:
    """Begin a deployment set of the same pins on request: what was taken back goes forward again, what failed is told to retry."""
    draft.begin(_entry(facts, draft, RETRY))
    for service in draft.members:
        if service.reverting:
            draft.change(service.name, wants=None, start_time=None)
        elif stand[service.name].state is State.FAILED:
            draft.requests[service.name] = token


def end(facts: SetFacts, draft: SetDraft, outcome: str, message: str) -> None:
    """End the deployment set under way."""
    account_waiting(facts, draft, waits=False)
    draft.change_current(outcome=outcome, message=message[:1024], completion_time=facts.now)


def take_back(facts: SetFacts, draft: SetDraft, why: str) -> None:
    """Begin a rollback: every service that moved returns to what the set was Ready on last, or to what ran before."""
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
    draft.say("Warning", "RollingBack", "RollBack", f"taking the set back: {why}")
    if stuck:
        note = f"what {', '.join(stuck)} ran before is not known, so that it stays as it is"
        draft.say("Warning", "NothingToReturnTo", "RollBack", note)


def conclude(facts: SetFacts, draft: SetDraft) -> None:
    """End the deployment set under way where everything that belongs to it is settled."""
    if not draft.is_open:
        conclude_late(facts, draft)
        return
    stand = standings(facts, draft)
    if draft.rolls_back:
        _conclude_rollback(facts, draft, stand)
    elif waves.finished(draft.waves):
        states = {found.state for found in stand.values()}
        if states <= {State.READY}:
            end(facts, draft, SUCCEEDED, f"{len(stand)} services are Ready")
            _note_ready(facts, draft)
        elif states <= {State.READY, State.FAILED}:
            end(facts, draft, FAILED, failures(stand))


def conclude_late(facts: SetFacts, draft: SetDraft) -> None:
    """Correct the outcome of a deployment set that had failed, and whose services have all become Ready since."""
    if not draft.is_held or draft.rolls_back or draft.current is None or draft.current.outcome != FAILED:
        return
    if all(found.state is State.READY for found in standings(facts, draft).values()):
        end(facts, draft, SUCCEEDED_LATE, f"{draft.current.message}; all services are Ready since")
        _note_ready(facts, draft)


def _conclude_rollback(facts: SetFacts, draft: SetDraft, stand: Mapping[str, Standing]) -> None:
    going = [s.name for s in draft.members if s.reverting]
    if any(stand[s].state not in (State.READY, State.FAILED) or stand[s].moves for s in going):
        return
    failed = failures({s: stand[s] for s in going})
    why = (draft.current.message if draft.current else None) or ""
    if failed:
        end(facts, draft, FAILED, f"{failed}; rolling back {why}")
    else:
        end(facts, draft, ROLLED_BACK, f"{len(going)} services went back {why}")


def failures(stand: Mapping[str, Standing]) -> str:
    """Say which services failed, and how; an empty string where none did."""
    return "; ".join(f"{name} {found.reason}: {found.message}" for name, found in stand.items() if found.state is State.FAILED)[:1024]


def first_failure(stand: Mapping[str, Standing]) -> tuple[str, Standing] | None:
    """Return the first service that failed."""
    return next(((name, found) for name, found in stand.items() if found.state is State.FAILED), None)


def abort(facts: SetFacts, draft: SetDraft, stand: Mapping[str, Standing], token: str) -> None:
    """End the deployment set on request: what is under way is aborted, nothing further starts."""
    for service in draft.members:
        if stand[service.name].moves:
            draft.requests[service.name] = token
    end(facts, draft, ABORTED, f"aborted on request ({token})")


def account_waiting(facts: SetFacts, draft: SetDraft, *, waits: bool) -> None:
    """Keep account of the time that the deployment set under way spends waiting for a window."""
    if waits and draft.waiting_since is None:
        draft.waiting_since = facts.now
    elif not waits and draft.waiting_since is not None and draft.current is not None:
        waited = round((facts.now - draft.waiting_since).total_seconds()) + (draft.current.waited_seconds or 0)
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
        hash=hash_for_people(facts.release_set.spec) or None,
        cause=cause,
        requested_by=change.requested_by if change else None,
        applied_by=applied_by(facts.release_set.metadata),
        description=change.description if change else None,
        start_time=facts.now,
    )


def _former_hash(draft: SetDraft) -> str | None:
    hashes = {i.release_hash for s in draft.members for i in s.previous or () if i.release_hash}
    return hashes.pop() if len(hashes) == 1 else None
