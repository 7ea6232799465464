"""A deployment that goes through stages (BLUE_GREEN, LINEAR, CANARY): both revisions run, traffic shifts, hooks run or pause.

Sources: see `strategies`. The old revision keeps all of its tasks until CLEAN_UP, so that traffic can return at once.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tests.aws_simulator.ecs import failing, placing
from tests.aws_simulator.ecs.states import Deployment, Hook, Shift, Task
from tests.aws_simulator.ecs.strategies import BEFORE_SCALE_UP, HOOK_TIMEOUT_MINUTES, Step, steps

if TYPE_CHECKING:
    from tests.aws_simulator.ecs.service import Service

_LAMBDA_S, _ASKED_AGAIN_S = 2.0, 30.0
"""A function takes a moment; one that answers IN_PROGRESS is called again after 30 s ("Lambda hooks for Amazon ECS service deployments")."""
_HOOK_FAILED = "Service deployment rolled back because a lifecycle hook failed."
_HOOK_FAILED_FOR_GOOD = "Service deployment failed: a lifecycle hook failed."
_HOOK_TIMED_OUT = "Service deployment rolled back because a lifecycle hook timed out."
_HOOK_REFUSED = "Service deployment rolled back because ContinueServiceDeployment was called."


def begin(service: Service, sources: list[int]) -> Shift | None:
    """Plan the stages of a new deployment; None for a rolling update. What `sources` names is ACTIVE when it begins."""
    configuration = dict(service.settings.get("deploymentConfiguration") or {})
    if service.controller != "ECS" or configuration.get("strategy", "ROLLING") == "ROLLING":
        return None
    completed = service.last_completed
    known = completed.number if completed is not None and completed.number in sources else None
    source = known if known is not None else next(iter(sources), None)
    return Shift(configuration, source, steps(configuration, first=source is None, reconcile=len(sources) > 1))


def may_complete(deployment: Deployment) -> bool:
    """Return whether all stages have been gone through."""
    return deployment.shift is not None and deployment.shift.stage == "CLEAN_UP" and not deployment.shift.steps


def needs(service: Service, deployment: Deployment) -> bool:
    """Return whether the new revision's deployment still needs this one, though it may have no task now."""
    return deployment.drained is None and requested(service, deployment) > 0


def requested(service: Service, deployment: Deployment) -> int:
    """Return how many tasks of a revision there shall be."""
    primary = service.primary
    shift = primary.shift if primary is not None and primary.shifting else None
    if deployment is primary:
        return 0 if shift is not None and shift.stage in BEFORE_SCALE_UP else service.desired
    if shift is not None and deployment.number == shift.source:
        return 0 if shift.stage == "CLEAN_UP" else service.desired
    if shift is not None:
        return 0
    return sum(t.deployment == deployment.id and t.alive and not t.leaving for t in service.tasks)


def walk(service: Service, primary: Deployment, now: float) -> None:
    """Go as far as stages, tasks and hooks allow now, and say when to look again."""
    shift = primary.shift
    assert shift is not None
    while True:
        wakes = _place(service, primary, shift, now)
        wakes += _run_hooks(service, primary, shift, now)
        if primary.state != "IN_PROGRESS":
            return
        if _holds(service, primary, shift, now) or not shift.steps:
            break
        _enter(service, shift, shift.steps.pop(0), now)
    service.wake_at = min((at for at in (*wakes, shift.until) if at > now), default=None)


def _place(service: Service, primary: Deployment, shift: Shift, now: float) -> list[float]:
    """Launch what lacks and stop what is too much, of every revision; returns when to look again."""
    wakes: list[float] = []
    held: list[Task] = []
    source = service.revisions.get(shift.source) if shift.source is not None else None
    staying = [t for t in service.tasks if t.alive and not t.leaving]
    wanted = {d.id: (d, requested(service, d)) for d in (primary, source) if d is not None}
    for deployment, count in wanted.values():
        lacking = count - sum(t.deployment == deployment.id for t in staying)
        if lacking > 0 and now < deployment.launch_at:
            wakes.append(deployment.launch_at)
        elif lacking > 0:
            placing.launch(service, deployment, lacking, now)
    for owner in dict.fromkeys(t.deployment for t in staying):
        mine = [t for t in staying if t.deployment == owner]
        surplus = len(mine) - (wanted[owner][1] if owner in wanted else 0)
        free = [t for t in sorted(mine, key=lambda t: (t.healthy, -t.created)) if t.protected_until <= now]
        for task in free[: max(0, surplus)]:
            placing.stop(service, task, placing.REPLACING, now)
        if surplus > len(free):
            held += [t for t in mine if t.protected_until > now]
    placing.say_held(service, held, now)
    return wakes + [t.protected_until for t in held]


def _holds(service: Service, primary: Deployment, shift: Shift, now: float) -> bool:
    """Return whether the stage is not over: its time, its hooks, its tasks."""
    if now < shift.until or any(h.open for h in shift.hooks):
        return True
    if shift.stage == "RECONCILE_SERVICE":
        kept = {primary.id, f"ecs-svc/{shift.source}"}
        return any(t.alive and t.deployment not in kept for t in service.tasks)
    green = [t for t in service.tasks if t.deployment == primary.id]
    return shift.stage == "SCALE_UP" and sum(t.healthy for t in green) < service.desired


def _enter(service: Service, shift: Shift, step: Step, now: float) -> None:
    shift.stage, shift.production, shift.test = step.stage, step.production, step.test
    shift.until = now + service.world.scaled(step.lasts_s)
    for hook in shift.configuration.get("lifecycleHooks") or () if step.hooked else ():
        if step.stage in hook["lifecycleStages"]:
            shift.hooks.append(_begin_hook(service, hook, step.stage, now))


def _begin_hook(service: Service, hook: Mapping[str, Any], stage: str, now: float) -> Hook:
    timeout = hook.get("timeoutConfiguration") or {}
    expires = now + service.world.scaled(60.0 * float(timeout.get("timeoutInMinutes") or HOOK_TIMEOUT_MINUTES))
    kind = hook.get("targetType") or "AWS_LAMBDA"
    chance = base64.urlsafe_b64encode(service.random.randbytes(32)).decode().rstrip("=")
    action = timeout.get("action") or "ROLLBACK"
    if kind == "PAUSE":
        begun = Hook(f"ecs-pause-{chance}", stage, kind, "AWAITING_ACTION", expires, action)
        _tell(service, begun, "HOOK_AWAITING_ACTION", now)
        return begun
    asked_at = now + service.world.scaled(_LAMBDA_S)
    return Hook(f"ecs-lambda-{chance}", stage, kind, "IN_PROGRESS", expires, action, hook.get("hookTargetArn", ""), asked_at)


def _tell(service: Service, hook: Hook, name: str, now: float) -> None:
    primary = service.primary
    record = service.records.of(primary.number) if primary is not None else None
    if record is not None:
        service.voice.hook(hook, name, record.arn, now)


def _run_hooks(service: Service, primary: Deployment, shift: Shift, now: float) -> list[float]:
    """Ask functions, let time out what waited too long; returns when to look again. A failure ends the deployment."""
    for hook in shift.hooks:
        if hook.status == "IN_PROGRESS" and hook.asked_at <= now:
            hook.status = service.world.hook_result(hook.target_arn)
            hook.asked_at = now + service.world.scaled(_ASKED_AGAIN_S)
        if hook.open and hook.expires <= now:
            hook.status = "TIMED_OUT"
            _tell(service, hook, "HOOK_TIMED_OUT", now)
            if hook.timeout_action == "ROLLBACK":
                _fail(service, primary, _HOOK_TIMED_OUT, now)
                return []
        elif hook.status == "FAILED" and hook.stage == shift.stage:
            _fail(service, primary, _HOOK_FAILED, now)
            return []
    return [at for h in shift.hooks if h.open for at in (h.expires, h.asked_at)]


def _fail(service: Service, primary: Deployment, why: str, now: float) -> None:
    primary.reason = "ECS deployment failed: a lifecycle hook did not succeed."
    failing.fail(service, primary, why, _HOOK_FAILED_FOR_GOOD, now, by="ECS deployment lifecycle hook")


def answer_hook(service: Service, deployment: Deployment, hook_id: str, action: str, now: float) -> bool:
    """Continue or roll back what is paused. False where that hook does not await an action."""
    shift = deployment.shift
    hook = next((h for h in shift.hooks if h.id == hook_id and h.status == "AWAITING_ACTION"), None) if shift is not None else None
    if hook is None or deployment is not service.primary or deployment.state != "IN_PROGRESS":
        return False
    hook.status = "SUCCEEDED" if action == "CONTINUE" else "FAILED"
    _tell(service, hook, f"HOOK_{hook.status}", now)
    service.touch(now)
    if action == "ROLLBACK" and not failing.roll_back(service, deployment, _HOOK_REFUSED, now, requested=True):
        _fail(service, deployment, _HOOK_REFUSED, now)
    return True
