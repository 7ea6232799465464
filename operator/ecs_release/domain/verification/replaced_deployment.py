"""A deployment of ours that is PRIMARY no longer: what took its place, and why."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from ecs_release.domain.ecs.service import COMPLETED, FAILED, Deployment, Service, ServiceDeployment
from ecs_release.domain.verification.judgement import Followed, Judgement, Patience, Verdict
from ecs_release.domain.verification.proof import Accepted, Match, match_task

# The texts that ECS gives (Amazon ECS developer guide, "Amazon ECS service deployment state change events").
_ROLLBACK = re.compile(r"roll(?:ing|ed) back|circuit breaker|alarm", re.IGNORECASE)


def judge_replaced(
    ours: Followed,
    deployment: Deployment | None,
    primary: Deployment,
    service: Service,
    accepted: Accepted,
    explained: ServiceDeployment | None,
    primary_pins: Mapping[str, str],
    now: datetime,
    patience: Patience,
) -> Judgement:
    """Judge our deployment where another one is PRIMARY: followed, rolled back, or superseded."""
    same = _runs_wanted(primary, service, accepted, primary_pins)
    if same is Match.YES and not (ours.same_images and _rolled_back(ours, deployment, primary, service, explained)):
        return Judgement(Verdict.ROLLING_OUT, f"deployment {primary.id} of the same digests took over", follow=primary.id)
    if _rolled_back(ours, deployment, primary, service, explained):
        why = _why_rolled_back(ours, deployment, primary, service, explained)
        return Judgement(Verdict.ROLLED_BACK, f"ECS rolled back to {_name(primary.task_definition)}{why}", FAILED)
    waited = now - ours.last_progress >= timedelta(seconds=patience.deadline_s)
    if same is Match.UNKNOWN and not waited:
        return Judgement(Verdict.ROLLING_OUT, f"deployment {primary.id} took over; none of its tasks runs yet", ours.stage)
    return Judgement(
        Verdict.SUPERSEDED,
        f"deployment {primary.id} of {_name(primary.task_definition)} replaced ours before it was done",
        ours.stage,
    )


def by_ecs(primary: Deployment) -> bool:
    """Tell whether ECS itself has started a deployment: it rolls back."""
    return bool(_ROLLBACK.search(primary.rollout_state_reason))


def _runs_wanted(primary: Deployment, service: Service, accepted: Accepted, pins: Mapping[str, str]) -> Match:
    """Tell whether the deployment that replaced ours runs the wanted digests: by what it names, else by its own tasks."""
    named = {name: pins.get(name, "") for name in accepted}
    if all(digest in accepted[name] for name, digest in named.items()):
        return Match.YES
    if any(digest and digest not in accepted[name] for name, digest in named.items()):
        return Match.NO
    found = {match_task(t, accepted) for t in service.running_tasks if t.started_by == primary.id}
    if not found or Match.UNKNOWN in found:
        return Match.NO if Match.NO in found else Match.UNKNOWN
    return Match.NO if Match.NO in found else Match.YES


def _rolled_back(
    ours: Followed,
    deployment: Deployment | None,
    primary: Deployment,
    service: Service,
    explained: ServiceDeployment | None,
) -> bool:
    if explained is not None and explained.status.startswith("ROLLBACK"):
        return True
    if primary.task_definition != ours.rollback_target:
        return False
    failed = ours.stage == FAILED or ours.deployment_id in service.failed_deployments
    failed = failed or (deployment is not None and deployment.rollout_state == FAILED)
    return failed or by_ecs(primary)


def _why_rolled_back(
    ours: Followed, deployment: Deployment | None, primary: Deployment, service: Service, explained: ServiceDeployment | None
) -> str:
    said = [
        explained.rollback_reason or explained.status_reason if explained else "",
        deployment.rollout_state_reason if deployment else "",
        primary.rollout_state_reason if primary.rollout_state != COMPLETED else "",
        "its tasks failed to start" if ours.deployment_id in service.failed_deployments else "",
    ]
    text = next((s for s in said if s), "")
    if explained is not None and explained.triggered_alarms:
        text += f" (alarms: {', '.join(explained.triggered_alarms)})"
    return f": {text}" if text else ""


def _name(task_definition: str) -> str:
    return task_definition.rpartition("/")[2]
