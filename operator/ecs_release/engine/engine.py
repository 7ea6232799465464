"""The engine: what the watch tells goes to the store and, as a key, to the queue; workers make passes; observers look at AWS."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ecs_release.api.environment import Environment
from ecs_release.api.names import ENVIRONMENT, PROJECT, RELEASE, RELEASE_SET
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.model.errors import Problem, Retryable
from ecs_release.domain.model.namespaces import Namespaces
from ecs_release.domain.ports.ledger import Ledger
from ecs_release.domain.ports.protocols import Aws, Clock, Cluster, ObjectKey
from ecs_release.engine.artifacts.image_catalog import Artifacts
from ecs_release.engine.artifacts.image_requirements import Needs
from ecs_release.engine.artifacts.source_resolver import Resolver
from ecs_release.engine.environments.observer_pool import Observers
from ecs_release.engine.environments.shard_scope import Scope
from ecs_release.engine.environments.status_writer import Statuses
from ecs_release.engine.ledger.recorder import Recorder
from ecs_release.engine.metrics_state import EngineState, state_of
from ecs_release.engine.notifications.notifier import Notifier
from ecs_release.engine.observation.event_listener import Listener
from ecs_release.engine.release.environment_tag_reader import TagReader
from ecs_release.engine.release.gatherer import Gatherer, key_of
from ecs_release.engine.release.reconciler import Reconciler
from ecs_release.engine.runtime.meter import Meter, NoMeter, metered
from ecs_release.engine.runtime.settings import EngineSettings
from ecs_release.engine.runtime.work_queue import KeyedQueue
from ecs_release.engine.sets.gatherer import SetGatherer
from ecs_release.engine.sets.promotion import Promoter
from ecs_release.engine.sets.reconciler import SetReconciler
from ecs_release.engine.sets.resolver import Pinner
from ecs_release.engine.store.claim_index import Claims
from ecs_release.engine.store.references import Places
from ecs_release.engine.store.store import ReleaseFacts, Store
from ecs_release.engine.watch.supervisor import sweep_ghosts, until_told

log = logging.getLogger(__name__)

KINDS = (ENVIRONMENT, PROJECT, RELEASE_SET, RELEASE)
# Children that move together are looked at together.
_GATHER_S = 0.2
_OBSERVE_S = 0.02


class Engine:
    """Everything that happens, given a cluster and AWS. It is the watch's sink."""

    def __init__(
        self, cluster: Cluster, aws: Aws, clock: Clock, settings: EngineSettings, meter: Meter | None = None,
        ledger: Ledger | None = None, namespaces: Namespaces | None = None,
    ) -> None:  # fmt: skip
        """Nothing happens before `run`. `meter` is told of what happens, `ledger` keeps it; `namespaces` are those of `settings`."""
        self._meter = meter or NoMeter()
        self._cluster = cluster
        self._clock = clock
        self._settings = settings
        self._namespaces = namespaces or Namespaces(settings.namespaces)
        self.store = store = Store()
        self.claims = Claims(self.store)
        self._scope = Scope(self.store, settings)
        self.queue: KeyedQueue[ObjectKey] = KeyedQueue(clock, self._environment_of)
        self.synced = asyncio.Event()
        self._notifier = Notifier(self.store, cluster, aws, clock, settings.installation, self._add)
        self.store.on_happened = self._notifier.happened
        self.recorder = Recorder(ledger, clock, self._add, self._ledger_troubled)
        self.recorder.closer.about(settings.installation, store.services_of, self._exists, store.has_service, settings.closing_grace_s)
        self._observers = Observers(
            aws=aws, clock=clock, settings=settings, store=self.store, claims=self.claims, scope=self._scope, again=self._add,
            wake=self._wake, pushed=self._pushed, notifier=self._notifier, recorder=self.recorder,
        )  # fmt: skip
        places, resolver = Places(self.store, self.claims, cluster, self._namespaces), Resolver(aws)
        self.artifacts = Artifacts(aws, clock, settings.artifact_interval_s, changed=self._add, may_change=self._may_change)
        tag_reader, self._needs = TagReader(places, aws, settings.tag_interval_s), Needs(aws, self.artifacts)
        gatherer = Gatherer(places, aws, clock, settings, self._observers.get, resolver, tag_reader, self._needs, self.recorder)
        self._reconciler = Reconciler(
            store=self.store, cluster=cluster, aws=aws, clock=clock, settings=settings, gatherer=gatherer,
            again=self._add, hurry=self._observers.hurry, told=self._told, decided=self._decided, meter=self._meter,
            left_out=self.recorder.left_out,
        )  # fmt: skip
        pinner = Pinner(places, aws, self._observers.get, resolver, Promoter(places, cluster))
        self._sets = SetReconciler(
            store=self.store, cluster=cluster, clock=clock, settings=settings,
            gatherer=SetGatherer(places, cluster, clock, settings, pinner), again=self._add, meter=self._meter,
        )  # fmt: skip
        self._statuses = Statuses(
            self.store, cluster, clock, settings, self._observers.get, self._observers.listening.problem, self._notifier, self.recorder
        )

    # What the watch tells.

    def changed(self, kind: str, body: Mapping[str, Any]) -> None:
        """Take in an object that is there."""
        meta = body["metadata"]
        key = ObjectKey(kind, meta.get("namespace", ""), meta["name"])
        if key.namespace and key.namespace not in self._namespaces:
            return  # Left out a moment ago, and the watch has not ended yet.
        before = self.store.releases.get(key)
        if not self.store.changed(kind, body):
            self._counted(key, before)
            return
        if kind == RELEASE:
            facts = self.store.releases[key]
            if before is not None and before.uid != facts.uid:
                self._gone(before)  # It was made again, and nobody has told of the deletion.
            self.claims.refresh(facts)
            self._observers.observe_soon(facts.environment)
            self._counted(key, before)
            self._told(key)
        else:
            self._concerned(key)
        self._add(key)

    def deleted(self, kind: str, namespace: str, name: str, uid: str) -> None:
        """Forget an object. Nothing in AWS is touched (law 9)."""
        key = ObjectKey(kind, namespace, name)
        facts = self.store.releases.get(key)
        known = facts or self.store.sets.get(key)
        if known is not None and known.uid != uid:
            return
        concerned = self._releases_of(key)
        self._told(key)
        for other_set in self.store.sets_of(key):
            self._add(other_set)
        self.store.deleted(key)
        self.queue.forget(key)
        if facts is not None:
            self._released(key, facts)
        for other in concerned:
            self.claims.refresh(other)
            self._add(other.key)
        if kind == ENVIRONMENT:
            self._observers.stop(name)
        if kind == RELEASE_SET:
            self._sets.forget(key)

    def reach_changed(self) -> None:
        """Forget what is in namespaces that may not be looked into, closing no record: that is done once they may be, of what has gone."""
        self.recorder.closer.sweep_again()
        for kind in KINDS:
            for namespace, name, uid in self.store.known(kind):
                if namespace and namespace not in self._namespaces:
                    self.deleted(kind, namespace, name, uid)

    async def run(self, leading: asyncio.Event) -> None:
        """Work until cancelled: take in what the watch tells from the beginning, act once `leading` is set."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._work(leading))
                group.create_task(self._once(leading, self.artifacts.run), name="artifacts")
                group.create_task(self._once(leading, self.recorder.run), name="recorder")
                group.create_task(sweep_ghosts(self._cluster, self.store, KINDS, self._ghost, self._settings.ghost_sweep_interval_s))
        except ExceptionGroup as group:
            # One task's error has ended the others.
            raise group.exceptions[0] from group
        finally:
            self._scope.end()
            self._observers.stop_all()

    async def _work(self, leading: asyncio.Event) -> None:
        await until_told(self._cluster, self.store, KINDS, self._clock, self._settings.sync_timeout_s, self._settings.retry_interval_s)
        log.info("watching %d Environments, %d Projects, %d ReleaseSets, %d Releases", *(self.store.count(k) for k in KINDS))
        self.synced.set()
        await leading.wait()
        for key in list(self._scope.begin()):
            self.queue.add(key)
        for name in list(self.store.environments):
            self._observers.observe(name)
        await self.queue.run(metered(self._handle, self._meter, self._clock), self._settings.workers)

    @staticmethod
    async def _once(leading: asyncio.Event, work: Callable[[], Awaitable[None]]) -> None:
        await leading.wait()
        await work()

    def _add(self, key: ObjectKey, after_s: float = 0.0) -> None:
        if self._scope.covers(key):
            self.queue.add(key, after_s)

    async def _handle(self, key: ObjectKey) -> str:
        """Work on a key. Returns how it went, for `Meter.reconciled`."""
        if not self._scope.covers(key):
            return "ok"
        try:
            if key.kind == RELEASE:
                await self._reconciler.reconcile(key)
            elif key.kind == RELEASE_SET:
                await self._sets.reconcile(key)
            else:
                handle = self._statuses.project if key.kind == PROJECT else self._statuses.environment
                again = await handle(key)
                if again is not None:
                    self._add(key, again)
        except Retryable as problem:
            log.warning("%s", problem.message, extra={"object": str(key)})
            self._add(key, self._settings.retry_interval_s)
            return "retry"
        except Problem as problem:
            log.warning("%s", problem.message, extra={"object": str(key)})
            self._add(key, self._settings.counts_interval_s)
            return "problem"
        return "ok"

    def event_queues(self) -> Mapping[str, Listener]:
        """Return the event queues by the Environments that name them, for metrics."""
        return self._observers.listening.by_environment(self.store)

    def state(self) -> EngineState:
        """Return what metrics tell of how things stand."""
        said = {name: told for name, told in self._statuses.said().items() if self._scope.covers(ObjectKey(ENVIRONMENT, "", name))}
        return state_of(self.store, self.queue, self._observers.all, said, self.recorder, self._namespaces.left_out)

    # What depends on what.

    def _environment_of(self, key: ObjectKey) -> str:
        facts = self.store.releases.get(key)
        return facts.environment if facts else key.kind

    def _releases_of(self, key: ObjectKey) -> list[ReleaseFacts]:
        if key.kind == PROJECT:
            return self.store.of_project(key.namespace, key.name)
        return self.store.of_environment(key.name) if key.kind == ENVIRONMENT else []

    def _concerned(self, key: ObjectKey) -> None:
        """A Project or an Environment has changed: so have, perhaps, the targets of its Releases."""
        environments = {key.name} if key.kind == ENVIRONMENT else set()
        for its_set in self.store.sets_of(key):
            self._add(its_set)
        for facts in self._releases_of(key):
            self.claims.refresh(facts)
            environments.add(facts.environment)
            self._add(facts.key)
        for name in environments:
            self._observers.observe_soon(name)

    def _told(self, key: ObjectKey) -> None:
        """A Release says something new: so does, perhaps, the set that it belongs to."""
        facts = self.store.releases.get(key)
        if facts is not None and facts.release_set:
            self._add(ObjectKey(RELEASE_SET, key.namespace, facts.release_set), _GATHER_S)

    def _counted(self, key: ObjectKey, before: ReleaseFacts | None) -> None:
        """A Release came, or stands otherwise than before: its Project and Environment count it."""
        after = self.store.releases.get(key)
        if after is None or not self.synced.is_set():
            return
        if before is None:
            self._add(Store.project_key(after), 1.0)
        if before is None or (before.phase, before.ready) != (after.phase, after.ready):
            self._add(ObjectKey(ENVIRONMENT, "", after.environment), 1.0)

    def _released(self, key: ObjectKey, facts: ReleaseFacts) -> None:
        """A Release is gone: whoever claims the same service may hold it now."""
        self._gone(facts)
        service = next((s for s in self.claims.observed(facts.environment) if key in self.claims.releases_of(s)), None)
        self.claims.forget(key)
        self._reconciler.forget(key)
        self.artifacts.forget(key)
        for other in self.claims.releases_of(service) if service else ():
            self._add(other)
        self._observers.observe_soon(facts.environment)
        self._add(Store.project_key(facts), 1.0)

    def _gone(self, facts: ReleaseFacts) -> None:
        is_known = self._scope.keeps_record(facts.environment) and facts.key.namespace in self._namespaces
        (self.recorder.gone if is_known else self.recorder.forget)(facts)

    def _decided(self, facts: Facts, status: ReleaseStatus) -> None:
        self._needs.tell(facts, status)
        self.recorder.decided(key_of(facts.release), facts, status)

    async def _exists(self, key: ObjectKey) -> bool:
        return key.namespace not in self._namespaces or await self._cluster.get(key) is not None

    def _ledger_troubled(self) -> None:
        for name in self._observers.all:
            self._add(ObjectKey(ENVIRONMENT, "", name))

    def _wake(self, key: ObjectKey) -> None:
        self._reconciler.wake(key)

    def _pushed(self, registry_id: str, region: str, repository: str) -> None:
        self.artifacts.look_again(registry_id, region, repository)

    def _ghost(self, key: ObjectKey, uid: str) -> None:
        self.deleted(key.kind, key.namespace, key.name, uid)

    def _may_change(self, key: ObjectKey) -> bool:
        """Tell whether a Release's Environment lets anything in AWS be changed just now."""
        facts = self.store.releases.get(key)
        environment = self.store.environments.get(facts.environment) if facts else None
        lets = isinstance(environment, Environment) and environment.spec.mode == "Deploy" and environment.spec.suspend is None
        return lets and self._scope.covers(key)
