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
    """How this AWS differs from the newest one, and how it behaves for everybody. Durations are real seconds."""

    visibility_lag_s: float = 0.0
    """DescribeServices and the lists do not show a new deployment for so long after the answer of UpdateService did."""
    service_deployments: bool = True
    accounts_without_service_deployments: list[str] = field(default_factory=list)
    rollout_state: bool = True
    """False: `rolloutState` is left out, as for a service behind a Classic Load Balancer."""
    unknown_task_definition_field: str = ""
    """DescribeTaskDefinition answers a field of this name, newer than any botocore."""
    hide_events: bool = False
    image_with_digest: bool = False
    """Tasks show `repo:tag@digest` instead of the task definition's string."""
    platform_digests: bool = False
    """Tasks show the digest of the platform's own image instead of the manifest list's."""
    started_by_service: bool = False
    """Tasks are `startedBy` their service, as other implementations say, and not by the deployment."""
    guardduty_sidecar: bool = False
    """Tasks show one more container, without `image`."""
    inactive_lingers_s: float = 0.0
    """Drained deployments are shown INACTIVE for so long."""
    daemon_instances: int = 2
    """How many container instances there are: a DAEMON service's desired count, which follows it."""
    hook_results: dict[str, str] = field(default_factory=dict)
    """What the functions of lifecycle hooks answer, by ARN: SUCCEEDED (where nothing is said), FAILED or IN_PROGRESS."""
    express_services: list[str] = field(default_factory=list)
    """The services that ECS manages itself (Express mode), by ARN."""
    lose_events: float = 0.0
    """The share of events that is lost."""
    double_events: bool = False
    reorder_events: bool = False


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
    fresh.faults = Faults(WORLD.seed)
    for name in ("clock", "behaviours", "faults", "throttling", "switches"):
        setattr(WORLD, name, getattr(fresh, name))
    return WORLD
