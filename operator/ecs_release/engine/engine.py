"""The engine: watch events go to the store and, as keys, to the work queue; workers make passes; observers read AWS."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ecs_release.api.conditions import Reason
from ecs_release.api.environment import Environment, ReleaseCounts
from ecs_release.api.names import ENVIRONMENT, PROJECT, RELEASE, RELEASE_SET
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.decision.suspension import environment_suspension
from ecs_release.domain.environments.claims import Admission
from ecs_release.domain.model.conditions import progressing, situation_of_problem
from ecs_release.domain.model.errors import Problem, Retryable
from ecs_release.domain.model.namespaces import Namespaces
from ecs_release.domain.ports.commits import Commits
from ecs_release.domain.ports.ledger import Ledger
from ecs_release.domain.ports.protocols import Aws, Clock, Cluster, ObjectKey
from ecs_release.domain.ports.views import ViewSink
from ecs_release.engine.artifacts.commit_graph import CommitGraph
from ecs_release.engine.artifacts.commit_spans import CommitSpans
from ecs_release.engine.artifacts.image_catalog import ImageCatalog
from ecs_release.engine.artifacts.image_requirements import ImageRequirements
from ecs_release.engine.artifacts.source_resolver import Resolver
from ecs_release.engine.environments.observer_pool import ObserverPool
from ecs_release.engine.environments.promotion_summary import PromotionSummary
from ecs_release.engine.environments.shard_scope import ShardScope
from ecs_release.engine.environments.status_writer import StatusWriter
from ecs_release.engine.failed_pass import FailureReporter
from ecs_release.engine.ledger.record_closer import Closing
from ecs_release.engine.ledger.recorder import Recorder
from ecs_release.engine.metrics_state import EngineState, state_of
from ecs_release.engine.notifications.notifier import Notifier
from ecs_release.engine.observation.event_listener import QueueReader
from ecs_release.engine.release.environment_tag_reader import TagReader
from ecs_release.engine.release.gatherer import Gatherer, key_of
from ecs_release.engine.release.reconciler import Reconciler
from ecs_release.engine.runtime.aws_clock import AwsClock
from ecs_release.engine.runtime.meter import Meter, NoMeter, metered
from ecs_release.engine.runtime.settings import EngineSettings
from ecs_release.engine.runtime.work_queue import Share, WorkQueue
from ecs_release.engine.sets.child_checks import ChildChecks
from ecs_release.engine.sets.gatherer import SetGatherer
from ecs_release.engine.sets.promotion import PromotionResolver
from ecs_release.engine.sets.reconciler import SetReconciler
from ecs_release.engine.sets.resolver import SetResolver
from ecs_release.engine.store.claim_index import ClaimIndex
from ecs_release.engine.store.namespace_labels import NamespaceLabels
from ecs_release.engine.store.references import References
from ecs_release.engine.store.store import ReleaseFacts, Store
from ecs_release.engine.store.watched_cluster import WatchedCluster
from ecs_release.engine.views.sinks import kinds_of_sinks
from ecs_release.engine.views.views import Views
from ecs_release.engine.watch.supervisor import sweep_ghosts, until_synced

log = logging.getLogger(__name__)

KINDS = (ENVIRONMENT, PROJECT, RELEASE_SET, RELEASE)
# Changes of children within this time cause one pass over their set.
_GATHER_S = 0.2
_OBSERVE_S = 0.02
# What is refused can wait, and anybody can have any number of it: its passes leave the API server, and this process, to the others.
_REFUSED_WORKERS = 2


@contextmanager
def _confined(what: str) -> Iterator[None]:
    """Log what goes wrong with one object: the others are served on."""
    try:
        yield
    except Exception:
        log.exception("cannot take in %s", what)


class Engine:
    """Connects the parts of the engine. It is the sink of the watch."""

    def __init__(
        self, cluster: Cluster, aws: Aws, clock: Clock, settings: EngineSettings, meter: Meter | None = None,
        ledger: Ledger | None = None, namespaces: Namespaces | None = None, commits: Commits | None = None,
        sinks: Mapping[tuple[str, str], ViewSink] | None = None,
    ) -> None:  # fmt: skip
        """Nothing happens before `run`. Without `meter` nothing is counted, without `ledger` nothing recorded.

        Without `commits` nothing is known of commits. `sinks` are the connections to sinks of views, by kind and name.
        """
        self._meter = meter or NoMeter()
        self._cluster = cluster
        self._clock = clock = AwsClock(clock)
        self._settings = settings
        self._namespaces = namespaces or Namespaces(settings.namespaces)
        self.store = store = Store()
        self._labels = NamespaceLabels(cluster, clock, self._labels_changed)
        self.claims = ClaimIndex(self.store, self._labels)
        self.claims.on_change = self._claim_changed
        self._scope = ShardScope(self.store, settings)
        self.queue: WorkQueue[ObjectKey] = WorkQueue(clock, self._share_of, {Admission.REFUSED.value: _REFUSED_WORKERS})
        self.synced = asyncio.Event()
        watched = WatchedCluster(cluster, self.store)
        self._failures, commit_spans = FailureReporter(watched, clock), CommitSpans(commits, clock, self._add)
        self._notifier = Notifier(self.store, watched, aws, clock, settings.installation, self._add, commit_spans.listed)
        self.store.on_transition = self._notifier.on_transition
        self.store.on_promotion = self._promotion_changed
        self._views = Views(self.store, watched, clock, settings.installation, kinds_of_sinks(commits, clock), sinks or {}, self._add)
        self.store.on_status = self._views.status_changed
        closing = Closing(settings.installation, store.services_of, store.has_service, self._exists, settings.closing_grace_s)
        self.recorder = Recorder(ledger, closing, clock, self._add, self._ledger_problem_changed)
        self._observers = ObserverPool(
            aws=aws, clock=clock, settings=settings, store=self.store, claims=self.claims, scope=self._scope, again=self._add,
            reread=self._reread, pushed=self._pushed, notifier=self._notifier, recorder=self.recorder, views=self._views,
        )  # fmt: skip
        references, resolver = References(self.store, self.claims, self._labels, watched, self._namespaces), Resolver(aws)
        self.artifacts = ImageCatalog(aws, clock, settings.artifact_interval_s, changed=self._add, may_change=self._may_change)
        tag_reader, self._image_requirements = TagReader(references, aws, settings.tag_interval_s), ImageRequirements(aws, self.artifacts)
        gatherer = Gatherer(
            references, aws, clock, settings, self._observers.get, resolver, tag_reader, self._image_requirements, self.recorder,
            commit_graph := CommitGraph(commits, clock, self._add), commit_spans,
        )  # fmt: skip
        self._reconciler = Reconciler(
            store=self.store, cluster=watched, aws=aws, clock=clock, settings=settings, gatherer=gatherer,
            again=self._add, set_fast=self._observers.set_fast, status_changed=self._status_changed, decided=self._decided,
            meter=self._meter, left_out=self.recorder.write_audit_log,
        )  # fmt: skip
        checks = ChildChecks(references, aws, tag_reader, settings.installation)
        set_resolver = SetResolver(references, aws, self._observers.get, resolver, PromotionResolver(references, watched), checks)
        self._sets = SetReconciler(
            store=self.store, cluster=watched, clock=clock, settings=settings,
            gatherer=SetGatherer(references, watched, clock, settings, set_resolver, commit_graph), again=self._add, meter=self._meter,
        )  # fmt: skip
        self._status_writer = StatusWriter(
            self.store, watched, clock, settings, self._observers.get, self._observers.event_listener.problem, self._notifier,
            self.recorder, self._count, PromotionSummary(store, self.claims.counts), self._views,
        )  # fmt: skip

    # Called by the watch.

    def changed(self, kind: str, body: Mapping[str, Any]) -> None:
        """Store an object, and queue what depends on it."""
        meta = body["metadata"]
        key = ObjectKey(kind, meta.get("namespace", ""), meta["name"])
        if key.namespace and key.namespace not in self._namespaces:
            return  # Left out a moment ago, and the watch has not restarted yet.
        before, set_before = self.store.releases.get(key), self.store.sets.get(key)
        if not self.store.changed(kind, body):
            self._update_counts(key, before)
            return
        if kind == RELEASE_SET and (set_before is None or set_before.uid != meta["uid"]):
            self._owner_changed(key)
        if kind == RELEASE:
            self._release_changed(key, before)
        else:
            self._requeue_dependents(key)
        self._add(key)

    def _release_changed(self, key: ObjectKey, before: ReleaseFacts | None) -> None:
        facts = self.store.releases.get(key)
        if facts is None:
            return  # It cannot be read: its pass says so.
        if before is not None and before.uid != facts.uid:
            self._forget_record(before)  # It was created again, and the watch has missed the deletion.
        self._update_counts(key, before)
        self._status_changed(key)

    def deleted(self, kind: str, namespace: str, name: str, uid: str) -> None:
        """Forget an object (law 9: deleting touches nothing in AWS)."""
        key = ObjectKey(kind, namespace, name)
        facts = self.store.releases.get(key)
        known = facts or self.store.sets.get(key)
        if known is not None and known.uid != uid:
            return
        concerned = self._releases_of(key)
        self._status_changed(key)
        for other_set in self.store.sets_of(key):
            self._add(other_set)
        self.store.deleted(key)
        self.queue.forget(key)
        self._views.deleted(key)
        if facts is not None:
            self._release_deleted(key, facts)
            self._promotion_changed(facts, facts)
        for other in concerned:
            self.claims.refresh(other)
            self._add(other.key)
        if kind == ENVIRONMENT:
            self._observers.stop(name)
        if kind == RELEASE_SET:
            self._sets.forget(key)
            self._owner_changed(key)

    def namespaces_changed(self) -> None:
        """Forget the objects in namespaces without access. Their records are not closed: the objects may still exist."""
        if self.recorder.closer is not None:
            self.recorder.closer.sweep_again()
        for kind in KINDS:
            for namespace, name, uid in self.store.known(kind):
                if namespace and namespace not in self._namespaces:
                    self.deleted(kind, namespace, name, uid)

    async def run(self, leading: asyncio.Event) -> None:
        """Run until cancelled: store watch events from the start, act once `leading` is set."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._work(leading))
                group.create_task(self._once(leading, self.artifacts.run), name="artifacts")
                group.create_task(self._once(leading, self.recorder.run), name="recorder")
                group.create_task(sweep_ghosts(self._cluster, self.store, KINDS, self._ghost, self._settings.ghost_sweep_interval_s))
        except ExceptionGroup as group:
            # An error in one task has cancelled the others.
            raise group.exceptions[0] from group
        finally:
            self._scope.end()
            self._observers.stop_all()
            self._labels.end()

    async def _work(self, leading: asyncio.Event) -> None:
        await until_synced(self._cluster, self.store, KINDS, self._clock, self._settings.sync_timeout_s, self._settings.retry_interval_s)
        log.info("watching %d Environments, %d Projects, %d ReleaseSets, %d Releases", *(self.store.count(k) for k in KINDS))
        self.synced.set()
        await leading.wait()
        for key in list(self._scope.begin()):
            self.queue.add(key)
        for name in list(self.store.environments):
            with _confined(f"Environment {name}"):
                self._observers.observe(name)
        await self.queue.run(metered(self._handle, self._meter, self._clock), self._settings.workers)

    @staticmethod
    async def _once(leading: asyncio.Event, work: Callable[[], Awaitable[None]]) -> None:
        await leading.wait()
        await work()

    def _add(self, key: ObjectKey, after_s: float = 0.0) -> None:
        """Queue an object that the watch has told of: a Project or an Environment that is only named is none."""
        if self.store.knows(key) and self._scope.covers(key):
            self.queue.add(key, after_s)

    async def _handle(self, key: ObjectKey) -> str:
        """Handle a key. Returns the result, for `Meter.reconciled`."""
        if not self._scope.covers(key):
            return "ok"
        try:
            if key.kind == RELEASE:
                await self._reconciler.reconcile(key)
            elif key.kind == RELEASE_SET:
                await self._sets.reconcile(key)
            else:
                handle = self._status_writer.project if key.kind == PROJECT else self._status_writer.environment
                again = await handle(key)
                if again is not None:
                    self._add(key, again)
        except Retryable as problem:
            log.warning("%s", problem.message, extra={"object": str(key)})
            self._add(key, self._settings.retry_interval_s)
            return "retry"
        except Problem as problem:
            log.warning("%s", problem.message, extra={"object": str(key)})
            await self._failures.report(key, situation_of_problem(problem))
            self._add(key, self._settings.counts_interval_s)
            return "problem"
        except Exception as error:
            # A defect of ours: the queue logs it, and makes the pass again.
            text = f"a pass failed, and is made again: {type(error).__name__}: {error}"
            await self._failures.report(key, progressing(Reason.PROGRESSING_WITH_RETRY, text))
            raise
        return "ok"

    def event_queues(self) -> Mapping[str, QueueReader]:
        """Return the event queues by the Environments that name them, for metrics."""
        return self._observers.event_listener.by_environment(self.store)

    def state(self) -> EngineState:
        """Return a snapshot for metrics."""
        conditions = {
            name: found for name, found in self._status_writer.conditions().items() if self._scope.covers(ObjectKey(ENVIRONMENT, "", name))
        }
        left_out, admission = self._namespaces.left_out, self.claims.admission
        return state_of(self.store, self.queue, self._observers.all, conditions, self.recorder, left_out, admission, self._views.states())

    # Dependencies between objects.

    def _share_of(self, key: ObjectKey) -> Share:
        """Return whose turn a key waits for: Environments take turns, in each its namespaces; those that are refused are by themselves."""
        facts = self.store.releases.get(key)
        if facts is None:
            return Share(key.kind, key.namespace)
        refused = self.claims.admission(key) is Admission.REFUSED
        return Share(Admission.REFUSED.value if refused else facts.environment, key.namespace)

    def _releases_of(self, key: ObjectKey) -> list[ReleaseFacts]:
        if key.kind == PROJECT:
            return self.store.of_project(key.namespace, key.name)
        return self.store.of_environment(key.name) if key.kind == ENVIRONMENT else []

    def _requeue_dependents(self, key: ObjectKey) -> None:
        """Queue what depends on a Project or an Environment: the targets of its Releases may have changed."""
        environments = {key.name} if key.kind == ENVIRONMENT else set()
        for its_set in self.store.sets_of(key):
            self._add(its_set)
        for facts in self._releases_of(key):
            self.claims.refresh(facts)
            environments.add(facts.environment)
            self._add(facts.key)
        for name in environments:
            self._observers.observe_soon(name)
        for name in self._promoted_from(key.name) if key.kind == ENVIRONMENT else ():
            self._add(ObjectKey(ENVIRONMENT, "", name))
        self._views.object_changed(key)

    def _labels_changed(self, namespace: str) -> None:
        for facts in self.store.of_namespace(namespace):
            self.claims.refresh(facts)

    def _claim_changed(self, environment: str, releases: list[ObjectKey]) -> None:
        """Queue the Releases that another claim concerns, and have the services observed that are claimed now."""
        for key in releases:
            self._add(key)
        self._observers.observe_soon(environment)
        if self.synced.is_set():
            self._add(ObjectKey(ENVIRONMENT, "", environment), 1.0)

    def _owner_changed(self, key: ObjectKey) -> None:
        """Look again whether the Releases that name a ReleaseSet as their controller are its own."""
        for facts in self.store.of_set(key):
            self.claims.refresh(facts)

    def _count(self, environment: str) -> ReleaseCounts | None:
        return self.claims.counts.counts(environment, self._labels.is_given_up)

    def _status_changed(self, key: ObjectKey) -> None:
        """Queue the set of a Release whose status changed."""
        facts = self.store.releases.get(key)
        if facts is not None and facts.release_set:
            self._add(ObjectKey(RELEASE_SET, key.namespace, facts.release_set), _GATHER_S)

    def _promoted_from(self, environment: str) -> list[str]:
        return [name for name in self.store.environments if self.store.promotes_from(name) == environment]

    def _promotion_changed(self, before: ReleaseFacts | None, facts: ReleaseFacts) -> None:
        """Queue what goes by the promotions from or into a Release: its Environment, and the Releases that it may be promoted to."""
        if (before.overdue if before is not None else None) != facts.overdue:
            self._add(ObjectKey(ENVIRONMENT, "", facts.environment), 1.0)
        own = [facts.environment] if self.store.promotes_from(facts.environment) else []
        for name in (*own, *self._promoted_from(facts.environment)):
            for other in self.store.of_service_in(name, facts.key.namespace, facts.project, facts.service):
                self._add(other.key)

    def _update_counts(self, key: ObjectKey, before: ReleaseFacts | None) -> None:
        """Queue the Project and the Environment of a Release if their counts changed."""
        after = self.store.releases.get(key)
        if after is None or not self.synced.is_set():
            return
        if before is None:
            self._add(Store.project_key(after), 1.0)
        if before is None or (before.phase, before.ready) != (after.phase, after.ready):
            self._add(ObjectKey(ENVIRONMENT, "", after.environment), 1.0)

    def _release_deleted(self, key: ObjectKey, facts: ReleaseFacts) -> None:
        """Forget a Release. Those that claim the same service are queued: one of them may hold it now."""
        self._forget_record(facts)
        self.claims.forget(key)
        self._reconciler.forget(key)
        self.artifacts.forget(key)
        self._add(Store.project_key(facts), 1.0)

    def _forget_record(self, facts: ReleaseFacts) -> None:
        is_known = self._scope.keeps_record(facts.environment) and facts.key.namespace in self._namespaces
        (self.recorder.release_deleted if is_known else self.recorder.forget)(facts)

    def _decided(self, facts: Facts, status: ReleaseStatus) -> None:
        self._image_requirements.update(facts, status)
        self.recorder.record_status(key_of(facts.release), facts, status)

    async def _exists(self, key: ObjectKey) -> bool:
        return key.namespace not in self._namespaces or await self._cluster.get(key) is not None

    def _ledger_problem_changed(self) -> None:
        for name in self._observers.all:
            self._add(ObjectKey(ENVIRONMENT, "", name))

    def _reread(self, key: ObjectKey) -> None:
        self._reconciler.reread(key)

    def _pushed(self, registry_id: str, region: str, repository: str) -> None:
        self.artifacts.look_up_again(registry_id, region, repository)

    def _ghost(self, key: ObjectKey, uid: str) -> None:
        with _confined(f"{key.kind} {key}"):
            self.deleted(key.kind, key.namespace, key.name, uid)

    def _may_change(self, key: ObjectKey) -> bool:
        """Return whether a Release's Environment permits changes in AWS just now."""
        facts = self.store.releases.get(key)
        environment = self.store.environments.get(facts.environment) if facts else None
        permits = isinstance(environment, Environment) and environment_suspension(environment, self._clock.now()) is None
        return permits and self._scope.covers(key)
