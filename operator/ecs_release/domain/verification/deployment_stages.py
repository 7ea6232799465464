"""What a service deployment reports about a rollout under way: its stage, its traffic, a hook that waits, and what its status means.

It confirms and explains: nothing here says that a rollout is done. Stages, statuses and hooks are those of botocore's ServiceDeployment
and of the Amazon ECS developer guide, "Lifecycle stages for Amazon ECS service deployments"; unknown ones are shown as they are.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import TypeGuard

from ecs_release.domain.ecs.service import ROLLING, Deployment, Hook, Service, ServiceDeployment
from ecs_release.domain.model.clauses import join_clauses

AWAITING_ACTION = "AWAITING_ACTION"
BAKE_TIME = "BAKE_TIME"

_SHIFTING = frozenset({"PRE_PRODUCTION_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT"})
"""Linear and canary deployments pass through these at each step, and bake between steps without a stage of its own."""

_STATUS_TEXTS = {
    "": "",
    "IN_PROGRESS": "",
    "PENDING": "ECS has not begun it yet",
    "SUCCESSFUL": "ECS says that it was successful",
    "STOP_REQUESTED": "ECS stops it",
    "STOPPED": "ECS has stopped it",
    "ROLLBACK_REQUESTED": "ECS was asked to roll it back",
    "ROLLBACK_IN_PROGRESS": "ECS rolls it back",
    "ROLLBACK_SUCCESSFUL": "ECS has rolled it back",
    "ROLLBACK_FAILED": "ECS could not roll it back",
}
_ENDING = frozenset(_STATUS_TEXTS) - {"", "IN_PROGRESS", "PENDING"}
_ENDED_BADLY = frozenset({"STOPPED", "ROLLBACK_FAILED"})
"""Nothing happens after these. A deployment that a newer one replaced is STOPPED, too: then ours is no longer PRIMARY."""


def is_waiting(service_deployment: ServiceDeployment | None) -> bool:
    """Return whether ECS waits on purpose: it bakes, or a hook is not done. ECS itself ends both in time."""
    return _goes_on(service_deployment) and (
        service_deployment.stage == BAKE_TIME or bool(_hooks(service_deployment, AWAITING_ACTION, "IN_PROGRESS"))
    )


def ended_badly(service_deployment: ServiceDeployment | None) -> bool:
    """Return whether ECS has given up a deployment that is not complete."""
    return service_deployment is not None and service_deployment.status in _ENDED_BADLY


def has_ended(service_deployment: ServiceDeployment) -> bool:
    """Return whether ECS does nothing more for a deployment, or is about to take it back."""
    return service_deployment.status in _ENDING


def is_rolling_back(service_deployment: ServiceDeployment | None) -> bool:
    """Return whether ECS is rolling a deployment back, or has done so."""
    return service_deployment is not None and service_deployment.status in (
        "ROLLBACK_REQUESTED",
        "ROLLBACK_IN_PROGRESS",
        "ROLLBACK_SUCCESSFUL",
    )


def may_fail_hooks(service_deployment: ServiceDeployment) -> bool:
    """Return whether a hook may have ended as FAILED though nobody answered it: with its deployment.

    An alarm or the circuit breaker has ended that, or it was stopped, as is one that a newer one replaces.
    """
    has_failed = bool(service_deployment.triggered_alarms) or service_deployment.breaker == "TRIGGERED"
    return has_failed or service_deployment.status in ("STOP_REQUESTED", "STOPPED")


def went_on(hook: Hook) -> bool:
    """Return whether a deployment went on at a hook, be it because nobody answered in time."""
    return hook.status == "SUCCEEDED" or (hook.status == "TIMED_OUT" and hook.timeout_action == "CONTINUE")


def open_hooks(service_deployment: ServiceDeployment | None, answered: Collection[str] = ()) -> tuple[Hook, ...]:
    """Return the hooks that await action, but for those that were answered: the look may be older than that."""
    return tuple(h for h in _hooks(service_deployment, AWAITING_ACTION) if h.id not in answered)


def awaited_hook(service_deployment: ServiceDeployment | None, answered: Collection[str] = ()) -> str | None:
    """Describe the hook that awaits action, and the stage that it holds; None if there is none."""
    hooks = open_hooks(service_deployment, answered)
    if service_deployment is None or not hooks:
        return None
    return f"hook {', '.join(_name(h) for h in hooks)} at {service_deployment.stage or 'a stage that ECS does not tell'}"


def traffic_percent(service_deployment: ServiceDeployment | None) -> int | None:
    """Return the share of production traffic that the new revision gets, rounded, but to 0 and 100 only if it is just that."""
    if service_deployment is None or service_deployment.traffic is None:
        return None
    whole = min(100, max(0, round(service_deployment.traffic)))
    return min(99, max(1, whole)) if 0 < service_deployment.traffic < 100 else whole


def describe(service_deployment: ServiceDeployment | None) -> str:
    """Describe the service deployment for people; an empty string if there is nothing of interest."""
    if service_deployment is None:
        return ""
    parts = [_advice(service_deployment), _STATUS_TEXTS.get(service_deployment.status, f"ECS says {service_deployment.status}")]
    if service_deployment.status in _ENDING and (why := service_deployment.rollback_reason or service_deployment.status_reason):
        parts[-1] += f" ({why.rstrip('. ')})"
    if service_deployment.triggered_alarms:
        parts.append(f"alarms: {', '.join(service_deployment.triggered_alarms)}")
    if running := _hooks(service_deployment, "IN_PROGRESS"):
        parts.append(f"hook {', '.join(_name(h) for h in running)} runs")
    if service_deployment.stage:
        parts.append(f"stage {service_deployment.stage}")
    percent = traffic_percent(service_deployment)
    if percent is not None:
        parts.append(f"{percent} % of production traffic shifted")
    return join_clauses(*parts)


def format_time(time: datetime) -> str:
    """Format a time from AWS for people; boto3 returns it in the machine's own zone."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def planned_bake_s(service: Service) -> float:
    """Return for how many seconds ECS bakes in a whole deployment, as far as the service is configured to."""
    return service.bake_s + service.steps * service.step_bake_s


def bake_allowance_s(
    service: Service, deployment: Deployment, old: int, service_deployment: ServiceDeployment | None, deadline_s: float
) -> float:
    """Return for how many seconds beyond the deadline ECS may wait on purpose, if no stage says that it does.

    It bakes only once all new tasks run. The allowance counts from then on, so that a rollout that is stuck still ends.
    """
    if deployment.desired == 0 or deployment.running < deployment.desired:
        return 0
    if service.strategy == ROLLING:
        # ECS does not report how long it bakes for alarms: as long as the deadline again.
        return 0 if old else max(service.bake_s, deadline_s if service.alarms else 0)
    if service_deployment is None or not service_deployment.stage:
        return planned_bake_s(service)
    return service.step_bake_s if service_deployment.stage in _SHIFTING else 0


def _goes_on(service_deployment: ServiceDeployment | None) -> TypeGuard[ServiceDeployment]:
    return service_deployment is not None and service_deployment.status not in _ENDING


def _hooks(service_deployment: ServiceDeployment | None, *statuses: str) -> tuple[Hook, ...]:
    return tuple(h for h in service_deployment.hooks if h.status in statuses) if _goes_on(service_deployment) else ()


def _name(hook: Hook) -> str:
    """Return a Lambda hook's function; a pause has no name other than its id."""
    return hook.target_arn.partition(":function:")[2] or hook.id


def _advice(service_deployment: ServiceDeployment) -> str:
    """Describe what to do about a hook that awaits action, and what ECS does otherwise."""
    words = awaited_hook(service_deployment)
    if words is None:
        return ""
    text = f"{words} awaits action: kubectl ecs-release continue, or continue or roll back in the ECS console"
    expiring = [h for h in _hooks(service_deployment, AWAITING_ACTION) if h.expires_at is not None]
    first = min(expiring, key=lambda h: h.expires_at.timestamp() if h.expires_at else 0, default=None)
    if first is None or first.expires_at is None:
        return text
    does = {"CONTINUE": "continues", "ROLLBACK": "rolls back"}.get(first.timeout_action, "ends the wait")
    return f"{text}; else ECS {does} at {format_time(first.expires_at)}"
