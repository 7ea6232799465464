"""Old tasks that their application protects from scale-in: ECS does not stop them, and a rollout waits for them.

For up to 48 hours (Amazon ECS API reference, UpdateTaskProtection: expiresInMinutes up to 2,880). They are read only if a rollout makes
no progress, and at most once a minute.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from ecs_release.api.release_status import Rollout
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ecs.service import ProtectedTask, Service
from ecs_release.domain.verification.deployment_stages import format_time

EVERY_S = 60.0
_AFTER_S = 120.0
_NAMED = 5


def suspects(service: Service, deployment_id: str) -> tuple[str, ...]:
    """List the ARNs of tasks that another deployment has started and that still run."""
    deployment = service.deployment(deployment_id)
    return tuple(t.arn for t in service.running_tasks if deployment is None or not t.is_of(deployment))


def due_in_s(facts: Facts, rollout: Rollout) -> float | None:
    """Return in how many seconds it is worth reading them (0 or less: now); None if no old task runs. Always before the deadline."""
    if facts.service is None or not suspects(facts.service, rollout.deployment_id or ""):
        return None
    after = min(timedelta(seconds=_AFTER_S), facts.place.deadline / 2)
    return (attempts.last_progress(facts, rollout) + after - facts.now).total_seconds()


def describe(tasks: Sequence[ProtectedTask]) -> str:
    """Return which tasks are protected, and until when; an empty string if none is."""
    if not tasks:
        return ""
    named = [t.arn.rpartition("/")[2] + (f" until {format_time(t.until)}" if t.until else "") for t in tasks[:_NAMED]]
    more = f" and {len(tasks) - _NAMED} more" if len(tasks) > _NAMED else ""
    return f"old tasks are protected from scale-in: {', '.join(named)}{more}"
