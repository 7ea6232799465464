"""Whether enough tasks run: availability, which is judged apart from what is deployed.

A service is unhealthy after `unhealthy_after_s` with fewer than ceil(minimumHealthyPercent x desired) tasks, or with none of those
desired, and healthy again after `clear_after_s` with enough of them: autoscaling and Spot losses flicker. ECS rounds the minimum up
(Amazon ECS developer guide, "Rolling update").

What is counting stands in status, so that a restart or a handover goes on from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ecs_release.api.release_status import HealthStatus
from ecs_release.domain.ecs.service import Service

_TOO_FEW, _UNHEALTHY, _RECOVERING = "TooFewTasks", "TasksUnhealthy", "Recovering"


@dataclass(frozen=True, slots=True)
class HealthRules:
    """For how many seconds too few tasks must run to be reported, and enough of them to clear it."""

    unhealthy_after_s: float = 300
    clear_after_s: float = 60


@dataclass(frozen=True, slots=True)
class Health:
    """A service's availability: since when enough tasks run, or too few, and what is reported.

    `desired` is the desired count when there began to be too few tasks.
    """

    enough: bool = True
    since: datetime | None = None
    unhealthy: bool = False
    desired: int = 0

    def next_change(self, rules: HealthRules) -> datetime | None:
        """Return when the report will change if nothing else does; None if it will not."""
        if self.since is None or self.enough != self.unhealthy:
            return None
        wait = rules.clear_after_s if self.enough else rules.unhealthy_after_s
        return self.since + timedelta(seconds=wait)


def recorded(health: Health) -> HealthStatus | None:
    """Return what status keeps of a service's health; None if enough tasks run and nothing is reported."""
    if health.enough and not health.unhealthy:
        return None
    state = _RECOVERING if health.enough else _UNHEALTHY if health.unhealthy else _TOO_FEW
    return HealthStatus(state=state, since_time=health.since, desired_count=health.desired)


def resumed(status: HealthStatus | None) -> Health:
    """Return the health that a status has recorded; without a record the service is healthy as soon as enough tasks run."""
    if status is None:
        return Health()
    unhealthy = status.state in (_UNHEALTHY, _RECOVERING)
    return Health(status.state == _RECOVERING, status.since_time, unhealthy, status.desired_count or 0)


def has_enough(service: Service, desired: int | None = None) -> bool:
    """Return whether enough tasks run now, for the desired count or for another number."""
    wanted = service.desired if desired is None else desired
    least = -(-service.minimum_healthy_percent * wanted // 100)
    return service.running >= least and (service.running > 0 or wanted == 0)


def track(before: Health, service: Service, now: datetime, rules: HealthRules) -> Health:
    """Return the health after one look.

    Autoscaling may raise the desired count before the tasks of the last raise have started: a service that has those is not late.
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
