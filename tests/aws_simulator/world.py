"""What all accounts share: the clock, how images behave, faults, the call log, throttling."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from tests.aws_simulator.behaviour import Behaviours
from tests.aws_simulator.clock import Clock
from tests.aws_simulator.faults import Faults
from tests.aws_simulator.throttling import Throttling


@dataclass
class Switches:
    """How this AWS differs from the newest one."""

    visibility_lag_s: float = 0.0
    service_deployments: bool = True
    rollout_state: bool = True
    unknown_task_definition_field: str = ""
    lose_events: float = 0.0
    double_events: bool = False
    reorder_events: bool = False
    image_with_digest: bool = False


@dataclass
class World:
    """One simulated world."""

    clock: Clock = field(default_factory=Clock)
    behaviours: Behaviours = field(default_factory=Behaviours)
    faults: Faults = field(default_factory=Faults)
    throttling: Throttling = field(default_factory=Throttling)
    switches: Switches = field(default_factory=Switches)
    lock: threading.RLock = field(default_factory=threading.RLock)
    seed: int = 1


WORLD = World()
"""The one world of this process: moto's backends are process-wide, too."""


def reset(clock: Clock | None = None) -> World:
    """Begin anew, in place: others hold on to it."""
    fresh = World(clock=clock or WORLD.clock)
    for name in ("clock", "behaviours", "faults", "throttling", "switches"):
        setattr(WORLD, name, getattr(fresh, name))
    return WORLD
