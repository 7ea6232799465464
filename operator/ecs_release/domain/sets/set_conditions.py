"""How the set as a whole stands: its children's conditions brought together."""

from __future__ import annotations

from collections.abc import Mapping

from ecs_release.api.conditions import Reason
from ecs_release.domain.model.conditions import Situation, held, progressing, ready, stalled, unready, waiting
from ecs_release.domain.sets import waves
from ecs_release.domain.sets.child_state import Standing, State
from ecs_release.domain.sets.decision import ABORTED, ROLLED_BACK, SetDraft
from ecs_release.domain.sets.deployment_set import first_failure
from ecs_release.domain.sets.facts import SetFacts

_UNREADY = frozenset({Reason.TASKS_UNHEALTHY})


def situation_of(facts: SetFacts, draft: SetDraft, stand: Mapping[str, Standing], summary: str) -> Situation:
    """Say how the set stands: Ready only where every child is, on the set's own digests."""
    on_pins = {s.name: stand[s.name] for s in draft.members if not s.reverting}
    all_ready = len(on_pins) == len(draft.members) and all(found.state is State.READY for found in on_pins.values())
    if facts.observed_only:
        return held(all_ready, Reason.OBSERVING, f"{summary}: the Environment is in mode Observe, nothing is changed in AWS")
    if all_ready and not draft.is_open:
        return _at_rest(facts, stand, summary)
    if draft.is_held or draft.rolls_back:
        return _held(draft, stand, summary)
    return _going(facts, draft, stand, summary, all_ready=all_ready)


def _going(facts: SetFacts, draft: SetDraft, stand: Mapping[str, Standing], summary: str, *, all_ready: bool) -> Situation:
    """Say how a set stands that is under way, or was Ready before."""
    moving = any(found.in_flight for found in stand.values())
    failed = first_failure(stand)
    continues = facts.release_set.spec.strategy.on_failure == "Continue" and draft.is_open and not _is_over(draft, stand)
    if failed is not None and not continues:
        return _failed(failed, summary)
    if facts.release_set.spec.suspend and not moving:
        return held(all_ready, Reason.SUSPENDED, f"{summary}: spec.suspend is true, no further service starts until it is false")
    return _under_way(draft, stand, summary)


def _at_rest(facts: SetFacts, stand: Mapping[str, Standing], summary: str) -> Situation:
    """Say how a set stands that is Ready: Suspended, as a Release is, where no new source would move anything."""
    if facts.release_set.spec.suspend:
        return held(True, Reason.SUSPENDED, f"{summary}: spec.suspend is true, nothing starts until it is false")
    suspended = [found for found in stand.values() if found.reason == Reason.SUSPENDED]
    if suspended and len(suspended) == len(stand):
        return held(True, Reason.SUSPENDED, f"{summary}: {suspended[0].message}")
    return _ready(stand, summary)


def _ready(stand: Mapping[str, Standing], summary: str) -> Situation:
    nothing = [name for name, found in stand.items() if found.reason == Reason.NOTHING_RUNNING]
    if nothing and len(nothing) == len(stand):
        return ready(Reason.NOTHING_RUNNING, f"{summary}, but nothing runs: desiredCount is 0 everywhere, so nothing is proven")
    text = f"{summary}; nothing runs of {', '.join(nothing[:5])} (desiredCount is 0)" if nothing else summary
    return ready(Reason.SUCCEEDED, text)


def _failed(failed: tuple[str, Standing], summary: str) -> Situation:
    _, found = failed
    text = f"{summary}: {found.message}"
    return unready(Reason(found.reason), text) if found.reason in _UNREADY else stalled(found.reason or Reason.ROLLOUT_FAILED, text)


def _held(draft: SetDraft, stand: Mapping[str, Standing], summary: str) -> Situation:
    """Say why nothing goes on: until a new source, or a retry."""
    entry = draft.current
    assert entry is not None
    if not entry.outcome:
        return progressing(Reason.ROLLING_OUT, f"{summary}, {entry.message}")
    hint = "nothing further starts until the source changes or annotation ecs-release.dev/retry asks for it"
    if entry.outcome == ABORTED:
        return stalled(Reason.ABORTED, f"{summary}: {entry.message}; {hint}")
    if entry.outcome == ROLLED_BACK:
        return stalled(Reason.ROLLED_BACK, f"{summary}: {entry.message}; {hint}")
    failed = first_failure(stand)
    reason = failed[1].reason if failed is not None and failed[1].reason else Reason.ROLLOUT_FAILED
    return stalled(reason, f"{summary}: {entry.message}; {hint}")


def _is_over(draft: SetDraft, stand: Mapping[str, Standing]) -> bool:
    return waves.finished(draft.waves) and not any(found.in_flight for found in stand.values())


def _under_way(draft: SetDraft, stand: Mapping[str, Standing], summary: str) -> Situation:
    busy = [(name, found) for name, found in stand.items() if found.in_flight]
    waits = [(name, found) for name, found in busy if found.state is State.WAITING]
    if busy and len(waits) == len(busy):
        name, found = waits[0]
        more = f" and {len(waits) - 1} more" if len(waits) > 1 else ""
        return waiting(found.reason, f"{summary}: {name}{more} waits: {found.message}")
    corrected = [name for name, found in busy if found.reason == Reason.DRIFTED]
    if busy and len(corrected) == len(busy):
        return waiting(Reason.DRIFTED, f"{summary}: {', '.join(corrected[:5])} drifted, and is corrected: {busy[0][1].message}")
    held_up = [name for name, found in stand.items() if found.state is State.WAITING and not found.in_flight]
    if not busy and held_up:
        return waiting(Reason.SUSPENDED, f"{summary}: {', '.join(held_up[:5])} is suspended")
    reason = Reason.VERIFYING if not busy and draft.is_open else Reason.ROLLING_OUT
    names = ", ".join(name for name, _ in busy[:5])
    return progressing(reason, f"{summary}: {names} under way" if names else f"{summary}: settling")
