"""Which Environments are observed, and whose event queues are listened to: those that this process acts on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ecs_release.api.environment import Environment
from ecs_release.api.names import ENVIRONMENT
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ecs.service import ServiceKey
from ecs_release.domain.environments.targets import access_of
from ecs_release.domain.ports.protocols import Aws, Clock, ObjectKey
from ecs_release.engine.environments.shard_scope import Scope
from ecs_release.engine.ledger.recorder import Recorder
from ecs_release.engine.notifications.notifier import Notifier
from ecs_release.engine.observation.event_listener import Listening
from ecs_release.engine.observation.event_router import Wakener
from ecs_release.engine.observation.observer import Observer
from ecs_release.engine.runtime.settings import EngineSettings
from ecs_release.engine.store.claim_index import Claims
from ecs_release.engine.store.store import Store

log = logging.getLogger(__name__)

_SOON_S = 0.02


class Observers:
    """One observer an Environment, kept as Environments, Projects and Releases change."""

    def __init__(
        self,
        *,
        aws: Aws,
        clock: Clock,
        settings: EngineSettings,
        store: Store,
        claims: Claims,
        scope: Scope,
        again: Callable[[ObjectKey], None],
        wake: Callable[[ObjectKey], None],
        pushed: Callable[[str, str, str], None],
        notifier: Notifier,
        recorder: Recorder,
    ) -> None:
        """`again` has an object looked at; `wake` has a Release read anew what it reads now and then.

        `pushed` is told of a registry, its region and a repository where an image has come or gone.
        """
        self.all: dict[str, Observer] = {}
        self.listening = Listening(aws, clock, Wakener(store, claims, self.get, wake, pushed).heard, self._troubled)
        self._notifier = notifier
        self._recorder = recorder
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
        """Have an Environment's services observed in a moment: Releases may come by the thousand, and each changes the list."""
        if self._scope.acting and name not in self._due:
            self._due.add(name)
            asyncio.get_running_loop().call_later(_SOON_S, self.observe, name)

    def observe(self, name: str) -> None:
        """Have an Environment's services observed as it says now."""
        self._due.discard(name)
        environment = self._store.environments.get(name)
        if not isinstance(environment, Environment):
            return
        if not self._scope.covers(ObjectKey(ENVIRONMENT, "", name)):
            self.stop(name)
            return
        observer = self.all.get(name)
        if observer is None:
            observer = Observer(name, self._aws, self._clock, self._settings, changed=self._moved, swept=self._swept)
            self.all[name] = observer
            self._tasks[name] = asyncio.create_task(self._keep_observing(observer), name=f"observer {name}")
        observer.interval_s = float(environment.spec.observation.interval_seconds)
        observer.watch(access_of(environment), self._claims.observed(name))
        self._listen()

    def stop(self, name: str) -> None:
        """Observe an Environment no longer."""
        self.all.pop(name, None)
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()
        self._listen()

    def stop_all(self) -> None:
        """Observe nothing any more."""
        for name in list(self._tasks):
            self.stop(name)
        self.listening.keep({})
        self._notifier.keep(())

    def hurry(self, facts: Facts, fast: bool) -> None:  # noqa: FBT001
        """Have a Release's service observed often, or no longer."""
        observer = self.all.get(facts.environment.metadata.name) if facts.environment is not None else None
        if observer is not None and facts.target is not None:
            observer.hurry(facts.target.key, fast=fast)

    def _listen(self) -> None:
        """Listen to the queues that the observed Environments name, and notify their sinks."""
        named = [e for name in self.all if isinstance(e := self._store.environments.get(name), Environment)]
        self._notifier.keep(named)
        self._recorder.closer.sweep(e.metadata.name for e in named)
        self.listening.keep({url: access_of(e) for e in named if (url := e.spec.observation.event_queue_url)})

    def _troubled(self, url: str) -> None:
        for name, environment in self._store.environments.items():
            if isinstance(environment, Environment) and environment.spec.observation.event_queue_url == url:
                self._again(ObjectKey(ENVIRONMENT, "", name))

    async def _keep_observing(self, observer: Observer) -> None:
        """Run an observer until cancelled: an error of ours must not leave an environment unobserved without a word."""
        while True:
            try:
                await observer.run()
            except Exception:
                log.exception("observing stopped; it begins again", extra={"environment": observer.environment})
            await asyncio.sleep(self._settings.retry_interval_s)

    def _moved(self, service: ServiceKey) -> None:
        for key in self._claims.releases_of(service):
            self._again(key)

    def _swept(self, observer: Observer) -> None:
        self._again(ObjectKey(ENVIRONMENT, "", observer.environment))
