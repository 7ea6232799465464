"""How old the observation of an Environment is. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ecs_release.api.environment import Environment
from ecs_release.pages.ages import since

# An observation is old when three sweeps in a row did not come: one may be slow, and the time is written once a minute at most.
_SWEEPS, _WRITTEN_S = 3, 60


@dataclass(frozen=True, slots=True)
class Sweep:
    """The last full sweep of an Environment, and for how long it proves what runs; `title` is its name for people."""

    time: datetime | None
    allowed: timedelta
    title: str = ""

    def is_stale(self, now: datetime) -> bool:
        """Return whether it is too old to prove what runs."""
        return self.time is None or now - self.time > self.allowed


def sweep_of(environment: Environment) -> Sweep:
    """Return the last full sweep of an Environment."""
    seen = environment.status.last_sweep_time if environment.status else None
    allowed = timedelta(seconds=_SWEEPS * max(environment.spec.observation.interval_seconds, _WRITTEN_S))
    return Sweep(seen, allowed, environment.spec.display_name or "")


def why_unobserved(sweep: Sweep | None, name: str, now: datetime) -> str:
    """Return why it is not known what runs in an environment now; empty if it is. None: there is no such Environment."""
    if sweep is None:
        return f"there is no Environment {name}"
    if not sweep.is_stale(now):
        return ""
    return f"not observed {f'for {since(sweep.time, now)}' if sweep.time else 'yet'}: it is not known what runs there now"
