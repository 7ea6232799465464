"""Situations and the conditions that say them: the one place that knows the table.

kstatus reads Ready, Reconciling and Stalled (kubernetes-sigs/cli-utils, pkg/kstatus): only Stalled says failed, only Ready done.
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
    """How an object stands: the three statuses of kstatus, and why."""

    ready: str
    reconciling: bool
    stalled: bool
    reason: str
    message: str


def progressing(reason: Reason, message: str) -> Situation:
    """Work is under way."""
    return Situation(UNKNOWN, True, False, reason, message)


def waiting(reason: str, message: str) -> Situation:
    """It waits for somebody or something else."""
    return Situation(FALSE, True, False, reason, message)


def stalled(reason: str, message: str) -> Situation:
    """It will not go on by itself."""
    return Situation(FALSE, False, True, reason, message)


def ready(reason: Reason, message: str) -> Situation:
    """All is as wanted."""
    return Situation(TRUE, False, False, reason, message)


def unready(reason: Reason, message: str) -> Situation:
    """It is not as wanted, and there is nothing to do and nothing to mend here."""
    return Situation(FALSE, False, False, reason, message)


def held(
    matches: bool | None,  # noqa: FBT001
    reason: Reason,
    message: str,
) -> Situation:
    """Nobody wants anything done: ready is whether wanted is what runs (None: not known)."""
    status = UNKNOWN if matches is None else (TRUE if matches else FALSE)
    return Situation(status, False, False, reason, message)


def of_problem(problem: Problem) -> Situation:
    """Say what a problem means for the object that met it."""
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
    """Derive the phase: for people and field selectors, never read by code."""
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
class Said:
    """One condition to be set."""

    type: str
    status: str
    reason: str
    message: str = ""


def triple(situation: Situation) -> tuple[Said, Said, Said]:
    """Say a situation in the three conditions of kstatus."""

    def flag(name: str, *, value: bool) -> Said:
        return Said(name, TRUE if value else FALSE, situation.reason, situation.message if value else "")

    return (
        Said(ConditionType.READY, situation.ready, situation.reason, situation.message),
        flag(ConditionType.RECONCILING, value=situation.reconciling),
        flag(ConditionType.STALLED, value=situation.stalled),
    )


def merge(before: Sequence[Condition] | None, said: Iterable[Said], generation: int, now: datetime) -> list[Condition]:
    """Set conditions: the time of the last transition stays where the status does; those that are not said stay as they were."""
    old = {condition.type: condition for condition in before or ()}
    merged = dict(old)
    for one in said:
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
