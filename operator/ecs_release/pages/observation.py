"""How old the observation of an Environment is. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ecs_release.api.environment import Environment
from ecs_release.pages.ages import age, since

# An observation is old when three sweeps in a row did not come: one may be slow, and the time is written once a minute at most.
_SWEEPS, _WRITTEN_S = 3, 60
# Clocks of two machines that are kept by NTP differ by less. A time that has not come yet does not say how long ago it was.
_AHEAD = timedelta(seconds=60)


UNTOLD = "How old this is cannot be told: you may not see Environments."
"""What pages say to whoever may not see when an Environment was observed."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """The last full sweep of an Environment, and for how long it proves what runs; `title` is its name for people."""

    time: datetime | None
    allowed: timedelta
    title: str = ""

    def is_stale(self, now: datetime) -> bool:
        """Return whether it is too old to prove what runs."""
        return self.time is None or now - self.time > self.allowed or self.is_ahead(now)

    def is_ahead(self, now: datetime) -> bool:
        """Return whether the clock of who observed it is so far ahead of this one that its age cannot be told."""
        return self.time is not None and self.time - now > _AHEAD


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
    if sweep.time is not None and sweep.is_ahead(now):
        return f"observed {age((sweep.time - now).total_seconds())} from now, so clocks differ: it is not known how old that is"
    return f"not observed {f'for {since(sweep.time, now)}' if sweep.time else 'yet'}: it is not known what runs there now"
