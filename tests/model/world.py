"""The truth: ECS, ECR and the API server together in simulated time. Imports nothing of the operator."""

from __future__ import annotations

import heapq
import itertools
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

State = TypeVar("State")

KEPT_S = 7200.0
"""For how long old states are kept: longer than anybody may look back."""


START = datetime(2026, 6, 1, 12, tzinfo=UTC)


def time_of(seconds: float) -> datetime:
    """Return a moment of true time."""
    return START + timedelta(seconds=seconds)


@dataclass
class Timeline:
    """True time in seconds, and what is to happen when. What is due happens in order, each at its own moment."""

    now: float = 0.0
    _due: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _order: itertools.count[int] = field(default_factory=itertools.count)

    def after(self, seconds: float, happen: Callable[[], None]) -> None:
        """Have something happen after some seconds."""
        heapq.heappush(self._due, (self.now + seconds, next(self._order), happen))

    def advance(self, to: float) -> None:
        """Let time pass."""
        while self._due and self._due[0][0] <= to:
            self.now, _, happen = heapq.heappop(self._due)
            happen()
        self.now = max(self.now, to)

    @property
    def next_due(self) -> float:
        """When something happens next by itself."""
        return self._due[0][0] if self._due else float("inf")


@dataclass
class Snapshots(Generic[State]):
    """One resource's states, so that a read may be answered from an old one."""

    timeline: Timeline
    times: list[float] = field(default_factory=list)
    states: list[State] = field(default_factory=list)

    def set(self, state: State) -> None:
        """Change the resource."""
        if self.times and self.times[-1] == self.timeline.now:
            self.states[-1] = state
            return
        self.times.append(self.timeline.now)
        self.states.append(state)
        old = bisect_right(self.times, self.timeline.now - KEPT_S) - 1
        if old > 64:
            del self.times[:old], self.states[:old]

    @property
    def now(self) -> State:
        """The truth."""
        return self.states[-1]

    def at(self, time: float) -> State:
        """Return the state at a time; the oldest where that is not known any more."""
        return self.states[max(0, bisect_right(self.times, time) - 1)]

    def between(self, start: float, end: float) -> list[State]:
        """List all states that there were between two times."""
        first = max(0, bisect_right(self.times, start) - 1)
        return self.states[first : bisect_right(self.times, end)]


@dataclass(frozen=True)
class Switches:
    """How AWS behaves in one run, where real ones differ or nobody knows, and how things are set up. All are alike by default."""

    breaker: bool = True
    rollback: bool = True
    alarms: bool = False
    reuses_ids: bool = False
    """A rollback makes the deployment that it returns to PRIMARY again, by its old id and time; else it is a new one."""
    platforms: bool = False
    """Images are indexes of two platforms."""
    shows_platform: bool = True
    """Tasks show the digest of their platform's image; else that of the index."""
    starts_by_service: bool = False
    """`startedBy` of tasks is the service's name; else the deployment's id."""
    has_deployments_api: bool = True
    scaling_is_progress: bool = False
    """A deployment that was COMPLETED is IN_PROGRESS while it scales."""
    rollback_s: float = 5.0
    desired: int = 2
    base_latest: bool = False
    corrects: bool = False
    has_ledger: bool = False
    container_count: int = 1
    deadline_s: int = 600
    interval_s: int = 60
    strategy: str = "ROLLING"
    """ROLLING, BLUE_GREEN, LINEAR or CANARY. Those that go in stages keep the old tasks until the last one."""
    uses_tag: bool = False
    """Services pull a tag of the environment's, which moves: method EnvironmentTag. Not for sets, whose services share repositories."""
    pauses: bool = False
    """A PAUSE hook stands after POST_SCALE_UP, where deployments go in stages."""
    pauses_twice: bool = False
    """Two do: both have to be answered."""
    bake_s: float = 60.0
    has_set: bool = False
    """A ReleaseSet of two services, in two waves, makes the Releases."""
    promotes: bool = False
    """The set takes what is proven in another Environment, where each service has a Release of its own."""
    on_failure: str = "Halt"
    controller: str = "ECS"
    """The deployment controller of the service in the second wave."""
    asks_graph: bool = False
    """The Environment lets nothing go backwards by the commit graph, in which each release follows the one before it in the alphabet."""
