"""Calls to AWS that were not confirmed, and our past there: what an intent in doubt and our own tags have left.

Here it is only read. What is done after a lost answer is decided by `domain.rules.attempt_progress.confirm`, where what the call did was
found, else by `domain.rules.open_attempt`, which waits until it would have been and repeats the call.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime

from ecs_release.api.release_status import Intent, Rollout
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.facts import Doubt, Facts, Tracking
from ecs_release.domain.ecs.service import Service, Task, TaskDefinition
from ecs_release.domain.ecs.task_definitions import ownership
from ecs_release.domain.environments.targets import Target
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.ports.protocols import Ecs
from ecs_release.domain.recovery.lost_status import needs_recovery
from ecs_release.engine.release.memory import Memory
from ecs_release.engine.release.rollout_diagnostics import stopped_tasks

log = logging.getLogger(__name__)

_NEWEST = 10


async def newest_revisions(ecs: Ecs, facts: Facts, memory: Memory) -> tuple[TaskDefinition, ...] | Problem:
    """Read the family's newest revisions beside the service's own, if our past must be found on them."""
    status, service = facts.status, facts.service
    registering = memory.doubt_since is not None and attempts.intended_action(status.rollout) == attempts.REGISTER
    if service is None or not (needs_recovery(status) or registering):
        return ()
    family = service.task_definition.rpartition("/")[2].partition(":")[0]
    try:
        arns = await ecs.newest_task_definitions(family, _NEWEST)
        others = [arn for arn in arns if arn != service.task_definition]
        return tuple(await asyncio.gather(*(ecs.describe_task_definition(arn) for arn in others)))
    except Problem as problem:
        return problem


async def track(ecs: Ecs, target: Target, facts: Facts, memory: Memory) -> Tracking:
    """Return what is remembered of the attempt that is followed, and whether a call that was not confirmed has taken effect."""
    doubt = memory.doubt(facts.status.rollout, facts.now, await _effect(ecs, target, facts, memory))
    return Tracking(doubt=doubt, missing_since=memory.missing_since, outage=memory.outage_to_reckon())


async def _effect(ecs: Ecs, target: Target, facts: Facts, memory: Memory) -> Doubt | None:
    """Look for what an intent in doubt has done: a revision or a deployment that is ours."""
    rollout, service = facts.status.rollout, facts.service
    if memory.doubt_since is None or rollout is None or service is None:
        return None
    if attempts.intended_action(rollout) == attempts.REGISTER:
        ours = (r.arn for r in facts.revisions.newest if (o := ownership(r)) and o.attempt == rollout.attempt_id)
        return Doubt(memory.doubt_since, registered=next(ours, ""))
    if attempts.intended_action(rollout) != attempts.UPDATE:
        return None
    try:
        return await _started(ecs, target, rollout, service, memory.doubt_since)
    except Problem as problem:
        log.info("cannot look for what a call has started: %s", problem.message, extra={"service": str(target.key)})
        # What cannot be looked for is not missing: doubt begins anew.
        memory.doubt_since = facts.now
        return None


async def _started(ecs: Ecs, target: Target, rollout: Rollout, service: Service, since: datetime) -> Doubt:
    """Find a deployment of the attempt's revision, which no other attempt has: in the service, else by the tasks that it left behind.

    It is the oldest one: whatever came later was forced by somebody who deployed the same revision again.

    Raises Problem if those cannot be read.
    """
    intent = rollout.intent
    if intent is None:
        return Doubt(since)
    listed = set(intent.deployments or ())
    for deployment in sorted(service.deployments, key=lambda one: one.created_at):
        new = deployment.id not in listed and deployment.task_definition == intent.task_definition
        if new and (intent.aws_time is None or deployment.created_at >= intent.aws_time):
            return Doubt(since, started=deployment.id)
    tasks: list[Task] = await stopped_tasks(ecs, target.key)
    mine = (
        t.deployment_id
        for t in tasks
        if t.task_definition == intent.task_definition
        and t.deployment_id
        and t.deployment_id not in listed
        # A revision that is used again has older tasks, too.
        and (intent.aws_time is None or t.created_at is None or t.created_at >= intent.aws_time)
    )
    return Doubt(since, started=next(mine, ""), left_tasks=_left_tasks(rollout, intent, service, tasks))


def _left_tasks(rollout: Rollout, intent: Intent, service: Service, tasks: list[Task]) -> bool:
    """Return whether tasks that name the service, and not their deployment, must be the attempt's.

    They are not known to be if another deployment, then or now, has the same revision.
    """
    revision = intent.task_definition or ""
    if rollout.rollback_target == revision or any(d.task_definition == revision for d in service.deployments):
        return False
    return any(not t.deployment_id and t.is_from("", revision, intent.aws_time) for t in tasks)
