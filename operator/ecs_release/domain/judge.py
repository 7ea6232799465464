"""How a rollout is judged: identity first, then evidence, never counts alone.

The deployment that UpdateService answered is ours. All verdicts rest on DescribeServices and on tasks; the service-deployment API
only confirms and explains, so that they are the same where it is not there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ecs_release.domain.evidence import Accepted, Match, match_service, match_task
from ecs_release.domain.observation import COMPLETED, FAILED, Deployment, Service, ServiceDeployment


class Verdict(StrEnum):
    """How an attempt ended, or that it has not."""

    ROLLING_OUT = "RollingOut"
    VERIFYING = "Verifying"
    SUCCEEDED = "Succeeded"
    SUCCEEDED_LATE = "SucceededLate"
    OVERTAKEN_SAME_DIGESTS = "OvertakenSameDigests"
    NOTHING_RUNNING = "NothingRunning"
    ROLLOUT_FAILED = "RolloutFailed"
    ROLLED_BACK = "RolledBack"
    SUPERSEDED = "Superseded"
    DEADLINE_EXCEEDED = "DeadlineExceeded"

    @property
    def ended(self) -> bool:
        """Whether this closes an attempt."""
        return self not in (Verdict.ROLLING_OUT, Verdict.VERIFYING)

    @property
    def good(self) -> bool:
        """Whether the wanted digests are deployed."""
        return self in _GOOD


_GOOD = (Verdict.SUCCEEDED, Verdict.SUCCEEDED_LATE, Verdict.OVERTAKEN_SAME_DIGESTS, Verdict.NOTHING_RUNNING)


@dataclass(frozen=True, slots=True)
class Progress:
    """High-water marks of a rollout. Only a new mark is progress: a crash loop's tasks that come and go are not."""

    new: int = 0
    old: int = 0
    stage: str = ""

    def beyond(self, other: Progress) -> bool:
        """Tell whether this is further than `other`: more new tasks came up, more old ones went, or the stage changed."""
        return self.new > other.new or self.old < other.old or self.stage != other.stage

    def highest(self, other: Progress) -> Progress:
        """Combine two marks."""
        return Progress(max(self.new, other.new), min(self.old, other.old), self.stage)


@dataclass(frozen=True, slots=True)
class Followed:
    """What is known of our deployment before this look. `stage` latches COMPLETED and FAILED; times are ours, not AWS's."""

    deployment_id: str
    rollback_target: str
    started: datetime
    last_progress: datetime
    listed_before: frozenset[str] = frozenset()
    stage: str = ""
    late: bool = False
    overtaken: bool = False


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds: without progress; for an id to become visible; for ECS to begin its rollback."""

    deadline_s: float
    visible_s: float = 30
    rollback_s: float = 60


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with its explanation. `follow` names another deployment to follow from now on; `stage` is to be kept."""

    verdict: Verdict
    message: str
    stage: str = ""
    follow: str = ""
    progress: Progress | None = None


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
    return _judge_replaced(ours, deployment, primary, service, accepted, explained, primary_pins or {}, now, patience)


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
        return _judge_completed(ours, deployment, service, accepted, now, patience)
    old = sum(d.running for d in service.deployments if d is not deployment)
    stage = deployment.rollout_state or ""
    if explained is not None and explained.stage:
        stage = explained.stage
    progress = Progress(deployment.running, old, stage)
    text = _progress_text(deployment, old)
    if deployment.rollout_state == FAILED:
        if service.rollback and now - ours.last_progress < timedelta(seconds=patience.rollback_s):
            return Judgement(Verdict.ROLLING_OUT, f"{_reason(deployment)}; ECS rolls back", FAILED, progress=progress)
        return Judgement(Verdict.ROLLOUT_FAILED, _reason(deployment), FAILED)
    if not ours.late and now - ours.last_progress >= timedelta(seconds=patience.deadline_s):
        return Judgement(Verdict.DEADLINE_EXCEEDED, f"no progress for {patience.deadline_s:.0f} s: {text}", stage)
    return Judgement(Verdict.ROLLING_OUT, text, stage, progress=progress)


def _completed(deployment: Deployment, service: Service) -> bool:
    if deployment.rollout_state is not None:
        return deployment.rollout_state == COMPLETED
    # Not given behind a Classic Load Balancer (botocore, Deployment.rolloutState): only ours is left, and it is whole.
    return len(service.deployments) == 1 and deployment.running == deployment.desired and deployment.pending == 0


def _judge_completed(
    ours: Followed, deployment: Deployment, service: Service, accepted: Accepted, now: datetime, patience: Patience
) -> Judgement:
    found = match_service(service, accepted)
    if found is Match.YES:
        if ours.overtaken:
            return Judgement(Verdict.OVERTAKEN_SAME_DIGESTS, "another deployment of the same digests took over", COMPLETED)
        verdict = Verdict.SUCCEEDED_LATE if ours.late else Verdict.SUCCEEDED
        return Judgement(verdict, "every running task shows the wanted digests", COMPLETED)
    if found is Match.NOTHING_RUNS and service.desired == 0:
        return Judgement(Verdict.NOTHING_RUNNING, "desiredCount is 0: nothing runs, so nothing is proven", COMPLETED)
    if not ours.late and now - ours.last_progress >= timedelta(seconds=patience.deadline_s):
        return Judgement(
            Verdict.DEADLINE_EXCEEDED,
            f"ECS completed the deployment, but for {patience.deadline_s:.0f} s {_unproven(service, accepted)}",
            COMPLETED,
        )
    proven = sum(match_task(task, accepted) is Match.YES for task in service.running_tasks)
    progress = Progress(proven, len(service.running_tasks) - proven, COMPLETED)
    return Judgement(Verdict.VERIFYING, f"deployed; {_unproven(service, accepted)}", COMPLETED, progress=progress)


def _unproven(service: Service, accepted: Accepted) -> str:
    total = len(service.running_tasks)
    if not total:
        return f"no task of {service.desired} runs"
    wrong = sum(match_task(task, accepted) is Match.NO for task in service.running_tasks)
    if wrong:
        return f"{wrong} of {total} running tasks show other digests"
    silent = sum(match_task(task, accepted) is Match.UNKNOWN for task in service.running_tasks)
    return f"ECS does not tell the digests of {silent} of {total} running tasks"


# The texts that ECS gives (Amazon ECS developer guide, "Amazon ECS service deployment state change events").
_ROLLBACK = re.compile(r"roll(?:ing|ed) back|circuit breaker|alarm", re.IGNORECASE)


def _judge_replaced(
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
    same = _runs_wanted(primary, service, accepted, primary_pins)
    if same is Match.YES:
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
    return failed or bool(_ROLLBACK.search(primary.rollout_state_reason))


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


def _reason(deployment: Deployment) -> str:
    return deployment.rollout_state_reason or f"ECS says that deployment {deployment.id} failed"


def _progress_text(deployment: Deployment, old: int) -> str:
    parts = [f"{deployment.running} of {deployment.desired} new tasks run"]
    if deployment.pending:
        parts.append(f"{deployment.pending} pending")
    if deployment.failed_tasks:
        parts.append(f"{deployment.failed_tasks} failed")
    if old:
        parts.append(f"{old} old still run")
    return ", ".join(parts)


def _name(task_definition: str) -> str:
    return task_definition.rpartition("/")[2]
