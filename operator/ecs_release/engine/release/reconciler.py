"""One pass over a Release: gather, decide, act or report. Only gathering reads, only acting changes AWS, only reporting writes status."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from pydantic import ValidationError

from ecs_release.api.ledger import LedgerEntry
from ecs_release.api.release import Release
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.artifacts.environment_tag import Move, uses
from ecs_release.domain.decision import attempts
from ecs_release.domain.decision.decision import Act, Decision, MoveTags, Register, Stop, Update
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.environments.targets import Target
from ecs_release.domain.model.conditions import find
from ecs_release.domain.model.errors import Ambiguous, Conflict, NotFound, Problem
from ecs_release.domain.notifications.transitions import happenings
from ecs_release.domain.ports.protocols import Aws, Clock, Cluster, ObjectKey
from ecs_release.domain.release import action_outcomes as acts
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
        hurry: Callable[[Facts, bool], None],
        told: Callable[[ObjectKey], None],
        meter: Meter | None = None,
        decided: Callable[[Facts, ReleaseStatus], None] = lambda _facts, _status: None,
        left_out: Callable[[ObjectKey, tuple[LedgerEntry, ...]], None] = lambda _key, _entries: None,
    ) -> None:
        """`again` has a Release looked at after some seconds; `hurry` has its service observed often, or no longer.

        `told` is called with each Release whose status says something new, `decided` with what each pass rested on and says,
        `left_out` with entries that the ledger lacks and status has no room for.
        """
        self._store = store
        self._cluster = cluster
        self._aws = aws
        self._clock = clock
        self._settings = settings
        self._gatherer = gatherer
        self._again = again
        self._hurry = hurry
        self._told = told
        self._meter = meter or NoMeter()
        self._decided = decided
        self._left_out = left_out
        self._memories: dict[ObjectKey, tuple[str, Memory]] = {}

    def forget(self, key: ObjectKey) -> None:
        """A Release is gone."""
        self._memories.pop(key, None)

    def wake(self, key: ObjectKey) -> None:
        """Read anew at the next pass what is read now and then only: something has happened to it."""
        _, memory = self._memories.get(key, ("", None))
        if memory is not None:
            memory.wake()
        self._again(key, 0.0)

    async def reconcile(self, key: ObjectKey) -> None:
        """Make passes over a Release until there is nothing to do at once."""
        body = await self._cluster.get(key)
        if body is None:
            return
        try:
            release = Release.model_validate(body)
        except ValidationError as error:
            log.warning("cannot read Release: %s", error.errors(include_url=False)[0]["msg"], extra={"object": str(key)})
            return
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
        if decision.act is not None:
            decision = await self._act(facts, decision.act, memory)
        release, written = await self._report(key, facts, decision, memory)
        self._decided(facts, decision.status)
        self._hurry(facts, decision.fast)
        again = decision.again_s
        if again is None and not written:
            again = self._settings.counts_interval_s
        if again is None and _may_mend_itself(decision.status):
            again = facts.environment.spec.observation.interval_seconds if facts.environment else self._settings.counts_interval_s
        if facts.target is not None:
            tag_s = self._settings.tag_interval_s if uses(facts.target) else float("inf")
            again = min(tag_s, sweep_s(facts, self._settings), again if again is not None else float("inf"))
        return release, again

    async def _act(self, facts: Facts, act: Act, memory: Memory) -> Decision:
        """Carry out an accepted intent. Whatever becomes of us on the way, its intent is in doubt until it is answered."""
        target, rollout = facts.target, facts.status.rollout
        assert target is not None
        extra = {"object": facts.name, "attempt": rollout.attempt_id if rollout else ""}
        ecs = self._aws.ecs(target.access)
        memory.sending(self._clock.now())
        try:
            match act:
                case Register(content, tags):
                    revision = await ecs.register_task_definition(content, tags)
                    log.info("registered %s", revision.arn, extra=extra)
                    self._answered(memory, facts, attempts.REGISTER, revision.arn)
                    return acts.registered(facts, revision.arn)
                case Update(task_definition, force):
                    started = await ecs.update_service(target.key.cluster, target.key.service, task_definition, force=force)
                    log.info(
                        "ECS service %s goes to %s: deployment %s, request %s",
                        target.key, task_definition, started.deployment_id, started.request_id, extra=extra,
                    )  # fmt: skip
                    self._answered(memory, facts, attempts.UPDATE, started.deployment_id)
                    return acts.updated(facts, started.deployment_id, started.request_id)
                case MoveTags(moves, back):
                    await self._move(facts, target, moves, memory)
                    return acts.tags_returned(facts) if back else acts.tags_moved(facts)
                case Stop(arn):
                    rolls_back = await ecs.stop_service_deployment(arn)
                    log.info(
                        "asked ECS to stop %s: %s", arn or "a deployment", "it rolls back" if rolls_back else "it does not", extra=extra
                    )
                    return acts.stopped(facts, rolls_back=rolls_back)
        except Problem as problem:
            log.warning("%s: %s", problem.reason, problem.message, extra=extra)
            if not isinstance(problem, Ambiguous):
                memory.refused(rollout)
            return acts.failed(facts, problem)

    async def _move(self, facts: Facts, target: Target, moves: tuple[Move, ...], memory: Memory) -> None:
        """Move the environment's tags. Raises Problem; then nobody knows where they point."""
        registry = self._aws.registry(target.registry_access, target.registry_id, target.registry_region)
        memory.tags_time = None
        await asyncio.gather(*(registry.move_tag(m.repository, m.tag, m.digest) for m in moves))
        for move in moves:
            text = "moved tag %s of %s from %s to %s"
            log.info(text, move.tag, move.repository, move.before, move.digest, extra={"object": facts.name})
        # Each was read back.
        moved = {m.repository: m.digest for m in moves}
        memory.tags = {c.name: moved.get(c.repository, (facts.tags or {}).get(c.name, "")) for c in target.containers}
        memory.tags_time = self._clock.now()

    @staticmethod
    def _answered(memory: Memory, facts: Facts, action: str, value: str) -> None:
        rollout = facts.status.rollout
        if rollout is not None and attempts.intends(rollout) == action:
            memory.answered(rollout, action, value)

    async def _report(self, key: ObjectKey, facts: Facts, decision: Decision, memory: Memory) -> tuple[Release, bool]:
        """Write the status where it says something new. Tells whether nothing is held back. Raises Conflict and NotFound."""
        release, status = facts.release, decision.status
        if decision.progress is not None:
            memory.progress = decision.progress
        if decision.waits:
            memory.patient_from = facts.now
        change = compare(release.status, status)
        now = self._clock.monotonic()
        due = decision.fast or now - memory.counts_written >= self._settings.counts_interval_s
        if change is Change.NOTHING or (change is Change.COUNTS and not due):
            return release, change is Change.NOTHING
        # Before: said twice is better than never, should the process end between the two.
        self._left_out(key, decision.left_out)
        body = await self._cluster.write_status(
            key, status.to_kubernetes(), uid=release.metadata.uid, resource_version=release.metadata.resource_version
        )
        memory.counts_written = now
        if _intent(status) != _intent(release.status):
            memory.intend(status.rollout)
        self._store.wrote(body)
        if change is Change.NEWS:
            self._say(key, release.status, status)
            self._told(key)
            found = happenings(release.status, status, facts.now)
            self._meter.happened(key.kind, release.spec.environment_ref.name, found)
        for note in decision.events:
            self._cluster.record(key, release.metadata.uid, note)
        return Release.model_validate(body), True

    def _say(self, key: ObjectKey, before: ReleaseStatus | None, after: ReleaseStatus) -> None:
        """Log one line a decision: where the reason changed."""
        was, now = find(before.conditions if before else None, "Ready"), find(after.conditions, "Ready")
        if now is None or (was is not None and (was.status, was.reason) == (now.status, now.reason)):
            return
        extra = {"object": str(key), "attempt": after.rollout.attempt_id if after.rollout else ""}
        log.info("%s: %s", now.reason, now.message, extra=extra)


def _intent(status: ReleaseStatus | None) -> tuple[str, str]:
    """Name what a status announces: only a new announcement may be acted on without looking first."""
    rollout = status.rollout if status else None
    return (rollout.attempt_id if rollout else "", attempts.intends(rollout))


def _may_mend_itself(status: ReleaseStatus) -> bool:
    """Tell whether something outside may end this state without our being told: an image pushed, a right given."""
    return any((c := find(status.conditions, kind)) is not None and c.status == "True" for kind in ("Reconciling", "Stalled"))
