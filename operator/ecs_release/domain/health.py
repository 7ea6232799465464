"""Whether enough tasks run: availability, which is a thing apart from what is deployed.

Too few are healthy below ceil(minimumHealthyPercent x desired), or at none of more than none, for `AFTER`; it clears after `CLEAR`
(autoscaling and Spot losses flicker; ECS rounds the minimum up: Amazon ECS developer guide, "Rolling update").
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ecs_release.domain.observation import Service


@dataclass(frozen=True, slots=True)
class HealthRules:
    """For how many seconds too few tasks must run to be reported, and enough to clear it."""

    unhealthy_after_s: float = 300
    clear_after_s: float = 60


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of a service's availability: since when it is as it is, and what is reported."""

    enough: bool = True
    since: datetime | None = None
    unhealthy: bool = False

    def next_change(self, rules: HealthRules) -> datetime | None:
        """Return when the report will change if nothing else does; None where it will not."""
        if self.since is None or self.enough != self.unhealthy:
            return None
        wait = rules.clear_after_s if self.enough else rules.unhealthy_after_s
        return self.since + timedelta(seconds=wait)


def has_enough(service: Service) -> bool:
    """Tell whether enough tasks run just now."""
    least = -(-service.minimum_healthy_percent * service.desired // 100)
    return service.running >= least and (service.running > 0 or service.desired == 0)


def track(before: Health, service: Service, now: datetime, rules: HealthRules) -> Health:
    """Take one look into account."""
    enough = has_enough(service)
    since = before.since if enough == before.enough and before.since else now
    unhealthy = before.unhealthy
    if not enough and (now - since).total_seconds() >= rules.unhealthy_after_s:
        unhealthy = True
    if enough and (now - since).total_seconds() >= rules.clear_after_s:
        unhealthy = False
    return Health(enough, since, unhealthy)
