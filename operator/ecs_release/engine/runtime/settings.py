"""Settings of the engine that are not in an Environment. All durations are in seconds."""

from __future__ import annotations

from dataclasses import dataclass, field

from ecs_release.domain.environments.sharding import DEFAULT, SINGLE_SHARD, Shards
from ecs_release.domain.verification.health import HealthRules


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Settings of the engine; `config` fills them from flags and environment variables."""

    installation: str = "default"
    shard: str = DEFAULT
    """The one of `shards` that this operator serves."""
    shards: Shards = SINGLE_SHARD
    namespaces: tuple[str, ...] = ()
    """Those whose Releases, ReleaseSets and Projects are watched; empty: all."""
    workers: int = 32
    rollout_interval_s: float = 5.0
    """Between two looks at a service with a rollout under way."""
    rollout_tasks_interval_s: float = 20.0
    """Between two reads of the tasks of a service with a rollout under way."""
    retry_interval_s: float = 10.0
    """Before a call that failed temporarily is retried."""
    visible_s: float = 30.0
    """How long ECS's reads may lag: a new deployment may stay invisible for so long, and no call in doubt is repeated sooner."""
    rollback_s: float = 60.0
    """How long ECS may take to begin the rollback of a failed deployment."""
    counts_interval_s: float = 60.0
    """Between two status writes that only change task counts."""
    sweep_time_interval_s: float = 60.0
    """Between two writes of an Environment's lastSweepTime."""
    ghost_sweep_interval_s: float = 600.0
    """Between two checks for objects that were deleted while the watch was interrupted."""
    namespace_interval_s: float = 60.0
    """Between two checks of access to the watched namespaces, if not all namespaces are watched."""
    sync_timeout_s: float = 60.0
    """How long to wait at the start until the watch has reported every object."""
    tag_interval_s: float = 600.0
    """Between two reads of the environment's tag, for method EnvironmentTag."""
    base_sweep_s: float = 900.0
    """Between two checks for newer revisions of a family."""
    resync_s: float = 3600.0
    """Between two passes over a Release without any event, if nothing else is due sooner."""
    artifact_interval_s: float = 86_400.0
    """Between two checks that the images that Releases need are still in their registries."""
    closing_grace_s: float = 600.0
    """How long after the start a Release with a record in the ledger may be missing before that record is closed."""
    look_timeout_s: float = 60.0
    """How long a pass waits for a fresh look."""
    health: HealthRules = field(default_factory=HealthRules)
