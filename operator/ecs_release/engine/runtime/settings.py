"""How the engine behaves, apart from what each Environment says. All durations are seconds."""

from __future__ import annotations

from dataclasses import dataclass, field

from ecs_release.domain.environments.sharding import DEFAULT, ONE, Shards
from ecs_release.domain.verification.health import HealthRules


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Settings of the engine; `config` fills them from flags and environment variables."""

    installation: str = "default"
    shard: str = DEFAULT
    """What this operator serves of `shards`."""
    shards: Shards = ONE
    namespaces: tuple[str, ...] = ()
    """Those whose Releases, ReleaseSets and Projects are watched; empty: all."""
    workers: int = 32
    rollout_interval_s: float = 5.0
    """Between two looks at a service whose rollout is under way."""
    rollout_tasks_interval_s: float = 20.0
    """Between two looks at the tasks of a service whose rollout goes on."""
    retry_interval_s: float = 10.0
    """Before an AWS fault that passes by itself is tried again."""
    visible_s: float = 30.0
    """How long a new deployment may stay invisible to DescribeServices."""
    read_lag_s: float = 10.0
    """How long to look for a mutating call's effect before it is repeated."""
    rollback_s: float = 60.0
    """How long ECS may take to begin the rollback of a failed deployment."""
    counts_interval_s: float = 60.0
    """Between two status writes that only change task counts."""
    sweep_time_interval_s: float = 60.0
    """Between two writes of an Environment's lastSweepTime."""
    ghost_sweep_interval_s: float = 600.0
    """Between two looks for objects that were deleted while nobody watched."""
    namespace_interval_s: float = 60.0
    """Between two looks into the namespaces that are watched, where not all are: whether they let us in."""
    sync_timeout_s: float = 60.0
    """How long to wait at the start for the watch to tell of everything that is there."""
    tag_interval_s: float = 600.0
    """Between two looks at where the environment's tag points, for method EnvironmentTag."""
    base_sweep_s: float = 900.0
    """Between two looks for newer revisions of a family."""
    resync_s: float = 3600.0
    """Between two passes over a Release that nothing has happened to, and whose slower sweeps are not sooner."""
    artifact_interval_s: float = 86_400.0
    """Between two looks at whether the images that Releases need are still in their registries."""
    closing_grace_s: float = 600.0
    """How long after the start a Release that the ledger knows may be missing before its record is closed."""
    look_timeout_s: float = 60.0
    """How long a pass waits for a fresh look."""
    health: HealthRules = field(default_factory=HealthRules)
