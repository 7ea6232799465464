"""What a service deployment tells of a rollout under way: its stage, its traffic, a hook that waits, and what its status means.

It confirms and explains: nothing here says that a rollout is done. Stages, statuses and hooks are those of botocore's ServiceDeployment
and of the Amazon ECS developer guide, "Lifecycle stages for Amazon ECS service deployments"; unknown ones are shown as they are.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypeGuard

from ecs_release.domain.ecs.service import ROLLING, Deployment, Hook, Service, ServiceDeployment

AWAITING_ACTION = "AWAITING_ACTION"
BAKE_TIME = "BAKE_TIME"

_SHIFTING = frozenset({"PRE_PRODUCTION_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT"})
"""Linear and canary deployments pass through these at each step, and bake between steps without a stage of its own."""

_TOLD = {
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
_ENDING = frozenset(_TOLD) - {"", "IN_PROGRESS", "PENDING"}
_ENDED_BADLY = frozenset({"STOPPED", "ROLLBACK_FAILED"})
"""Nothing happens after these. STOPPED is also said of what a newer deployment has replaced: then ours is PRIMARY no longer."""


def waits(explained: ServiceDeployment | None) -> bool:
    """Tell whether ECS stands still on purpose: it bakes, or a hook is not done. ECS itself ends both in time."""
    return _goes_on(explained) and (explained.stage == BAKE_TIME or bool(_hooks(explained, AWAITING_ACTION, "IN_PROGRESS")))


def ended_badly(explained: ServiceDeployment | None) -> bool:
    """Tell whether ECS does nothing more for a deployment that it has not brought to an end."""
    return explained is not None and explained.status in _ENDED_BADLY


def rolls_back(explained: ServiceDeployment | None) -> bool:
    """Tell whether ECS rolls a deployment back already, or has done so."""
    return explained is not None and explained.status in ("ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL")


def awaiting(explained: ServiceDeployment | None) -> str | None:
    """Name the hook that somebody must act on, and the stage that it holds; None where there is none."""
    hooks = _hooks(explained, AWAITING_ACTION)
    if explained is None or not hooks:
        return None
    return f"hook {', '.join(_name(h) for h in hooks)} at {explained.stage or 'a stage that ECS does not tell'}"


def traffic_percent(explained: ServiceDeployment | None) -> int | None:
    """Return the share of production traffic that the new revision is given; 0 and 100 are said of nothing between them."""
    if explained is None or explained.traffic is None:
        return None
    whole = min(100, max(0, round(explained.traffic)))
    return min(99, max(1, whole)) if 0 < explained.traffic < 100 else whole


def told(explained: ServiceDeployment | None) -> str:
    """Say what the service deployment tells, for people; an empty string where it tells nothing of interest."""
    if explained is None:
        return ""
    parts = [_advice(explained), _TOLD.get(explained.status, f"ECS says {explained.status}")]
    if explained.status in _ENDING and (why := explained.rollback_reason or explained.status_reason):
        parts[-1] += f" ({why})"
    if explained.triggered_alarms:
        parts.append(f"alarms: {', '.join(explained.triggered_alarms)}")
    if running := _hooks(explained, "IN_PROGRESS"):
        parts.append(f"hook {', '.join(_name(h) for h in running)} runs")
    if explained.stage:
        parts.append(f"stage {explained.stage}")
    percent = traffic_percent(explained)
    if percent is not None:
        parts.append(f"{percent} % of production traffic shifted")
    return "; ".join(p for p in parts if p)


def at(time: datetime) -> str:
    """Write a time of AWS's for people; boto3 gives it in the machine's own zone."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def planned_s(service: Service) -> float:
    """Return how long ECS bakes in a whole deployment, in seconds, as far as the service tells."""
    return service.bake_s + service.steps * service.step_bake_s


def allowance_s(service: Service, deployment: Deployment, old: int, explained: ServiceDeployment | None, deadline_s: float) -> float:
    """Return for how many seconds beyond the deadline ECS may stand still on purpose, where no stage says that it does.

    It bakes only once all new tasks run. Counted from then on, so that a rollout that is really stuck still ends.
    """
    if deployment.desired == 0 or deployment.running < deployment.desired:
        return 0
    if service.strategy == ROLLING:
        # How long it bakes for alarms ECS does not tell: as long as the deadline again.
        return 0 if old else max(service.bake_s, deadline_s if service.alarms else 0)
    if explained is None or not explained.stage:
        return planned_s(service)
    return service.step_bake_s if explained.stage in _SHIFTING else 0


def _goes_on(explained: ServiceDeployment | None) -> TypeGuard[ServiceDeployment]:
    return explained is not None and explained.status not in _ENDING


def _hooks(explained: ServiceDeployment | None, *statuses: str) -> tuple[Hook, ...]:
    return tuple(h for h in explained.hooks if h.status in statuses) if _goes_on(explained) else ()


def _name(hook: Hook) -> str:
    """Name a Lambda hook by its function; a pause has no name but its id."""
    return hook.target_arn.partition(":function:")[2] or hook.id


def _advice(explained: ServiceDeployment) -> str:
    """Say what to do about a hook that awaits action, and what ECS does otherwise."""
    words = awaiting(explained)
    if words is None:
        return ""
    text = f"{words} awaits action: continue or roll back in the ECS console, or by the hook's own action"
    expiring = [h for h in _hooks(explained, AWAITING_ACTION) if h.expires_at is not None]
    first = min(expiring, key=lambda h: h.expires_at.timestamp() if h.expires_at else 0, default=None)
    if first is None or first.expires_at is None:
        return text
    does = {"CONTINUE": "continues", "ROLLBACK": "rolls back"}.get(first.timeout_action, "ends the wait")
    return f"{text}; else ECS {does} at {at(first.expires_at)}"
