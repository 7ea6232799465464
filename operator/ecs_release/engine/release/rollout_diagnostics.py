"""What explains a rollout: its stage, the tasks that hold it, the tasks that stopped, and where their logs are."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timedelta

from ecs_release.api.release_status import Evidence, Rollout
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.request_annotations import pending as requests_pending
from ecs_release.domain.ecs.console_links import log_stream_link, task_link
from ecs_release.domain.ecs.service import FAILED, Container, ProtectedTask, Service, ServiceDeployment, ServiceKey, Task, TaskDefinition
from ecs_release.domain.environments.targets import Target
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.model.image_names import parse_image
from ecs_release.domain.ports.protocols import Ecs
from ecs_release.domain.rules import protected_tasks as protection
from ecs_release.domain.rules.at_rest import is_moving
from ecs_release.engine.release.memory import Memory

log = logging.getLogger(__name__)

_MOST, _MOST_PROTECTED = 3, 100
_STANDS = timedelta(seconds=60)


async def stopped_tasks(ecs: Ecs, key: ServiceKey) -> list[Task]:
    """Read a service's tasks that stopped lately: ECS keeps them for at least an hour."""
    arns = await ecs.list_tasks(key.cluster, key.service, stopped=True)
    return await ecs.describe_tasks(key.cluster, arns[:100])


def evidence_of(key: ServiceKey, tasks: list[Task], deployment_id: str, revision: TaskDefinition | None) -> tuple[Evidence, ...]:
    """Pick the newest failed tasks of a deployment, and in each the container that tells most."""
    failed = [t for t in tasks if t.started_by == deployment_id and (t.stop_code != "ServiceSchedulerInitiated" or _failed(t))]
    failed.sort(key=lambda t: t.stopped_at.timestamp() if t.stopped_at else 0.0, reverse=True)
    return tuple(_evidence(key, task, revision) for task in failed[:_MOST])


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


async def explain(ecs: Ecs, target: Target, facts: Facts, memory: Memory) -> Facts:
    """Read what explains a rollout, where there is something to explain; a failure to do so is no failure."""
    rollout, service = facts.status.rollout, facts.service
    if service is None or rollout is None or not attempts.is_deployed(rollout):
        return await _with_foreign(ecs, facts, memory)
    if rollout.outcome and rollout.outcome not in attempts.REFINABLE:
        return await _with_foreign(ecs, facts, memory)
    own, primary = service.deployment(rollout.deployment_id or ""), service.primary
    replaced = own is None or own is not primary
    if primary is not None and replaced:
        revision, _ = await read_revision(ecs, primary.task_definition)
        names = [i.container for i in facts.pin.images or ()] if facts.pin else []
        pins = {n: parse_image((revision.image_of(n) if revision else None) or "").digest for n in names}
        facts = replace(facts, primary_pins={n: d for n, d in pins.items() if d})
    failing = replaced or (own is not None and (own.rollout_state == FAILED or own.failed_tasks > 0))
    staged = service.has_stages and attempts.is_open(rollout)
    if failing or staged or not rollout.service_deployment_arn or attempts.intends(rollout) == attempts.STOP:
        facts = replace(facts, explained=await _explained(ecs, service, rollout.deployment_id or "", facts.now, memory))
    if attempts.is_open(rollout) and not replaced:
        facts = replace(facts, protected=await _protected(ecs, target, facts, rollout, memory))
    thirds = _thirds_without_progress(facts, rollout)
    if failing or thirds:
        state = (rollout.deployment_id or "", own.failed_tasks if own else -2, thirds)
        facts = replace(facts, evidence=await _evidence_once(ecs, target, rollout, state, memory))
    return await _with_foreign(ecs, facts, memory)


def _thirds_without_progress(facts: Facts, rollout: Rollout) -> int:
    """Count the thirds of the deadline in which nothing moved.

    ECS's count of failures tells of those in a row, and begins anew with each task that comes up, be it to crash at once.
    """
    if not attempts.is_open(rollout):
        return 0
    return max(0, int((facts.now - attempts.moved(facts, rollout)) / (facts.deadline / 3)))


async def _with_foreign(ecs: Ecs, facts: Facts, memory: Memory) -> Facts:
    """Read the stage of somebody else's deployment where an attempt is due: one that is paused is not overrun."""
    service, status, pin = facts.service, facts.status, facts.pin
    if service is None or pin is None or not service.has_stages or not is_moving(service):
        return facts
    own = status.rollout.deployment_id if status.rollout else None
    due = not attempts.is_settled(status, pin) or requests_pending(facts.release, status)
    if service.primary is None or service.primary.id == own or not due:
        return facts
    return replace(facts, foreign=await _explained(ecs, service, service.primary.id, facts.now, memory))


async def _explained(ecs: Ecs, service: Service, deployment_id: str, now: datetime, memory: Memory) -> ServiceDeployment | None:
    """Read a service deployment. Where that fails for once, what it told a moment ago still stands."""
    found = await ecs.service_deployment(service.arn, deployment_id)
    if found is not None:
        memory.explained = (deployment_id, now, found)
        return found
    if memory.explained is None or memory.explained[0] != deployment_id or now - memory.explained[1] > _STANDS:
        return None
    return memory.explained[2]


async def _protected(ecs: Ecs, target: Target, facts: Facts, rollout: Rollout, memory: Memory) -> tuple[ProtectedTask, ...]:
    """Read which old tasks are protected, where the rollout has stood still for a while."""
    due = protection.due_in_s(facts, rollout)
    if due is None or due > 0 or facts.service is None:
        memory.protected = ()
        return ()
    if memory.protected_at is None or (facts.now - memory.protected_at).total_seconds() >= protection.EVERY_S:
        memory.protected_at = facts.now
        old = protection.suspects(facts.service, rollout.deployment_id or "")
        memory.protected = tuple(await ecs.protected_tasks(target.key.cluster, old[:_MOST_PROTECTED]))
    return memory.protected


async def _evidence_once(ecs: Ecs, target: Target, rollout: Rollout, state: tuple[str, int, int], memory: Memory) -> tuple[Evidence, ...]:
    """Read which tasks failed, once for each state that a rollout is in."""
    if memory.evidence_for != state or not memory.evidence:
        try:
            tasks = await stopped_tasks(ecs, target.key)
            revision, _ = await read_revision(ecs, rollout.task_definition or "")
        except Problem as problem:
            log.info("cannot read which tasks failed: %s", problem.message, extra={"service": str(target.key)})
            return memory.evidence
        memory.evidence = evidence_of(target.key, tasks, rollout.deployment_id or "", revision) or memory.evidence
        memory.evidence_for = state
    return memory.evidence
