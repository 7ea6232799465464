"""Whether enough tasks run: availability, which is a thing apart from what is deployed.

Too few are healthy below ceil(minimumHealthyPercent x desired), or at none of more than none, for `AFTER`; it clears after `CLEAR`
(autoscaling and Spot losses flicker; ECS rounds the minimum up: Amazon ECS developer guide, "Rolling update").
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ecs_release.domain.ecs.service import Service


@dataclass(frozen=True, slots=True)
class HealthRules:
    """For how many seconds too few tasks must run to be reported, and enough to clear it."""

    unhealthy_after_s: float = 300
    clear_after_s: float = 60


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of a service's availability: since when it is as it is, and what is reported.

    `desired` is how many tasks were wanted when they began to be too few.
    """

    enough: bool = True
    since: datetime | None = None
    unhealthy: bool = False
    desired: int = 0

    def next_change(self, rules: HealthRules) -> datetime | None:
        """Return when the report will change if nothing else does; None where it will not."""
        if self.since is None or self.enough != self.unhealthy:
            return None
        wait = rules.clear_after_s if self.enough else rules.unhealthy_after_s
        return self.since + timedelta(seconds=wait)


def has_enough(service: Service, desired: int | None = None) -> bool:
    """Tell whether enough tasks run just now, for what is desired or for another number."""
    wanted = service.desired if desired is None else desired
    least = -(-service.minimum_healthy_percent * wanted // 100)
    return service.running >= least and (service.running > 0 or wanted == 0)


def track(before: Health, service: Service, now: datetime, rules: HealthRules) -> Health:
    """Take one look into account.

    Autoscaling may ask for more before what it asked for last has started: who has caught up with that is not late with the rest.
    """
    enough = has_enough(service)
    caught_up = not enough and not before.enough and has_enough(service, before.desired)
    same = enough == before.enough and not caught_up and before.since is not None
    since = before.since if same and before.since is not None else now
    desired = before.desired if same and not enough else service.desired
    unhealthy = before.unhealthy
    if not enough and (now - since).total_seconds() >= rules.unhealthy_after_s:
        unhealthy = True
    if enough and (now - since).total_seconds() >= rules.clear_after_s:
        unhealthy = False
    return Health(enough, since, unhealthy, desired)
