"""How a service is rolled out: the Environment's settings, each of which a Project's service may override."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


class RolloutSpec(Protocol):
    """The part of a spec that has rollout settings; a field that is None is not set."""

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
class RolloutPolicy:
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


def rollout_policy(*layers: RolloutSpec | None) -> RolloutPolicy:
    """Merge specs, of which later ones win; what none sets keeps its default."""
    given: dict[str, Any] = {}
    for layer in layers:
        if layer is None:
            continue
        for ours, theirs in _FIELDS.items():
            value = getattr(layer, theirs)
            if value is not None:
                given[ours] = value
    return RolloutPolicy(**given)
