"""The situation of a set, from the states of its children."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ecs_release.api.conditions import Reason
from ecs_release.domain.model.clauses import join_clauses
from ecs_release.domain.model.conditions import UNKNOWN, Situation, held, progressing, ready, stalled, unready, waiting
from ecs_release.domain.sets import waves
from ecs_release.domain.sets.child_state import ChildState, State
from ecs_release.domain.sets.decision import ABORTED, ROLLED_BACK, SetDraft
from ecs_release.domain.sets.deployment_set import first_failure
from ecs_release.domain.sets.facts import SetFacts

_UNREADY = frozenset({Reason.TASKS_UNHEALTHY})


@dataclass(frozen=True, slots=True)
class SetProgress:
    """How far a set is in a line: `4/6 ready, wave 2/3: bag-register RolledBack`. `detail` is what follows the colon."""

    position: str
    detail: str = ""

    @property
    def text(self) -> str:
        """The whole line."""
        return f"{self.position}: {self.detail}"[:256] if self.detail else self.position


def situation_of(facts: SetFacts, draft: SetDraft, states: Mapping[str, ChildState], progress: SetProgress) -> Situation:
    """Return the situation of a set: Ready only if every child is, on the set's own digests."""
    on_pins = {s.name: states[s.name] for s in draft.members if not s.reverting}
    all_ready = len(on_pins) == len(draft.members) and all(found.state is State.READY for found in on_pins.values())
    as_wanted = _as_wanted(draft, states)
    if facts.observed_only:
        return held(as_wanted, Reason.OBSERVING, f"{progress.text}: the Environment is in mode Observe, nothing is changed in AWS")
    if all_ready and not draft.is_open:
        return _at_rest(facts, states, progress)
    if draft.is_held or draft.rolls_back:
        return _held(draft, states, progress)
    return _going(facts, draft, states, progress, as_wanted=as_wanted)


def _as_wanted(draft: SetDraft, states: Mapping[str, ChildState]) -> bool | None:
    """Return whether all that the set wants is what runs: False only if something is known to differ, None if something is not known."""
    found = {states[s.name].matches if not s.reverting else _was_taken_back(states[s.name]) for s in draft.members}
    if False in found:
        return False
    return None if None in found else True


def _was_taken_back(found: ChildState) -> bool | None:
    """Return False for a service that runs what a rollback has returned it to, which is not what the set wants; None for any other."""
    return False if found.state is State.READY else None


def _going(
    facts: SetFacts, draft: SetDraft, states: Mapping[str, ChildState], progress: SetProgress, *, as_wanted: bool | None
) -> Situation:
    """Return the situation of a set that is under way, or was Ready before."""
    moving = any(found.in_flight for found in states.values())
    failed = first_failure(states)
    continues = facts.release_set.spec.strategy.on_failure == "Continue" and draft.is_open and not _is_over(draft, states)
    if failed is not None and not continues:
        return _failed(failed, progress)
    if facts.suspension is not None and not moving:
        return held(as_wanted, Reason.SUSPENDED, f"{progress.text}: {facts.suspension.message}")
    return _under_way(draft, states, progress, as_wanted=as_wanted)


def _at_rest(facts: SetFacts, states: Mapping[str, ChildState], progress: SetProgress) -> Situation:
    """Return the situation of a set that runs what it wants: Suspended, as a Release is, if no new source would start anything."""
    outdated = [name for name, found in states.items() if found.is_outdated]
    if outdated:
        text = f"{progress.text}: {', '.join(outdated[:5])}: {states[outdated[0]].message}"
        return unready(Reason.BASE_REVISION_OUTDATED, text)
    if facts.suspension is not None:
        return held(True, Reason.SUSPENDED, f"{progress.text}: {facts.suspension.message}")
    suspended = [found for found in states.values() if found.reason == Reason.SUSPENDED]
    if suspended and len(suspended) == len(states):
        return held(True, Reason.SUSPENDED, f"{progress.text}: {suspended[0].message}")
    return _ready(states, progress)


def _ready(states: Mapping[str, ChildState], progress: SetProgress) -> Situation:
    nothing = [name for name, found in states.items() if found.reason == Reason.NOTHING_RUNNING]
    if nothing and len(nothing) == len(states):
        return ready(Reason.NOTHING_RUNNING, f"{progress.text}, but nothing runs: desiredCount is 0 everywhere, so nothing is proven")
    text = f"{progress.text}; nothing runs of {', '.join(nothing[:5])} (desiredCount is 0)" if nothing else progress.text
    return ready(Reason.SUCCEEDED, text)


def _failed(failed: tuple[str, ChildState], progress: SetProgress) -> Situation:
    _, found = failed
    text = f"{progress.text}: {found.message}"
    return unready(Reason(found.reason), text) if found.reason in _UNREADY else stalled(found.reason or Reason.ROLLOUT_FAILED, text)


def _held(draft: SetDraft, states: Mapping[str, ChildState], progress: SetProgress) -> Situation:
    """Return why nothing further starts until a new source, or a retry."""
    entry, failed = draft.current, first_failure(states)
    assert entry is not None
    # A message that names the failure stands alone: the progress would name it, too.
    is_named = failed is not None and f"{failed[0]} {failed[1].reason}" in (entry.message or "")
    if not entry.outcome:
        text = f"{progress.position}: rolling back" if is_named else progress.text
        return progressing(Reason.ROLLING_OUT, f"{text}, {entry.message}")
    text = f"{progress.position if is_named else progress.text}: {entry.message}"
    text = join_clauses(text, "nothing further starts until the source changes or annotation ecs-release.dev/retry asks for it")
    if entry.outcome == ABORTED:
        return stalled(Reason.ABORTED, text)
    if entry.outcome == ROLLED_BACK:
        return stalled(Reason.ROLLED_BACK, text)
    return stalled(failed[1].reason if failed is not None and failed[1].reason else Reason.ROLLOUT_FAILED, text)


def _is_over(draft: SetDraft, states: Mapping[str, ChildState]) -> bool:
    return waves.finished(draft.waves) and not any(found.in_flight for found in states.values())


def _under_way(draft: SetDraft, states: Mapping[str, ChildState], progress: SetProgress, *, as_wanted: bool | None) -> Situation:
    busy = [(name, found) for name, found in states.items() if found.in_flight]
    waits = [(name, found) for name, found in busy if found.state is State.WAITING]
    if busy and len(waits) == len(busy):
        name, found = waits[0]
        more = f" and {len(waits) - 1} more" if len(waits) > 1 else ""
        return waiting(found.reason, f"{progress.text}: {name}{more} waits: {found.message}")
    corrected = [name for name, found in busy if found.reason == Reason.DRIFTED]
    if busy and len(corrected) == len(busy):
        return waiting(Reason.DRIFTED, f"{progress.text}: {', '.join(corrected[:5])} drifted, and is corrected: {busy[0][1].message}")
    blind = [name for name, found in busy if found.reason == Reason.OBSERVATION_FAILED]
    if busy and len(blind) == len(busy) and not draft.is_open:
        return progressing(Reason.OBSERVATION_FAILED, f"{progress.text}: {', '.join(blind[:5])}: {busy[0][1].message}")
    held_up = [name for name, found in states.items() if found.state is State.WAITING and not found.in_flight]
    if not busy and held_up:
        held_back = waiting(Reason.SUSPENDED, f"{progress.text}: {', '.join(held_up[:5])} is suspended")
        return held_back if as_wanted is not None else replace(held_back, ready=UNKNOWN)
    reason = Reason.VERIFYING if not busy and draft.is_open else Reason.ROLLING_OUT
    names = ", ".join(name for name, _ in busy[:5])
    return progressing(reason, f"{progress.text}: {names} under way" if names else f"{progress.text}: settling")
