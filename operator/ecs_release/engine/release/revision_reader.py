"""Reading revisions: the newest of somebody else's, those of our own that may be used again, and whether a wanted one is still there."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from datetime import timedelta

from ecs_release.api.release_status import HistoryEntry, Pin
from ecs_release.domain.artifacts import environment_tag
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.due import may_begin
from ecs_release.domain.decision.facts import Facts, Revisions
from ecs_release.domain.drift.base_revision import follows_latest
from ecs_release.domain.ecs.service import TaskDefinition
from ecs_release.domain.ecs.task_definitions import as_registered, is_foreign, newest_base, ownership
from ecs_release.domain.model.errors import Problem
from ecs_release.domain.ports.protocols import Ecs
from ecs_release.engine.release.memory import Memory
from ecs_release.engine.release.rollout_diagnostics import read_revision
from ecs_release.engine.release.unconfirmed_calls import newest_revisions
from ecs_release.engine.runtime.settings import EngineSettings

_NEWEST, _EARLIER = 10, 3
_RECENT_S = 60


def sweep_s(facts: Facts, settings: EngineSettings) -> float:
    """Return the seconds between two looks for newer revisions: often if they are rolled out, else for information."""
    return settings.base_sweep_s if follows_latest(facts) else settings.resync_s


async def read_revisions(ecs: Ecs, facts: Facts, memory: Memory, sweep_s: float) -> Revisions | Problem:
    """Read the running revision and what a decision needs to know of others; a problem if our past must be read and cannot be.

    Others are read only if an attempt may begin, and now and then to see what is newer.
    """
    assert facts.service is not None
    (running, problem), newest = await asyncio.gather(
        read_revision(ecs, facts.service.task_definition), newest_revisions(ecs, facts, memory)
    )
    if isinstance(newest, Problem):
        return newest
    pin = facts.wanted.pin
    running = as_registered(running, made_by(facts.status.history or ())) if running is not None else None
    if running is None or pin is None:
        return Revisions(running=running, newest=newest if running is None else (running, *newest), problem=problem)
    newest = (running, *newest)
    begins = may_begin(facts.release, pin, may_correct=facts.permission.may_correct)
    try:
        newest_foreign = await _newest_foreign(ecs, facts, memory, sweep_s, begins=begins)
    except Problem as unread:
        return Revisions(running=running, newest=newest, problem=problem or unread)
    tagged = facts.place.target is not None and environment_tag.uses(facts.place.target)
    return Revisions(
        running=running,
        newest=newest,
        newest_foreign=newest_foreign,
        base=newest_base(running, newest_foreign, facts.limits.installation) if follows_latest(facts) else None,
        earlier=() if tagged else (await _earlier(ecs, facts, newest, pin) if begins else newest),
        is_gone=await _is_gone(ecs, facts),
        problem=problem,
    )


async def _newest_foreign(ecs: Ecs, facts: Facts, memory: Memory, sweep_s: float, *, begins: bool) -> TaskDefinition | None:
    """Return the newest revision that this installation has not made. Raises Problem if an attempt depends on it and it cannot be read."""
    needed = begins or attempts.intended_action(facts.status.rollout) == attempts.REGISTER
    found: TaskDefinition | None = None
    if (needed and follows_latest(facts)) or (not begins and _sweep_is_due(facts, memory, sweep_s)):
        # Also if it fails: what is denied is not read again at every pass.
        memory.foreign_time, memory.rereads_revisions = facts.now, False
        try:
            found = await find_newest_foreign(ecs, facts)
            memory.foreign = found.arn if found else ""
        except Problem:
            if needed:
                raise
    return found or await _known(ecs, facts, memory.foreign)


async def _known(ecs: Ecs, facts: Facts, arn: str) -> TaskDefinition | None:
    """Read a revision that was read before; None if that fails now."""
    try:
        return as_registered(await ecs.describe_task_definition(arn), made_by(facts.status.history or ())) if arn else None
    except Problem:
        return None


def made_by(history: Sequence[HistoryEntry]) -> dict[str, str]:
    """Return which revision each attempt of a history has registered, or used again."""
    return {e.attempt_id: e.task_definition for e in history if e.task_definition}


def _sweep_is_due(facts: Facts, memory: Memory, sweep_s: float) -> bool:
    """Return whether it is time to see what is newer; the first time is spread over an interval, so that a start causes no rush."""
    if memory.rereads_revisions:
        return True
    if memory.foreign_time is not None:
        return facts.now - memory.foreign_time >= timedelta(seconds=sweep_s)
    return facts.now - memory.since >= timedelta(seconds=zlib.crc32(facts.name.encode()) % 1000 / 1000 * sweep_s)


async def find_newest_foreign(ecs: Ecs, facts: Facts) -> TaskDefinition | None:
    """Find the family's newest ACTIVE revision that this installation has not made. Raises Problem."""
    assert facts.service is not None
    family = facts.service.task_definition.rpartition("/")[2].partition(":")[0]
    for arn in await ecs.newest_task_definitions(family, _NEWEST):
        revision = as_registered(await ecs.describe_task_definition(arn), made_by(facts.status.history or ()))
        if is_foreign(revision, facts.limits.installation):
            return revision
    return None


async def _earlier(ecs: Ecs, facts: Facts, newest: Sequence[TaskDefinition], pin: Pin) -> tuple[TaskDefinition, ...]:
    """Read our own earlier revisions of the wanted digests, as they are now: one may have gone INACTIVE."""
    wanted = attempts.digests(pin)
    arns = [e.task_definition for e in facts.status.history or () if e.task_definition and attempts.aims_at(e) == wanted]
    arns += [r.arn for r in newest if (o := ownership(r)) is not None and o.release == facts.name]
    try:
        return tuple(await asyncio.gather(*(ecs.describe_task_definition(a, fresh=True) for a in list(dict.fromkeys(arns))[:_EARLIER])))
    except Problem:
        # Then a revision is registered anew, as if there were none.
        return ()


async def _is_gone(ecs: Ecs, facts: Facts) -> bool:
    """Return whether the revision that is about to be deployed was deregistered since; it is read if that was announced a while ago."""
    rollout, look = facts.status.rollout, facts.seen.look
    if rollout is None or attempts.intended_action(rollout) != attempts.UPDATE or not rollout.task_definition or look is None:
        return False
    announced = rollout.intent.aws_time if rollout.intent else None
    if announced is None or look.aws_time - announced < timedelta(seconds=_RECENT_S):
        return False
    try:
        return (await ecs.describe_task_definition(rollout.task_definition, fresh=True)).status != "ACTIVE"
    except Problem:
        return False
