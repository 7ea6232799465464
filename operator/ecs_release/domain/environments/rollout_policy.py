"""The rules that a rollout follows: an Environment's, each overridden by a Project's service where it says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


class Rollout(Protocol):
    """The part of a spec that holds rollout rules; a field that is None is not said."""

    @property
    def method(self) -> str | None: ...
    @property
    def base_revision(self) -> str | None: ...
    @property
    def progress_deadline_seconds(self) -> int | None: ...
    @property
    def settle_seconds(self) -> int | None: ...
    @property
    def on_drift(self) -> str | None: ...
    @property
    def correct_after_seconds(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class RolloutRules:
    """How a service is rolled out. Durations are seconds."""

    method: str = "TaskDefinition"
    base_revision: str = "Service"
    progress_deadline_s: int = 1800
    settle_s: int = 60
    on_drift: str = "Report"
    correct_after_s: int = 900


_FIELDS = {
    "method": "method",
    "base_revision": "base_revision",
    "progress_deadline_s": "progress_deadline_seconds",
    "settle_s": "settle_seconds",
    "on_drift": "on_drift",
    "correct_after_s": "correct_after_seconds",
}


def rules(*layers: Rollout | None) -> RolloutRules:
    """Merge layers of rules, the later ones first; what none says keeps its default."""
    said: dict[str, Any] = {}
    for layer in layers:
        if layer is None:
            continue
        for ours, theirs in _FIELDS.items():
            value = getattr(layer, theirs)
            if value is not None:
                said[ours] = value
    return RolloutRules(**said)
