"""What explains a rollout: its stage, the tasks that hold it, the tasks that stopped, and where their logs are."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from ecs_release.api.release_status import Evidence, Rollout
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.due import may_begin
from ecs_release.domain.decision.facts import Diagnostics, Facts
from ecs_release.domain.decision.request_annotations import hook_answer_requested
from ecs_release.domain.ecs import interventions
from ecs_release.domain.ecs.console_links import log_stream_link, task_link
from ecs_release.domain.ecs.service import (
    FAILED,
    Container,
    Deployment,
    ProtectedTask,
    Service,
    ServiceDeployment,
    ServiceKey,
    Task,
    TaskDefinition,
)
from ecs_release.domain.environments.targets import Target
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.ports.protocols import Ecs
from ecs_release.domain.rules import protected_tasks
from ecs_release.domain.verification.proof import each_task_resolves, named_digests
from ecs_release.engine.release.memory import Memory

log = logging.getLogger(__name__)

_MAX_EVIDENCE, _MAX_PROTECTED = 3, 100
_STANDS = timedelta(seconds=60)


async def stopped_tasks(ecs: Ecs, key: ServiceKey, deployment_id: str = "") -> list[Task]:
    """Read tasks that stopped lately, of one deployment if it is named: ECS keeps them for at least an hour.

    Some endpoints name the service as what started a task. Then all of the service's tasks are read.
    """
    arns = await ecs.list_stopped_tasks(key.cluster, deployment_id=deployment_id) if deployment_id else []
    arns = arns or await ecs.list_stopped_tasks(key.cluster, service=key.service)
    return await ecs.describe_tasks(key.cluster, arns)


def evidence_of(key: ServiceKey, tasks: list[Task], rollout: Rollout, revision: TaskDefinition | None) -> tuple[Evidence, ...]:
    """Pick the newest failed tasks of an attempt's deployment, and in each the container that explains most."""
    own = (rollout.deployment_id or "", rollout.task_definition or "", rollout.intent.aws_time if rollout.intent else None)
    failed = [t for t in tasks if t.is_from(*own) and (t.stop_code != "ServiceSchedulerInitiated" or _failed(t))]
    failed.sort(key=lambda t: t.stopped_at.timestamp() if t.stopped_at else 0.0, reverse=True)
    return tuple(_evidence(key, task, revision) for task in failed[:_MAX_EVIDENCE])


def _failed(task: Task) -> Container | None:
    """Return the container that failed: by exit code, else by reason."""
    by_code = next((c for c in task.containers if c.exit_code not in (None, 0)), None)
    return by_code or next((c for c in task.containers if c.reason), None)


def _evidence(key: ServiceKey, task: Task, revision: TaskDefinition | None) -> Evidence:
    container = _failed(task)
    group, stream, region = _log_of(task, container, revision, key.region) if container and revision else ("", "", "")
    return Evidence(
        task=task.arn,
        container=container.name if container else None,
        exit_code=container.exit_code if container else None,
        reason=((container.reason if container else "") or task.stopped_reason)[:1024] or None,
        stop_code=task.stop_code or None,
        log_group=group or None,
        log_stream=stream or None,
        link=log_stream_link(region, group, stream) if stream else task_link(key, task.arn),
    )


def _log_of(task: Task, container: Container, revision: TaskDefinition, region: str) -> tuple[str, str, str]:
    """Name the log stream of the awslogs driver: prefix/container/task id (ECS developer guide, "awslogs log driver options")."""
    definition = next((c for c in revision.containers if c.get("name") == container.name), {})
    log = definition.get("logConfiguration") or {}
    options = log.get("options") or {}
    group, prefix = options.get("awslogs-group", ""), options.get("awslogs-stream-prefix", "")
    if log.get("logDriver") != "awslogs" or not group or not prefix:
        return "", "", ""
    return group, f"{prefix}/{container.name}/{task.arn.rpartition('/')[2]}", options.get("awslogs-region", region)


async def read_revision(ecs: Ecs, arn: str) -> tuple[TaskDefinition | None, Problem | None]:
    """Read a revision, or say why it cannot be read."""
    try:
        return await ecs.describe_task_definition(arn), None
    except Problem as problem:
        return None, problem


async def diagnose(ecs: Ecs, target: Target, facts: Facts, memory: Memory) -> Diagnostics:
    """Read what explains a rollout, if there is something to explain; a failure to do so is no failure."""
    rollout, service = facts.status.rollout, facts.service
    if service is None:
        return Diagnostics()
    if rollout is None or not attempts.is_followed(rollout):
        return Diagnostics(foreign=await _foreign(ecs, target, service, facts, memory))
    own, primary = service.deployment(rollout.deployment_id or ""), service.primary
    replaced = own is None or own is not primary
    failing = replaced or (own is not None and (own.rollout_state == FAILED or own.failed_tasks > 0))
    staged = service.has_stages and attempts.is_open(rollout)
    answers = _answers_hook(facts, rollout)
    explains = failing or staged or answers or not rollout.service_deployment_arn or attempts.intended_action(rollout) == attempts.STOP
    thirds = _thirds_without_progress(facts, rollout)
    state = (rollout.deployment_id or "", own.failed_tasks if own else -2, thirds)
    described = await _described(ecs, target, service, rollout.deployment_id, facts.now, memory, fresh=answers) if explains else None
    return Diagnostics(
        primary_digests=await _primary_digests(ecs, primary, rollout) if primary is not None and replaced else {},
        service_deployment=described,
        protected=await _protected(ecs, target, facts, rollout, memory) if attempts.is_open(rollout) and not replaced else (),
        evidence=await _evidence_once(ecs, target, rollout, state, memory) if failing or thirds else (),
        foreign=await _foreign(ecs, target, service, facts, memory),
        each_task_resolves=replaced and own is not None and await _each_task_resolves(ecs, rollout),
    )


def _answers_hook(facts: Facts, rollout: Rollout) -> bool:
    """Return whether a lifecycle hook is about to be answered: that rests on what ECS says of it now."""
    announced = interventions.announced(rollout.interventions) is not None and attempts.is_open(rollout)
    return announced or hook_answer_requested(facts.release.metadata, facts.status) is not None


async def _each_task_resolves(ecs: Ecs, rollout: Rollout) -> bool:
    """Return whether each task of the attempt's deployment may have resolved its tag itself: its revision says so, or cannot be read."""
    revision, _ = await read_revision(ecs, rollout.task_definition or "")
    return bool(rollout.environment_tag) if revision is None else each_task_resolves(revision, attempts.aims_at(rollout))


async def _primary_digests(ecs: Ecs, primary: Deployment, rollout: Rollout) -> dict[str, str]:
    """Return the digests that the PRIMARY deployment's revision names for the containers that the attempt changes."""
    revision, _ = await read_revision(ecs, primary.task_definition)
    return {n: d for n, d in named_digests(revision, attempts.aims_at(rollout)).items() if d}


def _thirds_without_progress(facts: Facts, rollout: Rollout) -> int:
    """Count the thirds of the deadline in which nothing moved.

    ECS counts failures in a row, and begins anew with each task that comes up, be it to crash at once.
    """
    if not attempts.is_open(rollout):
        return 0
    return max(0, int((facts.now - attempts.last_progress(facts, rollout)) / (facts.place.deadline / 3)))


async def _foreign(ecs: Ecs, target: Target, service: Service, facts: Facts, memory: Memory) -> ServiceDeployment | None:
    """Read the stage of somebody else's deployment if an attempt may begin: one that is paused is not overrun."""
    status, pin = facts.status, facts.wanted.pin
    if pin is None or not service.has_stages or not service.is_moving:
        return None
    if service.primary is None or attempts.has_started(status.rollout, service.primary.id):
        return None
    if not may_begin(facts.release, pin, may_correct=facts.permission.may_correct):
        return None
    return await _described(ecs, target, service, service.primary.id, facts.now, memory)


async def _described(
    ecs: Ecs, target: Target, service: Service, deployment_id: str | None, now: datetime, memory: Memory, *, fresh: bool = False
) -> ServiceDeployment | None:
    """Read a service deployment. If that fails for once, what was read a moment ago still stands, unless it must be `fresh`."""
    found = await ecs.service_deployment(target.key.cluster, service.arn, deployment_id or "")
    if found is not None:
        memory.service_deployment = (deployment_id or "", now, found)
        return found
    known = None if fresh else memory.service_deployment
    if known is None or known[0] != deployment_id or now - known[1] > _STANDS:
        return None
    return known[2]


async def _protected(ecs: Ecs, target: Target, facts: Facts, rollout: Rollout, memory: Memory) -> tuple[ProtectedTask, ...]:
    """Read which old tasks are protected, if the rollout has stood still for a while."""
    due = protected_tasks.due_in_s(facts, rollout)
    if due is None or due > 0 or facts.service is None:
        memory.protected = ()
        return ()
    if memory.protected_at is None or (facts.now - memory.protected_at).total_seconds() >= protected_tasks.EVERY_S:
        memory.protected_at = facts.now
        old = protected_tasks.suspects(facts.service, rollout.deployment_id or "")
        memory.protected = tuple(await ecs.protected_tasks(target.key.cluster, old[:_MAX_PROTECTED]))
    return memory.protected


async def _evidence_once(ecs: Ecs, target: Target, rollout: Rollout, state: tuple[str, int, int], memory: Memory) -> tuple[Evidence, ...]:
    """Read which tasks failed, once for each state that a rollout is in."""
    if memory.evidence_for != state or not memory.evidence:
        try:
            tasks = await stopped_tasks(ecs, target.key, rollout.deployment_id or "")
            revision, _ = await read_revision(ecs, rollout.task_definition or "")
        except Problem as problem:
            log.info("cannot read which tasks failed: %s", problem.message, extra={"service": str(target.key)})
            return memory.evidence
        memory.evidence = evidence_of(target.key, tasks, rollout, revision) or memory.evidence
        memory.evidence_for = state
    return memory.evidence
