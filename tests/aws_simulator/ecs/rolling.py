"""How the service scheduler replaces tasks in a rolling update, and when the circuit breaker trips: rules alone, no state.

Amazon ECS developer guide, "Deploy Amazon ECS services by replacing tasks" and "How the Amazon ECS deployment circuit breaker detects
failures". The other strategies are in `strategies`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.aws_simulator.ecs.states import Task

_BREAKER_LEAST, _BREAKER_MOST = 3, 200


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many tasks there may and must be during a deployment."""

    desired: int
    minimum_healthy_percent: int = 100
    maximum_percent: int = 200

    @property
    def least_healthy(self) -> int:
        """Rounded up."""
        return -(-self.desired * self.minimum_healthy_percent // 100)

    @property
    def most(self) -> int:
        """Rounded down."""
        return self.desired * self.maximum_percent // 100


@dataclass(frozen=True, slots=True)
class Plan:
    """What the scheduler does next."""

    launch: int
    stop: tuple[Task, ...]


def plan(bounds: Bounds, new: Sequence[Task], old: Sequence[Task], now: float, deactivating: int = 0) -> Plan:
    """Decide from the tasks that were not told to stop, of the PRIMARY deployment and of older ones.

    Old tasks that are not healthy go first; healthy ones only while enough healthy ones remain. `deactivating` tasks still run.
    """
    room = bounds.most - len(new) - len(old) - deactivating
    launch = max(0, min(bounds.desired - len(new), room))
    going = [] if len(new) <= bounds.desired else _surplus(bounds, new, now)
    healthy = sum(t.healthy for t in (*new, *old)) - sum(t.healthy for t in going)
    for task in sorted(old, key=lambda t: (t.healthy, t.created)):
        if task.protected_until > now or (task.healthy and healthy - 1 < bounds.least_healthy):
            continue
        healthy -= task.healthy
        going.append(task)
    return Plan(launch, tuple(going))


def _surplus(bounds: Bounds, new: Sequence[Task], now: float) -> list[Task]:
    free = [t for t in sorted(new, key=lambda t: (t.healthy, -t.created)) if t.protected_until <= now]
    return free[: len(new) - bounds.desired]


def breaker_threshold(breaker: Mapping[str, Any], desired: int) -> int:
    """Return how many failures trip the circuit breaker: half of desired, between 3 and 200, unless `thresholdConfiguration` says else."""
    configured = breaker.get("thresholdConfiguration") or {}
    kind, value = configured.get("type", "BOUNDED_PERCENT"), configured.get("value", 50)
    if kind == "COUNT":
        return max(1, int(value))
    share = max(1, math.ceil(desired * value / 100))
    return share if kind == "UNBOUNDED_PERCENT" else min(_BREAKER_MOST, max(_BREAKER_LEAST, share))
