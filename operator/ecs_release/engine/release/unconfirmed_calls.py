"""Our past in AWS: what our own tags and an intent in doubt have left there (laws 6 and 7)."""

from __future__ import annotations

import asyncio

from ecs_release.api.release_status import Rollout
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.facts import Doubt, Facts
from ecs_release.domain.ecs.service import Service, Task, TaskDefinition
from ecs_release.domain.ecs.task_definitions import ownership
from ecs_release.domain.environments.targets import Target
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.ports.protocols import Ecs
from ecs_release.engine.release.memory import Memory
from ecs_release.engine.release.rollout_diagnostics import stopped_tasks

_NEWEST = 10


async def newest_revisions(ecs: Ecs, facts: Facts, memory: Memory) -> tuple[TaskDefinition, ...] | Problem:
    """Read the family's newest revisions beside the service's own, where our past must be found on them."""
    status, service = facts.status, facts.service
    unknown_past = status.pin is None and status.rollout is None and status.last_ready is None
    registering = memory.doubt_since is not None and attempts.intends(status.rollout) == attempts.REGISTER
    if service is None or not (unknown_past or registering):
        return ()
    family = service.task_definition.rpartition("/")[2].partition(":")[0]
    try:
        arns = await ecs.newest_task_definitions(family, _NEWEST)
        others = [arn for arn in arns if arn != service.task_definition]
        return tuple(await asyncio.gather(*(ecs.describe_task_definition(arn) for arn in others)))
    except Problem as problem:
        return problem


async def look_for_effect(ecs: Ecs, target: Target, facts: Facts, memory: Memory) -> Doubt | None:
    """Look for what an intent in doubt has done: a revision or a deployment that is ours."""
    rollout, service = facts.status.rollout, facts.service
    if memory.doubt_since is None or rollout is None or service is None:
        return None
    if attempts.intends(rollout) == attempts.REGISTER:
        ours = (r.arn for r in facts.newest if (o := ownership(r)) and o.attempt == rollout.attempt_id)
        return Doubt(memory.doubt_since, registered=next(ours, ""))
    if attempts.intends(rollout) != attempts.UPDATE:
        return None
    return Doubt(memory.doubt_since, started=await _started(ecs, target, rollout, service))


async def _started(ecs: Ecs, target: Target, rollout: Rollout, service: Service) -> str:
    """Find a deployment of the attempt's revision, which no other attempt has: in the service, else by the tasks that it left behind."""
    intent = rollout.intent
    if intent is None:
        return ""
    listed = set(intent.deployments or ())
    for deployment in service.deployments:
        new = deployment.id not in listed and deployment.task_definition == intent.task_definition
        if new and (intent.aws_time is None or deployment.created_at >= intent.aws_time):
            return deployment.id
    try:
        tasks: list[Task] = await stopped_tasks(ecs, target.key)
    except Problem:
        return ""
    mine = (
        t.started_by
        for t in tasks
        if t.task_definition == intent.task_definition
        and t.started_by not in listed
        # A revision that is used again has older tasks, too.
        and (intent.aws_time is None or t.created_at is None or t.created_at >= intent.aws_time)
    )
    return next(mine, "")
