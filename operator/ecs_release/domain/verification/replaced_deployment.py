"""A deployment of ours that is no longer PRIMARY: what took its place, and why."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from ecs_release.domain.ecs.service import COMPLETED, FAILED, Deployment, Service, ServiceDeployment
from ecs_release.domain.verification.judgement import FollowedDeployment, Judgement, Timeouts, Verdict
from ecs_release.domain.verification.proof import Accepted, Match, match_deployment, match_service, match_task, tasks_of

# The texts that ECS gives (Amazon ECS developer guide, "Amazon ECS service deployment state change events").
_ROLLBACK = re.compile(r"roll(?:ing|ed) back|circuit breaker|alarm", re.IGNORECASE)


def judge_replaced(
    ours: FollowedDeployment,
    deployment: Deployment | None,
    primary: Deployment,
    service: Service,
    accepted: Accepted,
    service_deployment: ServiceDeployment | None,
    primary_pins: Mapping[str, str],
    now: datetime,
    timeouts: Timeouts,
) -> Judgement:
    """Judge our deployment if another one is PRIMARY.

    | PRIMARY | verdict |
    | --- | --- |
    | is an older one, or ours failed, or ECS says that it rolls back | RolledBack |
    | is somebody's who repairs what had failed where ECS does not roll back | RolloutFailed, as it was |
    | is a newer one, and ours was completed and its tasks prove it | Succeeded; what runs next is drift |
    | is a newer one with the wanted digests, completed and proven | OvertakenSameDigests |
    | is a newer one with the wanted digests, not yet | followed from now on |
    | is a newer one with other digests | Superseded |

    Where each task resolves its tag, the tasks that are left prove nothing of those that are gone, and ours is Superseded.

    Which came first is decided by what was listed before ours began, never by digests: a retry, a newer base or one platform's image of a
    manifest list run the same images as what they replace.
    """
    if _rolled_back(ours, deployment, primary, service, service_deployment):
        why = _why_rolled_back(ours, deployment, primary, service, service_deployment)
        return Judgement(Verdict.ROLLED_BACK, f"ECS rolled back to {_name(primary.task_definition)}{why}", FAILED)
    if _has_failed(ours, deployment, service):
        return Judgement(Verdict.ROLLOUT_FAILED, f"deployment {primary.id} was started by somebody else after ours had failed", FAILED)
    if _was_proven(ours, deployment, service, accepted):
        return Judgement(Verdict.SUCCEEDED, "every task of the deployment ran the wanted digests before another one began", COMPLETED)
    return _judge_newer(ours, deployment, primary, service, accepted, primary_pins, now, timeouts)


def _judge_newer(
    ours: FollowedDeployment,
    deployment: Deployment | None,
    primary: Deployment,
    service: Service,
    accepted: Accepted,
    primary_pins: Mapping[str, str],
    now: datetime,
    timeouts: Timeouts,
) -> Judgement:
    """Judge our deployment, which was not proven, if somebody has begun another one: by what that one runs."""
    same = match_deployment(service, primary, accepted, primary_pins)
    if same is Match.YES and primary.rollout_state == COMPLETED and match_service(service, accepted) is Match.YES:
        # Nobody may look at it again before a newer source begins: how it ended is known now.
        return Judgement(Verdict.OVERTAKEN_SAME_DIGESTS, "another deployment of the same digests took over", COMPLETED)
    if same is Match.YES:
        text = f"deployment {primary.id} of the same digests took over"
        return Judgement(Verdict.ROLLING_OUT, text, follow=primary.id, left_s=timeouts.deadline_s)
    left_s = timeouts.deadline_s - (now - ours.last_progress).total_seconds()
    if same is Match.UNKNOWN and left_s > 0:
        text = f"deployment {primary.id} took over; none of its tasks runs yet"
        return Judgement(Verdict.ROLLING_OUT, text, ours.stage, left_s=left_s)
    failed = _failed_after(ours, primary, service)
    by, then = (failed, f", and ECS rolled that back to {_name(primary.task_definition)}") if failed is not None else (primary, "")
    completed = COMPLETED in (ours.stage, deployment.rollout_state if deployment else "")
    end = "its tasks could prove it" if completed else "it was seen to be done"
    text = f"deployment {by.id} of {_name(by.task_definition)} replaced ours before {end}{then}"
    return Judgement(Verdict.SUPERSEDED, text, ours.stage)


def started_by_ecs(primary: Deployment) -> bool:
    """Return whether ECS itself started a deployment, to roll back. The text of one that failed says why it did, not why it began."""
    return primary.rollout_state != FAILED and bool(_ROLLBACK.search(primary.rollout_state_reason))


def _was_proven(ours: FollowedDeployment, deployment: Deployment | None, service: Service, accepted: Accepted) -> bool:
    if deployment is None or COMPLETED not in (deployment.rollout_state, ours.stage) or ours.each_task_resolves:
        return False
    found = {match_task(task, accepted) for task in tasks_of(service, deployment)}
    return found == {Match.YES}


def _rolled_back(
    ours: FollowedDeployment,
    deployment: Deployment | None,
    primary: Deployment,
    service: Service,
    service_deployment: ServiceDeployment | None,
) -> bool:
    """Return whether ECS took our deployment back, to whichever revision: after a deadline it returns to the last completed one."""
    if service_deployment is not None and service_deployment.status.startswith("ROLLBACK"):
        return True
    if _has_failed(ours, deployment, service) and not (ours.late and not service.rollback):
        return True
    # It was there before ours, which has been seen, and is PRIMARY again.
    returned = ours.is_younger_than(primary) and bool(ours.stage or deployment is not None)
    return (returned or started_by_ecs(primary)) and not _takes_another_back(ours, primary, service, service_deployment)


def _has_failed(ours: FollowedDeployment, deployment: Deployment | None, service: Service) -> bool:
    """Return whether ECS has given our deployment up."""
    return ours.was_failed(service.failed_deployments) or (deployment is not None and deployment.rollout_state == FAILED)


def _takes_another_back(
    ours: FollowedDeployment, primary: Deployment, service: Service, service_deployment: ServiceDeployment | None
) -> bool:
    """Return whether ECS's rollback is of a deployment that had replaced ours, which is then STOPPED, not rolled back."""
    if service_deployment is not None and service_deployment.status == "STOPPED":
        return True
    return _failed_after(ours, primary, service) is not None


def _failed_after(ours: FollowedDeployment, primary: Deployment, service: Service) -> Deployment | None:
    """Find a deployment that began after ours, and that ECS has given up."""
    known = {ours.deployment_id, primary.id}
    failed = (d for d in service.deployments if d.rollout_state == FAILED and d.id not in known)
    return next((d for d in failed if not ours.is_younger_than(d)), None)


def _why_rolled_back(
    ours: FollowedDeployment,
    deployment: Deployment | None,
    primary: Deployment,
    service: Service,
    service_deployment: ServiceDeployment | None,
) -> str:
    reasons = [
        service_deployment.rollback_reason or service_deployment.status_reason if service_deployment else "",
        deployment.rollout_state_reason if deployment else "",
        primary.rollout_state_reason if primary.rollout_state != COMPLETED else "",
        "its tasks failed to start" if ours.deployment_id in service.failed_deployments else "",
    ]
    text = next((s for s in reasons if s), "")
    if service_deployment is not None and service_deployment.triggered_alarms:
        text = f"{text.rstrip('. ')} (alarms: {', '.join(service_deployment.triggered_alarms)})"
    return f": {text}" if text else ""


def _name(task_definition: str) -> str:
    return task_definition.rpartition("/")[2]
