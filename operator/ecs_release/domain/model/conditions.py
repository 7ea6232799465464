"""Situations, and the conditions that each is written as: the one place that has the table.

kstatus reads Ready, Reconciling and Stalled (kubernetes-sigs/cli-utils, pkg/kstatus): an object failed only if Stalled is True, and is
done only if Ready is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ecs_release.api.conditions import Condition, ConditionType, Reason
from ecs_release.domain.model.errors import Blocked, Problem, Waiting

TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"

_MAX_MESSAGE = 2048


@dataclass(frozen=True, slots=True)
class Situation:
    """The state of an object as the three conditions of kstatus, and why."""

    ready: str
    reconciling: bool
    stalled: bool
    reason: str
    message: str


def progressing(reason: Reason, message: str) -> Situation:
    """Return the situation of an object that is being worked on."""
    return Situation(UNKNOWN, True, False, reason, message)


def waiting(reason: str, message: str) -> Situation:
    """Return the situation of an object that waits for somebody or something else."""
    return Situation(FALSE, True, False, reason, message)


def stalled(reason: str, message: str) -> Situation:
    """Return the situation of an object that does not go on by itself."""
    return Situation(FALSE, False, True, reason, message)


def ready(reason: Reason, message: str) -> Situation:
    """Return the situation of an object that is as wanted."""
    return Situation(TRUE, False, False, reason, message)


def unready(reason: Reason, message: str) -> Situation:
    """Return the situation of an object that is not as wanted, with nothing to do or to correct here."""
    return Situation(FALSE, False, False, reason, message)


def held(
    matches: bool | None,  # noqa: FBT001
    reason: Reason,
    message: str,
) -> Situation:
    """Return the situation of an object that is left as it is. `matches`: whether what runs is what is wanted (None: not known)."""
    status = UNKNOWN if matches is None else (TRUE if matches else FALSE)
    return Situation(status, False, False, reason, message)


def situation_of_problem(problem: Problem) -> Situation:
    """Return the situation of an object that a problem keeps from going on."""
    if isinstance(problem, Waiting):
        return waiting(problem.reason, problem.message)
    if isinstance(problem, Blocked):
        return stalled(problem.reason, problem.message)
    return progressing(Reason.PROGRESSING_WITH_RETRY, problem.message)


_PHASES = {
    Reason.ROLLED_BACK: "RolledBack",
    Reason.DRIFTED: "Drifted",
    Reason.SUSPENDED: "Suspended",
    Reason.OBSERVING: "Suspended",
    Reason.OBSERVATION_FAILED: "Unknown",
}


def phase(situation: Situation) -> str:
    """Derive the phase, which is for people and field selectors; no code reads it."""
    if situation.reason in _PHASES:
        return _PHASES[Reason(situation.reason)]
    if situation.ready == TRUE:
        return "Ready"
    if situation.stalled:
        return "Failed"
    if situation.reconciling:
        return "Waiting" if situation.ready == FALSE else "Progressing"
    return "Failed"


@dataclass(frozen=True, slots=True)
class ConditionUpdate:
    """A condition to be set by `merge`."""

    type: str
    status: str
    reason: str
    message: str = ""


def kstatus_conditions(situation: Situation) -> tuple[ConditionUpdate, ConditionUpdate, ConditionUpdate]:
    """Return the three conditions of kstatus for a situation."""

    def flag(name: str, *, value: bool) -> ConditionUpdate:
        return ConditionUpdate(name, TRUE if value else FALSE, situation.reason, situation.message if value else "")

    return (
        ConditionUpdate(ConditionType.READY, situation.ready, situation.reason, situation.message),
        flag(ConditionType.RECONCILING, value=situation.reconciling),
        flag(ConditionType.STALLED, value=situation.stalled),
    )


def merge(before: Sequence[Condition] | None, updates: Iterable[ConditionUpdate], generation: int, now: datetime) -> list[Condition]:
    """Set conditions. A condition whose status stays keeps its last transition time; those without an update stay as they were."""
    old = {condition.type: condition for condition in before or ()}
    merged = dict(old)
    for one in updates:
        was = old.get(one.type)
        since = was.last_transition_time if was is not None and was.status == one.status else now
        merged[one.type] = Condition(
            type=one.type,
            status=one.status,
            observed_generation=generation,
            last_transition_time=since,
            reason=one.reason,
            message=one.message[:_MAX_MESSAGE],
        )
    return list(merged.values())


def find(conditions: Sequence[Condition] | None, kind: str) -> Condition | None:
    """Return the condition of a type."""
    return next((c for c in conditions or () if c.type == kind), None)


def is_news(before: Sequence[Condition] | None, now: Situation) -> bool:
    """Return whether an Event is due: the reason of Ready is another one, or what was waited for is Stalled from now on."""
    was, stopped = find(before, ConditionType.READY), find(before, ConditionType.STALLED)
    if was is None or was.reason != now.reason:
        return True
    return now.stalled and (stopped is None or stopped.status != TRUE)
