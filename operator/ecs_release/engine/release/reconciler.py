"""One pass over a Release: gather, decide, act, report. Only acting changes its deployment, and only reporting writes its status."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from ecs_release.api.ledger import LedgerEntry
from ecs_release.api.release import Release
from ecs_release.api.release_status import UNKNOWN_PLATFORMS, ReleaseStatus
from ecs_release.domain.artifacts.environment_tag import Move, uses
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Act, Continue, Decision, MoveTags, Register, Stop, Update
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.holding import unknown_holder
from ecs_release.domain.environments.targets import Target
from ecs_release.domain.model.conditions import find
from ecs_release.domain.model.errors import Ambiguous, Blocked, Conflict, NotFound, Problem
from ecs_release.domain.model.parsing import read_object
from ecs_release.domain.notifications.transitions import transitions
from ecs_release.domain.ports.protocols import Aws, Clock, Cluster, ObjectKey
from ecs_release.domain.release import action_outcomes
from ecs_release.domain.release.decide import decide
from ecs_release.domain.release.status_diff import Change, compare
from ecs_release.engine.release.gatherer import Gatherer
from ecs_release.engine.release.memory import Memory
from ecs_release.engine.release.revision_reader import sweep_s
from ecs_release.engine.runtime.meter import Meter, NoMeter
from ecs_release.engine.runtime.settings import EngineSettings
from ecs_release.engine.store.store import Store

log = logging.getLogger(__name__)

_PASSES = 8
_UNKNOWN_S = 1.0


class Reconciler:
    """Makes passes over Releases."""

    def __init__(
        self,
        *,
        store: Store,
        cluster: Cluster,
        aws: Aws,
        clock: Clock,
        settings: EngineSettings,
        gatherer: Gatherer,
        again: Callable[[ObjectKey, float], None],
        set_fast: Callable[[Facts, bool], None],
        status_changed: Callable[[ObjectKey], None],
        meter: Meter | None = None,
        decided: Callable[[Facts, ReleaseStatus], None] = lambda _facts, _status: None,
        left_out: Callable[[ObjectKey, tuple[LedgerEntry, ...]], None] = lambda _key, _entries: None,
    ) -> None:
        """`again` has a Release looked at after some seconds; `set_fast` has its service observed often, or no longer.

        `status_changed` is called with each Release whose status says something new, `decided` with the facts and the status of each pass,
        `left_out` with entries that the ledger lacks and status has no room for.
        """
        self._store = store
        self._cluster = cluster
        self._aws = aws
        self._clock = clock
        self._settings = settings
        self._gatherer = gatherer
        self._again = again
        self._set_fast = set_fast
        self._status_changed = status_changed
        self._meter = meter or NoMeter()
        self._decided = decided
        self._left_out = left_out
        self._memories: dict[ObjectKey, tuple[str, Memory]] = {}

    def forget(self, key: ObjectKey) -> None:
        """A Release is gone."""
        self._memories.pop(key, None)

    def reread(self, key: ObjectKey) -> None:
        """Read anew at the next pass what is read now and then only: something has happened to it."""
        _, memory = self._memories.get(key, ("", None))
        if memory is not None:
            memory.reread()
        self._again(key, 0.0)

    async def reconcile(self, key: ObjectKey) -> None:
        """Make passes over a Release until there is nothing to do at once. Raises Problem if it, or what it needs, cannot be read."""
        body = await self._cluster.get(key)
        if body is None:
            return
        release = read_object(Release, body)
        if release.metadata.deletion_timestamp is not None:
            return
        memory = self._memory(key, release)
        try:
            for _ in range(_PASSES):
                release, again_s = await self._pass(key, release, memory)
                if again_s != 0:
                    break
            if again_s is not None:
                self._again(key, again_s)
        except Conflict:
            log.debug("the object has changed meanwhile: gathering again", extra={"object": str(key)})
            self._again(key, 0.05)
        except NotFound:
            return

    def _memory(self, key: ObjectKey, release: Release) -> Memory:
        uid, memory = self._memories.get(key, ("", Memory(self._clock.now())))
        if uid != release.metadata.uid:
            # One that was made again under its name is another one.
            memory = Memory(self._clock.now())
            self._memories[key] = (release.metadata.uid, memory)
        return memory

    async def _pass(self, key: ObjectKey, release: Release, memory: Memory) -> tuple[Release, float | None]:
        """Make one pass. Returns the Release as it stands then, and when to make the next (0: at once, None: on news)."""
        facts = await self._gatherer.gather(release, memory)
        decision = decide(facts)
        for change in decision.changes:
            log.debug("%s", change, extra={"object": facts.name})
        if decision.act is not None:
            decision = await self._act(facts, decision.act, memory)
        release, written = await self._report(key, facts, decision, memory)
        self._decided(facts, decision.status)
        self._set_fast(facts, decision.fast)
        again = decision.again_s
        if again is None and not written:
            again = self._settings.counts_interval_s
        if again is None and _may_mend_itself(decision.status):
            again = self._interval_s(facts)
        if facts.seen.health_due is not None:
            left_s = max(0.1, (facts.seen.health_due - self._clock.now()).total_seconds())
            again = min(left_s, again if again is not None else float("inf"))
        if unknown_holder(facts) is not None:
            again = min(_UNKNOWN_S, again if again is not None else float("inf"))
        if facts.place.target is not None:
            tag_s = self._settings.tag_interval_s if uses(facts.place.target) else float("inf")
            again = min(tag_s, sweep_s(facts, self._settings), again if again is not None else float("inf"))
        return release, again

    async def _act(self, facts: Facts, act: Act, memory: Memory) -> Decision:
        """Carry out an accepted intent. Whatever becomes of us on the way, its intent is in doubt until it is answered.

        A call that was refused is not made again at once: something may hold it up for long, and each event brings a pass.
        """
        rollout, now = facts.status.rollout, self._clock.monotonic()
        refusal = memory.pause(act, now)
        if refusal is not None:
            return action_outcomes.refused(facts, refusal.problem, refusal.until - now)
        memory.sending(self._clock.now())
        try:
            decision = await self._send(facts, act, memory)
        except Problem as problem:
            extra = {"object": facts.name, "attempt": rollout.attempt_id if rollout else ""}
            log.warning("%s: %s", problem.reason, problem.message, extra=extra)
            if isinstance(problem, Ambiguous):
                memory.sent(self._clock.now())
                return action_outcomes.lost(facts, problem)
            if isinstance(act, Continue) and isinstance(problem, Blocked):
                memory.intend(rollout)
                return action_outcomes.not_answered(facts, problem)
            first_s, interval_s = self._settings.retry_interval_s, self._interval_s(facts)
            now = self._clock.monotonic()
            refusal = memory.refused(rollout, act, problem, now, first_s, max(first_s, interval_s))
            return action_outcomes.refused(facts, problem, refusal.until - now)
        memory.refusal = None
        # Until status says so, too: a look from before the answer does not show what was done, however long the call has waited.
        memory.sent(self._clock.now())
        return decision

    async def _send(self, facts: Facts, act: Act, memory: Memory) -> Decision:
        """Make a call to AWS. Returns what its answer means; raises Problem."""
        target, rollout = facts.place.target, facts.status.rollout
        assert target is not None
        extra = {"object": facts.name, "attempt": rollout.attempt_id if rollout else ""}
        ecs = self._aws.ecs(target.access)
        match act:
            case Register(content, tags):
                revision = await ecs.register_task_definition(content, tags)
                log.info("registered %s", revision.arn, extra=extra)
                self._answered(memory, facts, attempts.REGISTER, revision.arn)
                return action_outcomes.registered(facts, revision.arn)
            case Update(task_definition, force):
                started = await ecs.update_service(target.key.cluster, target.key.service, task_definition, force=force)
                log.info(
                    "ECS service %s goes to %s: deployment %s, request %s",
                    target.key, task_definition, started.deployment_id, started.request_id, extra=extra,
                )  # fmt: skip
                self._answered(memory, facts, attempts.UPDATE, started.deployment_id)
                # The call may have waited long for its turn: looks from before its answer do not show what it did.
                facts = replace(facts, now=self._clock.now())
                return action_outcomes.updated(facts, started.deployment_id, started.request_id)
            case MoveTags(moves, back):
                await self._move(facts, target, moves, memory)
                return action_outcomes.tags_returned(facts) if back else action_outcomes.tags_moved(facts)
            case Stop(arn):
                rolls_back = await ecs.stop_service_deployment(arn)
                log.info("asked ECS to stop %s: %s", arn or "a deployment", "it rolls back" if rolls_back else "it does not", extra=extra)
                return action_outcomes.stopped(replace(facts, now=self._clock.now()), rolls_back=rolls_back)
            case Continue(arn, hook_id, action):
                await ecs.continue_service_deployment(arn, hook_id, action)
                log.info("answered hook %s of %s: %s", hook_id, arn, action, extra=extra)
                return action_outcomes.answered(replace(facts, now=self._clock.now()))

    def _interval_s(self, facts: Facts) -> float:
        """Return after how many seconds what somebody may mend is looked at again."""
        environment = facts.place.environment
        return environment.spec.observation.interval_seconds if environment else self._settings.counts_interval_s

    async def _move(self, facts: Facts, target: Target, moves: tuple[Move, ...], memory: Memory) -> None:
        """Move the environment's tags. Raises Problem; then it is unknown where they point."""
        registry = self._aws.registry(target.registry_access, target.registry_id, target.registry_region)
        memory.tags_time = None
        await asyncio.gather(*(registry.move_tag(m.repository, m.tag, m.digest) for m in moves))
        for move in moves:
            text = "moved tag %s of %s from %s to %s"
            log.info(text, move.tag, move.repository, move.before, move.digest, extra={"object": facts.name})
        # Each was read back.
        moved = {m.repository: m.digest for m in moves}
        memory.tags = {c.name: moved.get(c.repository, (facts.tags.digests or {}).get(c.name, "")) for c in target.containers}
        memory.tags_time = self._clock.now()

    @staticmethod
    def _answered(memory: Memory, facts: Facts, action: str, value: str) -> None:
        rollout = facts.status.rollout
        if rollout is not None and attempts.intended_action(rollout) == action:
            memory.answered(rollout, action, value)

    async def _report(self, key: ObjectKey, facts: Facts, decision: Decision, memory: Memory) -> tuple[Release, bool]:
        """Write the status if it says something new. Returns whether nothing is held back, too. Raises Conflict and NotFound."""
        release, status = facts.release, decision.status
        memory.missing_since = (memory.missing_since or facts.now) if decision.missing else None
        change = compare(release.status, status)
        now = self._clock.monotonic()
        due = decision.fast or now - memory.counts_written >= self._settings.counts_interval_s
        if change is Change.NOTHING or (change is Change.COUNTS and not due):
            return release, change is Change.NOTHING
        # Before the write: twice is better than never, should the process end between the two.
        self._left_out(key, decision.left_out)
        body = await self._cluster.write_status(
            key, status.to_kubernetes(), uid=release.metadata.uid, resource_version=release.metadata.resource_version
        )
        memory.counts_written = now
        memory.reckon(facts.tracking, missing=decision.missing)
        if _intent(status) != _intent(release.status):
            memory.intend(status.rollout)
        self._store.wrote(body)
        if change is Change.NEWS:
            self._log_reason(key, release.status, status)
            self._status_changed(key)
            found = transitions(release.status, status, facts.now)
            self._meter.happened(key.kind, release.spec.environment_ref.name, found)
        for note in decision.events:
            self._cluster.record(key, release.metadata.uid, note)
        return read_object(Release, body), True

    def _log_reason(self, key: ObjectKey, before: ReleaseStatus | None, after: ReleaseStatus) -> None:
        """Log one line if the reason changed."""
        was, now = find(before.conditions if before else None, "Ready"), find(after.conditions, "Ready")
        if now is None or (was is not None and (was.status, was.reason) == (now.status, now.reason)):
            return
        extra = {"object": str(key), "attempt": after.rollout.attempt_id if after.rollout else ""}
        log.info("%s: %s", now.reason, now.message, extra=extra)


def _intent(status: ReleaseStatus | None) -> tuple[str, str]:
    """Name what a status announces: only a new announcement may be acted on without looking first."""
    rollout = status.rollout if status else None
    return (rollout.attempt_id if rollout else "", attempts.announced_call(rollout))


def _may_mend_itself(status: ReleaseStatus) -> bool:
    """Return whether something may end this state without an event: an image is pushed, a right is given, ECR tells what it did not."""
    if any(i.platforms == UNKNOWN_PLATFORMS for i in (status.pin.images if status.pin else None) or ()):
        return True
    return any((c := find(status.conditions, kind)) is not None and c.status == "True" for kind in ("Reconciling", "Stalled"))
