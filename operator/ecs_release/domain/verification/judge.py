"""How a rollout is judged: identity first, then evidence, never counts alone.

The deployment that UpdateService answered is ours. All verdicts rest on DescribeServices and on tasks; the service-deployment API
only confirms and explains, so that they are the same where it is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from ecs_release.domain.ecs.service import COMPLETED, FAILED, Deployment, Service, ServiceDeployment
from ecs_release.domain.verification import deployment_stages as stages
from ecs_release.domain.verification.judgement import Followed, Judgement, Patience, Progress, Verdict
from ecs_release.domain.verification.proof import Accepted, Match, match_service, match_task, nothing_runs
from ecs_release.domain.verification.replaced_deployment import judge_replaced


def judge(
    ours: Followed,
    service: Service,
    accepted: Accepted,
    now: datetime,
    patience: Patience,
    explained: ServiceDeployment | None = None,
    primary_pins: Mapping[str, str] | None = None,
) -> Judgement:
    """Judge our deployment by one look at its service.

    `primary_pins` are the digests that the PRIMARY's revision names for the listed containers (empty where it names a tag): what a
    deployment that replaced ours will run, before its first task proves it.
    """
    deployment = service.deployment(ours.deployment_id)
    primary = service.primary
    if deployment is not None and deployment is primary:
        return _judge_primary(ours, deployment, service, accepted, now, patience, explained)
    if deployment is None and _may_be_stale(ours, service, now, patience):
        return Judgement(Verdict.ROLLING_OUT, f"deployment {ours.deployment_id} is not visible yet")
    if primary is None:
        return Judgement(Verdict.SUPERSEDED, f"the service is {service.status} and has no PRIMARY deployment", ours.stage)
    return judge_replaced(ours, deployment, primary, service, accepted, explained, primary_pins or {}, now, patience)


def _may_be_stale(ours: Followed, service: Service, now: datetime, patience: Patience) -> bool:
    """Tell whether the look may be older than UpdateService: ECS's answers are eventually consistent (RunTask's API reference)."""
    if ours.stage == FAILED or ours.deployment_id in service.failed_deployments:
        return False
    primary = service.primary
    return (primary is None or primary.id in ours.listed_before) and now - ours.started < timedelta(seconds=patience.visible_s)


def _judge_primary(
    ours: Followed,
    deployment: Deployment,
    service: Service,
    accepted: Accepted,
    now: datetime,
    patience: Patience,
    explained: ServiceDeployment | None,
) -> Judgement:
    if _completed(deployment, service) or ours.stage == COMPLETED:
        return _judge_completed(ours, service, accepted, now, patience, explained)
    old = sum(d.running for d in service.deployments if d is not deployment)
    stage = (explained.stage if explained else "") or deployment.rollout_state or ""
    progress = Progress(deployment.running, old, stage, (explained.traffic if explained else None) or 0)
    if deployment.rollout_state == FAILED:
        return _judge_failed(ours, deployment, service, progress, now, patience, rolls_back=stages.rolls_back(explained))
    text = "; ".join(part for part in (stages.told(explained), _progress_text(deployment, old)) if part)
    if stages.waits(explained):
        return Judgement(Verdict.ROLLING_OUT, text, stage, progress=progress, waits=True)
    patience_s = patience.deadline_s + stages.allowance_s(service, deployment, old, explained, patience.deadline_s)
    late, verdict = f"no progress for {patience_s:.0f} s: {text}", Verdict.DEADLINE_EXCEEDED
    if stages.ended_badly(explained):
        # Only sooner than the deadline would say so. The look may be the older of the two answers, so that ours is PRIMARY no longer.
        patience_s, late, verdict = min(patience_s, patience.rollback_s), text, Verdict.ROLLOUT_FAILED
    left_s = patience_s - (now - ours.last_progress).total_seconds()
    if not ours.late and left_s <= 0:
        return Judgement(verdict, late, stage)
    return Judgement(Verdict.ROLLING_OUT, text, stage, progress=progress, left_s=left_s)


def _judge_failed(
    ours: Followed, deployment: Deployment, service: Service, progress: Progress, now: datetime, patience: Patience, *, rolls_back: bool
) -> Judgement:
    """Judge one that ECS calls failed: a rollback is given time to begin, and one that is known to be under way to end."""
    reason = deployment.rollout_state_reason or f"ECS says that deployment {deployment.id} failed"
    patience_s = patience.deadline_s if rolls_back else patience.rollback_s
    left_s = patience_s - (now - ours.last_progress).total_seconds()
    if (service.rollback or rolls_back) and left_s > 0:
        return Judgement(Verdict.ROLLING_OUT, f"{reason}; ECS rolls back", FAILED, progress=progress, left_s=left_s)
    return Judgement(Verdict.ROLLOUT_FAILED, reason, FAILED)


def _completed(deployment: Deployment, service: Service) -> bool:
    if deployment.rollout_state is not None:
        return deployment.rollout_state == COMPLETED
    # Not given behind a Classic Load Balancer (botocore, Deployment.rolloutState): only ours is left, and it is whole.
    return len(service.deployments) == 1 and deployment.running == deployment.desired and deployment.pending == 0


def _judge_completed(
    ours: Followed, service: Service, accepted: Accepted, now: datetime, patience: Patience, explained: ServiceDeployment | None
) -> Judgement:
    found = match_service(service, accepted)
    if found is Match.YES:
        if ours.overtaken:
            return Judgement(Verdict.OVERTAKEN_SAME_DIGESTS, "another deployment of the same digests took over", COMPLETED)
        verdict = Verdict.SUCCEEDED_LATE if ours.late else Verdict.SUCCEEDED
        return Judgement(verdict, "every running task shows the wanted digests", COMPLETED)
    if found is Match.NOTHING_RUNS and service.desired == 0:
        return Judgement(Verdict.NOTHING_RUNNING, nothing_runs(service), COMPLETED)
    waits = stages.waits(explained)
    left_s = patience.deadline_s - (now - ours.last_progress).total_seconds()
    if not ours.late and not waits and left_s <= 0:
        return Judgement(
            Verdict.DEADLINE_EXCEEDED,
            f"ECS completed the deployment, but for {patience.deadline_s:.0f} s {_unproven(service, accepted)}",
            COMPLETED,
        )
    proven = sum(match_task(task, accepted) is Match.YES for task in service.running_tasks)
    progress = Progress(proven, len(service.running_tasks) - proven, COMPLETED)
    text = "; ".join(part for part in ("deployed", stages.told(explained), _unproven(service, accepted)) if part)
    return Judgement(Verdict.VERIFYING, text, COMPLETED, progress=progress, waits=waits, left_s=None if waits else left_s)


def _unproven(service: Service, accepted: Accepted) -> str:
    total = len(service.running_tasks)
    if not total:
        return f"no task of {service.desired} runs"
    wrong = sum(match_task(task, accepted) is Match.NO for task in service.running_tasks)
    if wrong:
        return f"{wrong} of {total} running tasks show other digests"
    silent = sum(match_task(task, accepted) is Match.UNKNOWN for task in service.running_tasks)
    return f"ECS does not tell the digests of {silent} of {total} running tasks"


def _progress_text(deployment: Deployment, old: int) -> str:
    parts = [f"{deployment.running} of {deployment.desired} new tasks run"]
    if deployment.pending:
        parts.append(f"{deployment.pending} pending")
    if deployment.failed_tasks:
        parts.append(f"{deployment.failed_tasks} failed")
    if old:
        parts.append(f"{old} old still run")
    return ", ".join(parts)
