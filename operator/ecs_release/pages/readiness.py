"""Readiness of an object, as scripts wait for it: a status about an older spec, or before a request, does not count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from ecs_release.api.conditions import Condition, ConditionType
from ecs_release.api.names import ABORT_ANNOTATION, REFRESH_ANNOTATION, RETRY_ANNOTATION
from ecs_release.domain.model.conditions import find
from ecs_release.domain.presence.observed import unobserved
from ecs_release.domain.sets.child_state import VERDICT_REASONS

_HANDLED = {RETRY_ANNOTATION: "lastHandledRetry", REFRESH_ANNOTATION: "lastHandledRefresh", ABORT_ANNOTATION: "lastHandledAbort"}
_MAX_TOKEN = 256
_TOLD_BY = (ConditionType.READY, ConditionType.IN_SYNC)

# Mark and style of each phase. The phase itself is always shown beside the mark.
MARKS = {
    "Ready": ("✔", "good"),
    "Failed": ("✖", "bad"),
    "RolledBack": ("✖", "bad"),
    "Drifted": ("≠", "warn"),
    "Progressing": ("◐", "busy"),
    "Waiting": ("◷", "warn"),
    "Suspended": ("⏸", "warn"),
    "Unknown": ("?", "warn"),
}
PENDING = ("○", "dim")


class Verdict(Enum):
    """The result for a script that waits; the value is the exit code."""

    READY = 0
    STALLED = 1
    UNDER_WAY = 2


@dataclass(frozen=True, slots=True)
class Readiness:
    """Readiness of an object. If it is not `current`, its status is about an older spec, or a request is not acknowledged yet."""

    verdict: Verdict
    phase: str = "Pending"
    reason: str = ""
    message: str = ""
    since: datetime | None = None
    current: bool = False

    @property
    def mark(self) -> tuple[str, str]:
        """The mark of the phase, and its style."""
        return MARKS.get(self.phase, PENDING) if self.current else PENDING

    @property
    def text(self) -> str:
        """Reason and message in a line."""
        return ": ".join(part for part in (self.reason, self.message) if part)

    @property
    def why(self) -> str:
        """Reason and message beside the phase; a reason that repeats the phase is left out."""
        return self.message if self.reason == self.phase else self.text


def readiness(body: Mapping[str, Any]) -> Readiness:
    """Return the readiness of a ReleaseSet, Release, Project or Environment."""
    status = body.get("status") or {}
    conditions = {c["type"]: Condition.model_validate(c) for c in status.get("conditions") or ()}
    ready, stalled = conditions.get("Ready"), conditions.get("Stalled")
    if ready is None:
        return Readiness(Verdict.UNDER_WAY, message="the operator has not looked at it yet")
    if not is_current(body):
        return Readiness(Verdict.UNDER_WAY, message="the operator has not looked at this version yet")
    if waits_for_request(body) and (ready.status == "True" or ready.reason in VERDICT_REASONS):
        return Readiness(Verdict.UNDER_WAY, message="the operator has not acted on the request yet")
    verdict = Verdict.UNDER_WAY
    if ready.status == "True":
        verdict = Verdict.READY
    elif stalled is not None and stalled.status == "True":
        verdict = Verdict.STALLED
    phase = str(status.get("phase") or ("Ready" if verdict is Verdict.READY else "Failed" if verdict is Verdict.STALLED else "Pending"))
    return Readiness(verdict, phase, ready.reason, ready.message, ready.last_transition_time, current=True)


def is_observed(body: Mapping[str, Any]) -> bool:
    """Return whether the operator looks at what a Release runs; if not, its status has what was seen last, which may no longer be so."""
    conditions = told_by(body)
    return find(conditions, ConditionType.READY) is not None and unobserved(conditions) is None


def told_by(body: Mapping[str, Any]) -> list[Condition]:
    """Return the conditions of a Release that tell whether it is looked at, and whether it holds its service."""
    return [Condition.model_validate(c) for c in (body.get("status") or {}).get("conditions") or () if c["type"] in _TOLD_BY]


def is_current(body: Mapping[str, Any]) -> bool:
    """Return whether the status is about the current generation of the spec."""
    status = body.get("status") or {}
    return bool(status.get("observedGeneration") == body["metadata"].get("generation"))


def waits_for_request(body: Mapping[str, Any]) -> bool:
    """Return whether a request (retry, refresh, abort) was not acknowledged yet.

    Only a verdict is set aside for it: what else blocks an object blocks its requests, too, and has to be shown.
    """
    tokens, status = body["metadata"].get("annotations") or {}, body.get("status") or {}
    return any(tokens.get(name) and tokens[name][:_MAX_TOKEN] != status.get(handled) for name, handled in _HANDLED.items())
