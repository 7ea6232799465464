"""The observers, event queues and notification sinks of the Environments that this process acts on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ecs_release.api.environment import Environment
from ecs_release.api.names import ENVIRONMENT
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ecs.service import ServiceKey
from ecs_release.domain.environments.targets import access_of
from ecs_release.domain.ports.protocols import Aws, ObjectKey
from ecs_release.engine.environments.shard_scope import ShardScope
from ecs_release.engine.ledger.recorder import Recorder
from ecs_release.engine.notifications.notifier import Notifier
from ecs_release.engine.observation.event_listener import EventListener
from ecs_release.engine.observation.event_router import EventRouter
from ecs_release.engine.observation.observer import Observer
from ecs_release.engine.runtime.aws_clock import AwsClock
from ecs_release.engine.runtime.settings import EngineSettings
from ecs_release.engine.store.claim_index import ClaimIndex
from ecs_release.engine.store.store import Store
from ecs_release.engine.views.views import Views

log = logging.getLogger(__name__)

_SOON_S, _EACH_S = 0.02, 0.00005
"""An update looks at all services of an Environment: the more these are, the rarer it is, so that it never takes much of the time."""


class ObserverPool:
    """One observer for each Environment, updated as Environments, Projects and Releases change."""

    def __init__(
        self,
        *,
        aws: Aws,
        clock: AwsClock,
        settings: EngineSettings,
        store: Store,
        claims: ClaimIndex,
        scope: ShardScope,
        again: Callable[[ObjectKey], None],
        reread: Callable[[ObjectKey], None],
        pushed: Callable[[str, str, str], None],
        notifier: Notifier,
        recorder: Recorder,
        views: Views,
    ) -> None:
        """`again` queues an object; `reread` makes a Release read tags and newer revisions at its next pass.

        `pushed` is called with registry, region and repository of an image that was pushed or deleted.
        """
        self.all: dict[str, Observer] = {}
        self.event_listener = EventListener(
            aws, clock, EventRouter(store, claims, self.get, reread, pushed).route, self._queue_problem_changed
        )
        self._notifier = notifier
        self._recorder = recorder
        self._views = views
        self._aws = aws
        self._clock = clock
        self._settings = settings
        self._store = store
        self._claims = claims
        self._scope = scope
        self._again = again
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._due: set[str] = set()

    def get(self, name: str) -> Observer | None:
        """Find an Environment's observer."""
        return self.all.get(name)

    def observe_soon(self, name: str) -> None:
        """Update an Environment's observer soon: thousands of Releases may arrive at once, and each changes the list of services."""
        if self._scope.acting and name not in self._due:
            self._due.add(name)
            observer = self.all.get(name)
            count = len(observer.services) if observer is not None else 0
            asyncio.get_running_loop().call_later(max(_SOON_S, _EACH_S * count), self.observe, name)

    def observe(self, name: str) -> None:
        """Update an Environment's observer."""
        self._due.discard(name)
        environment = self._store.environments.get(name)
        if not isinstance(environment, Environment):
            return
        if not self._scope.covers(ObjectKey(ENVIRONMENT, "", name)):
            self.stop(name)
            return
        observer = self.all.get(name)
        if observer is None:
            observer = Observer(
                name, self._aws, self._clock, self._settings,
                changed=self._service_changed, swept=self._swept, told_time=self._clock.told,
                swept_before=environment.status.last_sweep_time if environment.status else None,
            )  # fmt: skip
            self.all[name] = observer
            self._tasks[name] = asyncio.create_task(self._keep_observing(observer), name=f"observer {name}")
        observer.interval_s = float(environment.spec.observation.interval_seconds)
        observer.set_targets(access_of(environment), self._claims.services_in(name))
        self._set_queues_and_sinks()

    def stop(self, name: str) -> None:
        """Stop observing an Environment."""
        self.all.pop(name, None)
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()
        self._set_queues_and_sinks()

    def stop_all(self) -> None:
        """Stop everything."""
        for name in list(self._tasks):
            self.stop(name)
        self.event_listener.set_queues({})
        self._notifier.keep(())
        self._views.stop()

    def set_fast(self, facts: Facts, fast: bool) -> None:  # noqa: FBT001
        """Set whether a Release's service is observed every few seconds."""
        observer = self.all.get(facts.place.environment.metadata.name) if facts.place.environment is not None else None
        if observer is not None and facts.place.target is not None:
            observer.set_fast(facts.place.target.key, fast=fast)

    def _set_queues_and_sinks(self) -> None:
        """Set the event queues and sinks to those that the observed Environments name."""
        named = [e for name in self.all if isinstance(e := self._store.environments.get(name), Environment)]
        self._notifier.keep(named)
        self._views.keep(named)
        if self._recorder.closer is not None:
            self._recorder.closer.sweep(e.metadata.name for e in named)
        self.event_listener.set_queues({url: access_of(e) for e in named if (url := e.spec.observation.event_queue_url)})

    def _queue_problem_changed(self, url: str) -> None:
        for name, environment in self._store.environments.items():
            if isinstance(environment, Environment) and environment.spec.observation.event_queue_url == url:
                self._again(ObjectKey(ENVIRONMENT, "", name))

    async def _keep_observing(self, observer: Observer) -> None:
        """Run an observer until cancelled; after a defect of ours, log it and start the observer again."""
        while True:
            try:
                await observer.run()
            except Exception:
                log.exception("observing stopped; it begins again", extra={"environment": observer.environment})
            await asyncio.sleep(self._settings.retry_interval_s)

    def _service_changed(self, service: ServiceKey) -> None:
        for key in self._claims.releases_of(service):
            self._again(key)

    def _swept(self, observer: Observer) -> None:
        self._again(ObjectKey(ENVIRONMENT, "", observer.environment))
