"""The status of a set from its draft: services, counts, conditions, plan, and the columns of kubectl."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ecs_release.api.conditions import ConditionType, Reason
from ecs_release.api.release_status import PlannedImage
from ecs_release.api.releaseset_status import (
    ReleaseSetStatus,
    ReleaseSetSummary,
    SetCounts,
    SetPlanEntry,
    SetService,
)
from ecs_release.domain.decision import suspension_end
from ecs_release.domain.decision.request_annotations import standing_refusal
from ecs_release.domain.model.applied_by import applied_by
from ecs_release.domain.model.clauses import join_clauses
from ecs_release.domain.model.conditions import Situation, find, is_news, kstatus_conditions, merge, phase
from ecs_release.domain.ports.protocols import EventNote
from ecs_release.domain.sets import deployment_set, waves
from ecs_release.domain.sets.child_state import LEFT, ChildState, State
from ecs_release.domain.sets.decision import ROLLED_BACK, SetDecision, SetDraft, SetOutcome, child_of, child_states
from ecs_release.domain.sets.facts import SetFacts, set_display_hash
from ecs_release.domain.sets.set_conditions import SetProgress, situation_of


def report(facts: SetFacts, draft: SetDraft, outcome: SetOutcome) -> SetDecision:
    """Compose the status."""
    states = child_states(facts, draft)
    lines = _lines(facts, draft, states)
    counts = count(lines)
    progress = progress_of(draft, states, counts)
    situation = outcome.situation or situation_of(facts, draft, states, progress)
    situation = replace(situation, message=_with_added(facts, draft, situation.message))
    deployment_set.account_waiting(facts, draft, waits=draft.is_open and situation.reason == Reason.AWAITING_WINDOW)
    generation = facts.release_set.metadata.generation
    conditions = merge(facts.status.conditions, kstatus_conditions(situation), generation, facts.now)
    ready = find(conditions, ConditionType.READY)
    end, told = suspension_end.told(facts.release_set.spec, facts.status.suspension, facts.now)
    status = ReleaseSetStatus(
        observed_generation=generation,
        phase=phase(situation),
        conditions=conditions,
        source_hash=draft.source_hash,
        resolved_time=draft.resolved,
        releases=counts,
        services=lines or None,
        waves=list(draft.waves) or None,
        plan=_plan(facts, draft, states) or None,
        history=list(draft.history) or None,
        views=facts.status.views,
        last_ready=draft.last_ready,
        waiting_since=draft.waiting_since,
        suspension=end,
        last_handled_retry=draft.handled_retry,
        last_handled_refresh=draft.handled_refresh,
        last_handled_override=draft.handled_override,
        last_handled_override_commits=draft.handled_override_commits,
        last_handled_abort=draft.handled_abort,
        last_handled_continue=draft.handled_continue,
        refused_request=standing_refusal(draft, facts.status),
        summary=_summary(facts, draft, progress.text, ready.message if ready else ""),
    )
    events = (*draft.events, *_reason_event(facts, situation), *told)
    return SetDecision(status, outcome.requests, outcome.writes, events, outcome.again_s)


def _lines(facts: SetFacts, draft: SetDraft, states: Mapping[str, ChildState]) -> list[SetService]:
    return [_line(facts, s, states[s.name]) if s.name in states else s for s in draft.services.values()]


def _line(facts: SetFacts, service: SetService, found: ChildState) -> SetService:
    state: str = found.state
    if service.reverting and found.state is State.READY:
        state = ROLLED_BACK
    text = f"{found.reason}: {found.message}" if found.reason and found.message else found.message or found.reason
    child = child_of(facts, service.name)
    generation = child.release.metadata.generation if child is not None and found.state is not State.PENDING else service.generation
    return service.model_copy(update={"state": str(state), "message": text[:1024] or None, "generation": generation})


def count(lines: list[SetService]) -> SetCounts:
    """Count the services of the set by state; those that have not begun count as waiting."""
    states = [line.state for line in lines if line.state != LEFT]
    return SetCounts(
        total=len(states),
        ready=states.count(State.READY),
        failed=states.count(State.FAILED) + states.count(ROLLED_BACK),
        waiting=states.count(State.WAITING) + states.count(State.PENDING),
        progressing=states.count(State.PROGRESSING),
    )


def progress_of(draft: SetDraft, states: Mapping[str, ChildState], counts: SetCounts) -> SetProgress:
    """Return how far the set is."""
    position = f"{counts.ready}/{counts.total} ready"
    total = len(draft.waves)
    if total > 1 and not waves.finished(draft.waves) and draft.services:
        at = next((int(w.name) for w in draft.waves if w.state != waves.FINISHED), total)
        position += f", wave {at}/{total}"
    failed = [(name, found) for name, found in states.items() if found.state is State.FAILED]
    if failed:
        name, found = failed[0]
        more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        return SetProgress(position, f"{name} {found.reason}{more}")
    if draft.rolls_back and draft.current is not None:
        how_far = {None: "rolling back", ROLLED_BACK: "rolled back"}.get(draft.current.outcome, "not rolled back everywhere")
        return SetProgress(position, how_far)
    return SetProgress(position)


def _with_added(facts: SetFacts, draft: SetDraft, message: str) -> str:
    """Add the services that came to the Project since the source was resolved: editing a Project never deploys (law 15)."""
    pinned = {s.name for s in draft.members}
    added = [name for name in facts.members if name not in pinned]
    if not added or facts.problem is not None or draft.source_hash != facts.wanted_hash:
        return message
    return join_clauses(
        message,
        f"{', '.join(added[:5])} came to the service set later: a new source, or annotation ecs-release.dev/refresh, takes it in",
    )


def _plan(facts: SetFacts, draft: SetDraft, states: Mapping[str, ChildState]) -> list[SetPlanEntry]:
    """Return what would be done, while changes are stopped on purpose."""
    if facts.observed_only:
        blocked = "the Environment is in mode Observe"
    elif facts.suspension is not None:
        blocked = facts.suspension.message
    else:
        return []
    plan: list[SetPlanEntry] = []
    for service in draft.members:
        if states[service.name].state is not State.PENDING:
            continue
        images = _planned(facts, service)
        if images:
            plan.append(SetPlanEntry(service=service.name, images=images, blocked_by=blocked))
    return plan


def _planned(facts: SetFacts, service: SetService) -> list[PlannedImage]:
    before = {i.container: i for i in service.previous or ()}
    child = child_of(facts, service.name)
    if child is not None and child.release.status is not None and child.release.status.pin is not None:
        before = {i.container: i for i in child.release.status.pin.images or ()}
    planned = []
    for image in service.images or ():
        was = before.get(image.container)
        if was is None or was.digest != image.digest:
            planned.append(
                PlannedImage(
                    container=image.container,
                    from_digest=was.digest if was else None,
                    from_hash=was.release_hash if was else None,
                    to_digest=image.digest,
                    to_hash=image.release_hash,
                )
            )
    return planned


def _summary(facts: SetFacts, draft: SetDraft, progress: str, message: str) -> ReleaseSetSummary:
    change = facts.release_set.spec.change
    return ReleaseSetSummary(
        hash=_wanted_name(facts, draft),
        running_hash=_running_hash(facts, draft),
        progress=progress if draft.services else None,
        message=message[:1024] or None,
        requested_by=change.requested_by if change else None,
        applied_by=applied_by(facts.release_set.metadata),
        description=change.description if change else None,
    )


def _wanted_name(facts: SetFacts, draft: SetDraft) -> str | None:
    """Return what to call the wanted source: its hash or tag, or for a promotion the hash that all pins share."""
    spec = facts.release_set.spec
    if spec.source is not None and spec.source.environment_ref is None:
        return spec.source.release_hash or spec.source.tag
    hashes = {s.hash for s in draft.members}
    only = hashes.pop() if len(hashes) == 1 else None
    return only or set_display_hash(spec)


def _running_hash(facts: SetFacts, draft: SetDraft) -> str | None:
    """Return the hash that all services run; None if they differ."""
    hashes: set[str | None] = set()
    for service in draft.members:
        child = child_of(facts, service.name)
        summary = child.release.status.summary if child is not None and child.release.status is not None else None
        hashes.add(summary.running_hash if summary else None)
    return hashes.pop() if len(hashes) == 1 else None


def _reason_event(facts: SetFacts, situation: Situation) -> tuple[EventNote, ...]:
    """Return an Event if the reason of Ready changes, or the set is Stalled for the same reason."""
    if not is_news(facts.status.conditions, situation):
        return ()
    return (EventNote("Warning" if situation.stalled else "Normal", str(situation.reason), "Reconcile", situation.message),)
