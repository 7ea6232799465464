"""One pass over a ReleaseSet: gather, decide, write the status and, once that is accepted, the children."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ecs_release.api.names import RELEASE
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.api.releaseset_status import ReleaseSetStatus
from ecs_release.domain.model.conditions import find
from ecs_release.domain.model.errors import Conflict, NotFound
from ecs_release.domain.model.parsing import read_object
from ecs_release.domain.notifications.transitions import set_transitions
from ecs_release.domain.ports.protocols import Clock, Cluster, ObjectKey
from ecs_release.domain.release.status_diff import Change, compare
from ecs_release.domain.sets.decide import decide_set
from ecs_release.domain.sets.decision import Create, Delete, Replace, SetDecision, Write
from ecs_release.engine.runtime.meter import Meter, NoMeter
from ecs_release.engine.runtime.settings import EngineSettings
from ecs_release.engine.sets.gatherer import SetGatherer
from ecs_release.engine.store.store import Store

log = logging.getLogger(__name__)

_PASSES = 6
_AT_ONCE = 8


class SetReconciler:
    """Makes passes over ReleaseSets."""

    def __init__(
        self,
        *,
        store: Store,
        cluster: Cluster,
        clock: Clock,
        settings: EngineSettings,
        gatherer: SetGatherer,
        again: Callable[[ObjectKey, float], None],
        meter: Meter | None = None,
    ) -> None:
        """`again` queues a set after some seconds."""
        self._store = store
        self._cluster = cluster
        self._clock = clock
        self._settings = settings
        self._gatherer = gatherer
        self._again = again
        self._meter = meter or NoMeter()
        self._counts_written: dict[ObjectKey, float] = {}

    def forget(self, key: ObjectKey) -> None:
        """Forget a deleted set."""
        self._counts_written.pop(key, None)

    async def reconcile(self, key: ObjectKey) -> None:
        """Make passes over a set until nothing is left to do at once. Raises Problem if it, or a child, cannot be read."""
        body = await self._cluster.get(key)
        if body is None:
            return
        release_set = read_object(ReleaseSet, body)
        if release_set.metadata.deletion_timestamp is not None:
            return
        try:
            for _ in range(_PASSES):
                release_set, again_s = await self._pass(key, release_set)
                if again_s != 0:
                    break
            if again_s is not None:
                self._again(key, max(again_s, 0.05))
        except Conflict:
            log.debug("an object has changed meanwhile: gathering again", extra={"object": str(key)})
            self._again(key, 0.2)
        except NotFound:
            return

    async def _pass(self, key: ObjectKey, release_set: ReleaseSet) -> tuple[ReleaseSet, float | None]:
        """Make one pass. Returns the set as written, and after how many seconds to make the next (0: at once, None: after an event)."""
        facts = await self._gatherer.gather(release_set)
        decision = decide_set(facts)
        await self._carry_out(key, decision.requests)
        before = _held_by(release_set.status)
        release_set, held_back = await self._report(key, release_set, decision)
        if _held_by(decision.status) != before:
            # A child that waits without being told anything new then (its status was lost, the set was suspended) has no event of its own.
            children = (ObjectKey(RELEASE, key.namespace, s.release or "") for s in decision.status.services or ())
            for child in children:
                if child in self._store.releases:
                    self._again(child, 0.05)
        await self._carry_out(key, decision.writes)
        again = 0.0 if decision.writes or decision.requests else decision.again_s
        status = decision.status
        if again is None and any((c := find(status.conditions, kind)) is not None and c.status == "True" for kind in _MENDING):
            again = facts.interval_s
        if held_back:
            again = min(again if again is not None else float("inf"), self._settings.counts_interval_s)
        return release_set, again

    async def _report(self, key: ObjectKey, release_set: ReleaseSet, decision: SetDecision) -> tuple[ReleaseSet, bool]:
        """Write the status if it changed. Returns also whether a change is held back. Raises Conflict and NotFound."""
        change = compare(release_set.status, decision.status)
        now = self._clock.monotonic()
        due = now - self._counts_written.get(key, float("-inf")) >= self._settings.counts_interval_s
        if change is Change.NOTHING or (change is Change.COUNTS and not due):
            return release_set, change is Change.COUNTS
        meta = release_set.metadata
        body = await self._cluster.write_status(key, decision.status.to_kubernetes(), uid=meta.uid, resource_version=meta.resource_version)
        self._counts_written[key] = now
        self._store.wrote(body)
        self._log_reason(key, release_set, decision)
        found = set_transitions(release_set.status, decision.status)
        self._meter.happened(key.kind, release_set.spec.environment_ref.name, found)
        for note in decision.events:
            self._cluster.record(key, meta.uid, note)
        return read_object(ReleaseSet, body), False

    async def _carry_out(self, key: ObjectKey, writes: tuple[Write, ...]) -> None:
        """Write children concurrently; a failed write does not prevent the others. Raises the first failure."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(write: Write) -> None:
            async with gate:
                await self._write(key, write)

        outcomes = await asyncio.gather(*(one(w) for w in writes), return_exceptions=True)
        failures = [o for o in outcomes if isinstance(o, BaseException)]
        if failures:
            raise next((f for f in failures if not isinstance(f, Conflict | NotFound)), Conflict("a child has changed meanwhile"))

    async def _write(self, key: ObjectKey, write: Write) -> None:
        extra = {"object": str(key)}
        match write:
            case Create(service, body):
                child = ObjectKey(RELEASE, key.namespace, str(body["metadata"]["name"]))
                await self._cluster.create(child, body)
                log.info("created Release %s of service %s", child.name, service, extra=extra)
            case Replace(service, child_, body):
                child = ObjectKey(RELEASE, key.namespace, child_.name)
                await self._cluster.replace(child, body)
                log.info("told Release %s of service %s", child.name, service, extra=extra)
            case Delete(service, child_):
                child = ObjectKey(RELEASE, key.namespace, child_.name)
                meta = child_.release.metadata
                await self._cluster.delete(child, uid=meta.uid, resource_version=meta.resource_version)
                log.info("deleted Release %s: service %s left the set, nothing in AWS is touched", child.name, service, extra=extra)

    @staticmethod
    def _log_reason(key: ObjectKey, release_set: ReleaseSet, decision: SetDecision) -> None:
        """Log the decision if the reason changed."""
        was = find(release_set.status.conditions if release_set.status else None, "Ready")
        now = find(decision.status.conditions, "Ready")
        if now is not None and (was is None or (was.status, was.reason) != (now.status, now.reason)):
            log.info("%s: %s", now.reason, now.message, extra={"object": str(key)})


def _held_by(status: ReleaseSetStatus | None) -> object:
    """Return what changes whenever children may begin what they waited with: a wave opens, or the spec is not suspended any more."""
    return status and (status.observed_generation, [wave.state for wave in status.waves or ()])


_MENDING = ("Reconciling", "Stalled")
