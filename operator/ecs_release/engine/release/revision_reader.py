"""Reading revisions: the newest of somebody else's, those of our own that may be used again, and whether a wanted one is still there."""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import replace
from datetime import timedelta

from ecs_release.api.release_status import Pin
from ecs_release.domain.artifacts import environment_tag as environment_tags
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.request_annotations import pending
from ecs_release.domain.drift.base_revision import follows_latest
from ecs_release.domain.ecs.service import TaskDefinition
from ecs_release.domain.ecs.task_definitions import is_foreign, ownership
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.ports.protocols import Ecs
from ecs_release.engine.release.memory import Memory
from ecs_release.engine.runtime.settings import EngineSettings

_NEWEST, _EARLIER = 10, 3
_RECENT_S = 60


def sweep_s(facts: Facts, settings: EngineSettings) -> float:
    """Return the seconds between two looks for newer revisions: often where they are rolled out, else for information."""
    return settings.base_sweep_s if follows_latest(facts) else settings.resync_s


async def about_revisions(ecs: Ecs, facts: Facts, memory: Memory, sweep_s: float) -> Facts:
    """Add what a decision must know of revisions. Reads only where an attempt may begin, and now and then for what is newer."""
    pin, rollout = facts.pin, facts.status.rollout
    if facts.service is None or facts.running is None or pin is None:
        return facts
    due = not attempts.is_settled(facts.status, pin) or pending(facts.release, facts.status) or facts.may_correct
    begins = due and not attempts.is_open(rollout)
    registers = attempts.intends(rollout) == attempts.REGISTER
    newest: TaskDefinition | None = None
    if (follows_latest(facts) and (begins or registers)) or (not due and _sweep_is_due(facts, memory, sweep_s)):
        # Also where it fails: what is denied is not asked for at every pass.
        memory.foreign_time, memory.woken = facts.now, False
        try:
            newest = await _newest_foreign(ecs, facts)
            memory.foreign = newest.arn if newest else ""
        except Problem as problem:
            if begins or registers:
                return replace(facts, start_problem=facts.start_problem or problem)
    facts = replace(facts, newest_foreign=newest or await _known(ecs, memory.foreign))
    if follows_latest(facts) and facts.newest_foreign is not None:
        facts = replace(facts, base=facts.newest_foreign)
    tagged = facts.target is not None and environment_tags.uses(facts.target)
    if (begins or not due) and not tagged:
        facts = replace(facts, earlier=await _earlier(ecs, facts, pin) if begins else facts.newest)
    return replace(facts, revision_gone=await _is_gone(ecs, facts))


async def _known(ecs: Ecs, arn: str) -> TaskDefinition | None:
    """Read a revision that was read before; None where that fails now."""
    try:
        return await ecs.describe_task_definition(arn) if arn else None
    except Problem:
        return None


def _sweep_is_due(facts: Facts, memory: Memory, sweep_s: float) -> bool:
    """Tell whether it is time to look what is newer: the first time somewhere within an interval, so that a start asks no rush."""
    if memory.woken:
        return True
    if memory.foreign_time is not None:
        return facts.now - memory.foreign_time >= timedelta(seconds=sweep_s)
    return facts.now - memory.since >= timedelta(seconds=zlib.crc32(facts.name.encode()) % 1000 / 1000 * sweep_s)


async def _newest_foreign(ecs: Ecs, facts: Facts) -> TaskDefinition | None:
    """Find the family's newest ACTIVE revision that this installation has not made."""
    assert facts.service is not None
    family = facts.service.task_definition.rpartition("/")[2].partition(":")[0]
    for arn in await ecs.newest_task_definitions(family, _NEWEST):
        revision = await ecs.describe_task_definition(arn)
        if is_foreign(revision, facts.limits.installation):
            return revision
    return None


async def _earlier(ecs: Ecs, facts: Facts, pin: Pin) -> tuple[TaskDefinition, ...]:
    """Read our own earlier revisions of the wanted digests, as they are now: one may have gone INACTIVE."""
    wanted = attempts.digests(pin)
    arns = [e.task_definition for e in facts.status.history or () if e.task_definition and attempts.aims_at(e) == wanted]
    arns += [r.arn for r in facts.newest if (o := ownership(r)) is not None and o.release == facts.name]
    try:
        return tuple(await asyncio.gather(*(ecs.describe_task_definition(a, fresh=True) for a in list(dict.fromkeys(arns))[:_EARLIER])))
    except Problem:
        # Then a revision is registered anew, as if there were none.
        return ()


async def _is_gone(ecs: Ecs, facts: Facts) -> bool:
    """Tell whether the revision that is about to be deployed was deregistered since: looked at where that was announced a while ago."""
    rollout, look = facts.status.rollout, facts.look
    if rollout is None or attempts.intends(rollout) != attempts.UPDATE or not rollout.task_definition or look is None:
        return False
    announced = rollout.intent.aws_time if rollout.intent else None
    if announced is None or look.aws_time - announced < timedelta(seconds=_RECENT_S):
        return False
    try:
        return (await ecs.describe_task_definition(rollout.task_definition, fresh=True)).status != "ACTIVE"
    except Problem:
        return False
