"""How a rollout is judged: identity first, then evidence, never counts alone.

The deployment that UpdateService returned is ours. All verdicts rest on DescribeServices and on tasks; the service-deployment API
only confirms and explains, so that verdicts are the same without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from ecs_release.domain.ecs.service import COMPLETED, FAILED, IN_PROGRESS, Deployment, Service, ServiceDeployment
from ecs_release.domain.model.clauses import join_clauses
from ecs_release.domain.verification import deployment_stages
from ecs_release.domain.verification.judgement import FollowedDeployment, Judgement, Progress, Timeouts, Verdict
from ecs_release.domain.verification.proof import Accepted, Match, match_service, match_task, why_nothing_runs, why_unproven
from ecs_release.domain.verification.replaced_deployment import judge_replaced, started_by_ecs


def judge(
    ours: FollowedDeployment,
    service: Service,
    accepted: Accepted,
    now: datetime,
    timeouts: Timeouts,
    service_deployment: ServiceDeployment | None = None,
    primary_pins: Mapping[str, str] | None = None,
    *,
    as_of: datetime | None = None,
) -> Judgement:
    """Judge our deployment by one look at its service.

    `primary_pins` are the digests that the PRIMARY's revision names for the listed containers (empty if it names a tag): what a
    deployment that replaced ours will run, before its first task proves it. `as_of` is when the look was requested, if not now.
    """
    deployment = service.deployment(ours.deployment_id)
    primary = service.primary
    if deployment is not None and deployment is primary:
        return _judge_primary(ours, deployment, service, accepted, now, timeouts, service_deployment)
    if deployment is None and _may_be_stale(ours, service, as_of or now, timeouts):
        left_s = timeouts.visible_s - (now - ours.started).total_seconds()
        return Judgement(Verdict.ROLLING_OUT, f"deployment {ours.deployment_id} is not visible yet", ours.stage, left_s=left_s)
    if deployment is None and _may_be_outdated(ours, service, as_of or now, timeouts, service_deployment):
        text = f"deployment {ours.deployment_id} is not listed any more; looking whether that stays so"
        left_s = _disbelieved_s(ours, now, timeouts)
        return Judgement(Verdict.ROLLING_OUT, text, ours.stage, missing=True, left_s=left_s if left_s > 0 else timeouts.visible_s)
    if primary is None:
        return Judgement(Verdict.SUPERSEDED, f"the service is {service.status} and has no PRIMARY deployment", ours.stage)
    return judge_replaced(ours, deployment, primary, service, accepted, service_deployment, primary_pins or {}, now, timeouts)


def _may_be_stale(ours: FollowedDeployment, service: Service, as_of: datetime, timeouts: Timeouts) -> bool:
    """Return whether the look may be older than UpdateService: ECS's reads are eventually consistent (RunTask's API reference)."""
    if ours.was_failed(service.failed_deployments):
        return False
    primary = service.primary
    # One that somebody began between our intent and our call may have been there before, too.
    before = primary is None or ours.is_younger_than(primary) or primary.created_at <= ours.started
    return before and as_of - ours.started < timedelta(seconds=timeouts.visible_s)


def _may_be_outdated(
    ours: FollowedDeployment, service: Service, now: datetime, timeouts: Timeouts, service_deployment: ServiceDeployment | None
) -> bool:
    """Return whether the look may be an older one than that which listed ours: reads are eventually consistent, and may go backwards.

    A look that lists nothing newer than what was there before ours is either that, or ECS has returned to it. The service deployment
    says which, unless it was successful: ECS takes no such one back. Then, and without it, the look is believed once it has stayed so for
    as long as reads may lag.
    """
    primary = service.primary
    if not ours.stage or ours.was_failed(service.failed_deployments):
        return False
    if primary is None or not ours.is_younger_than(primary) or started_by_ecs(primary):
        return False
    if service_deployment is not None and service_deployment.status != "SUCCESSFUL":
        return not deployment_stages.has_ended(service_deployment)
    return _disbelieved_s(ours, now, timeouts) > 0


def _disbelieved_s(ours: FollowedDeployment, now: datetime, timeouts: Timeouts) -> float:
    """Return for how many more seconds looks that may be old have to stay so before they are believed."""
    return timeouts.visible_s - (now - (ours.missing_since or now)).total_seconds()


def _judge_primary(
    ours: FollowedDeployment,
    deployment: Deployment,
    service: Service,
    accepted: Accepted,
    now: datetime,
    timeouts: Timeouts,
    service_deployment: ServiceDeployment | None,
) -> Judgement:
    if _completed(deployment, service) or ours.stage == COMPLETED:
        return _judge_completed(ours, service, accepted, now, timeouts, service_deployment)
    old = sum(d.running for d in service.deployments if d is not deployment)
    stage = (service_deployment.stage if service_deployment else "") or deployment.rollout_state or IN_PROGRESS
    progress = Progress(deployment.running, old, frozenset({stage}), deployment_stages.traffic_percent(service_deployment) or 0)
    if deployment.rollout_state == FAILED:
        return _judge_failed(
            ours, deployment, service, progress, now, timeouts, rolls_back=deployment_stages.is_rolling_back(service_deployment)
        )
    text = join_clauses(deployment_stages.describe(service_deployment), _progress_text(deployment, old))
    if deployment_stages.is_waiting(service_deployment):
        return Judgement(Verdict.ROLLING_OUT, text, stage, progress=progress, waits=True)
    timeout_s = timeouts.deadline_s + deployment_stages.bake_allowance_s(service, deployment, old, service_deployment, timeouts.deadline_s)
    late, verdict = f"no progress for {timeout_s:.0f} s: {text}", Verdict.DEADLINE_EXCEEDED
    if deployment_stages.ended_badly(service_deployment):
        # The look may be older than the service deployment, and ours no longer PRIMARY: that is believed once it has stayed so.
        left_s = _disbelieved_s(ours, now, timeouts)
        if left_s > 0:
            return Judgement(Verdict.ROLLING_OUT, text, stage, progress=progress, left_s=left_s, missing=True)
        timeout_s, late, verdict = min(timeout_s, timeouts.rollback_s), text, Verdict.ROLLOUT_FAILED
    left_s = timeout_s - ours.idle_s(progress, now)
    if not ours.late and left_s <= 0:
        return Judgement(verdict, late, stage)
    return Judgement(Verdict.ROLLING_OUT, text, stage, progress=progress, left_s=left_s)


def _judge_failed(
    ours: FollowedDeployment,
    deployment: Deployment,
    service: Service,
    progress: Progress,
    now: datetime,
    timeouts: Timeouts,
    *,
    rolls_back: bool,
) -> Judgement:
    """Judge a deployment that ECS reports as failed: a rollback gets time to begin, and one that is known to be under way to end.

    That time begins when the failure is seen: it is a stage that the deployment has not reached before.
    """
    reason = deployment.rollout_state_reason or f"ECS says that deployment {deployment.id} failed"
    timeout_s = timeouts.deadline_s if rolls_back else timeouts.rollback_s
    left_s = timeout_s - ours.idle_s(progress, now)
    if (service.rollback or rolls_back) and left_s > 0:
        return Judgement(Verdict.ROLLING_OUT, join_clauses(reason, "ECS rolls back"), FAILED, progress=progress, left_s=left_s)
    return Judgement(Verdict.ROLLOUT_FAILED, reason, FAILED)


def _completed(deployment: Deployment, service: Service) -> bool:
    if deployment.rollout_state is not None:
        return deployment.rollout_state == COMPLETED
    # Not reported behind a Classic Load Balancer (botocore, Deployment.rolloutState): only ours is left, and it is complete.
    return len(service.deployments) == 1 and deployment.running == deployment.desired and deployment.pending == 0


def _judge_completed(
    ours: FollowedDeployment,
    service: Service,
    accepted: Accepted,
    now: datetime,
    timeouts: Timeouts,
    service_deployment: ServiceDeployment | None,
) -> Judgement:
    found = match_service(service, accepted)
    if found is Match.YES:
        if ours.overtaken:
            return Judgement(Verdict.OVERTAKEN_SAME_DIGESTS, "another deployment of the same digests took over", COMPLETED)
        verdict = Verdict.SUCCEEDED_LATE if ours.late else Verdict.SUCCEEDED
        return Judgement(verdict, "every running task shows the wanted digests", COMPLETED)
    if found is Match.NOTHING_RUNS and service.desired == 0:
        return Judgement(Verdict.NOTHING_RUNNING, why_nothing_runs(service), COMPLETED)
    waits = deployment_stages.is_waiting(service_deployment)
    proven = sum(match_task(task, accepted) is Match.YES for task in service.running_tasks)
    progress = Progress(proven, len(service.running_tasks) - proven, frozenset({COMPLETED}))
    left_s = timeouts.deadline_s - ours.idle_s(progress, now)
    if not ours.late and not waits and left_s <= 0:
        return Judgement(
            Verdict.DEADLINE_EXCEEDED,
            f"ECS completed the deployment, but for {timeouts.deadline_s:.0f} s {why_unproven(service, accepted)}",
            COMPLETED,
        )
    text = join_clauses("deployed", deployment_stages.describe(service_deployment), why_unproven(service, accepted))
    return Judgement(Verdict.VERIFYING, text, COMPLETED, progress=progress, waits=waits, left_s=None if waits else left_s)


def _progress_text(deployment: Deployment, old: int) -> str:
    parts = [f"{deployment.running} of {deployment.desired} new tasks run"]
    if deployment.pending:
        parts.append(f"{deployment.pending} pending")
    if deployment.failed_tasks:
        parts.append(f"{deployment.failed_tasks} failed")
    if old:
        parts.append(f"{old} old still run")
    return ", ".join(parts)
