"""Tells each Environment's sink what happens: one bounded queue and one task an Environment, and nobody ever waits for them.

At least once, over crashes too: a status that was accepted tells what happened, and `status.notifiedTime` of the Environment until when
the sink has accepted everything. What happened since is told (again) at the start, and whenever the queue has overflowed.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from ecs_release.api.conditions import ConditionType, Reason
from ecs_release.api.environment import Environment
from ecs_release.api.meta import to_time
from ecs_release.api.names import ENVIRONMENT, RELEASE
from ecs_release.api.notification import Notification
from ecs_release.api.project import Project
from ecs_release.api.release import Release
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.domain.ecs.service import Access
from ecs_release.domain.environments.targets import access_of
from ecs_release.domain.model.conditions import FALSE, TRUE, UNKNOWN, Said
from ecs_release.domain.model.errors import Problem, Retryable
from ecs_release.domain.notifications.notifications import Place, set_standing, standing
from ecs_release.domain.ports.protocols import Aws, Clock, Cluster, ObjectKey, Sink
from ecs_release.engine.notifications.outbox import Outbox
from ecs_release.engine.store.store import ReleaseFacts, SetStoreFacts, Store

log = logging.getLogger(__name__)

_AT_ONCE = 10
_FIRST_PAUSE_S, _LAST_PAUSE_S, _DEADLINE_S = 1.0, 60.0, 120.0
_LASTS_S = 10.0
"""A fault that passes by itself is said after so long."""


@dataclass(slots=True)
class _Teller:
    """One Environment's sink, and what it has to be told. `problem` ails it; `told` is whether it has ever accepted anything.

    `failing_since_s` is when the first failure since it last accepted anything began.
    """

    environment: str
    arn: str
    access: Access
    outbox: Outbox = field(default_factory=Outbox)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    problem: Problem | None = None
    told: bool = False
    pause_s: float = _FIRST_PAUSE_S
    failing_since_s: float = math.inf
    task: asyncio.Task[None] | None = None


class Notifier:
    """All sinks that Environments name. It is the store's `on_happened`."""

    def __init__(
        self, store: Store, cluster: Cluster, aws: Aws, clock: Clock, installation: str, changed: Callable[[ObjectKey], None]
    ) -> None:
        """`changed` is called with an Environment whose notifications begin, cannot be sent, or can again."""
        self._store = store
        self._cluster = cluster
        self._aws = aws
        self._clock = clock
        self._installation = installation
        self._changed = changed
        self._tellers: dict[str, _Teller] = {}

    def keep(self, environments: Iterable[Environment]) -> None:
        """Tell these Environments' sinks, and no others. One whose sink changes keeps what it still has to tell."""
        wanted = {e.metadata.name: (e.spec.notify.sink_arn, access_of(e)) for e in environments if e.spec.notify and e.spec.notify.sink_arn}
        for name in [n for n, t in self._tellers.items() if wanted.get(n) != (t.arn, t.access)]:
            task = self._tellers[name].task
            if task is not None:
                task.cancel()
            if name not in wanted:
                del self._tellers[name]
        for name, (arn, access) in wanted.items():
            before = self._tellers.get(name)
            if before is not None and (before.arn, before.access) == (arn, access):
                continue
            teller = _Teller(name, arn, access, before.outbox if before else Outbox())
            self._tellers[name] = teller
            teller.task = asyncio.create_task(self._keep_telling(teller), name=f"notifier {name}")

    def happened(self, facts: ReleaseFacts | SetStoreFacts, since: str, body: Mapping[str, Any]) -> None:
        """An object's status says that something has happened since a time. Neither waits nor raises."""
        teller = self._tellers.get(facts.environment)
        if teller is None:
            return
        begun = teller.outbox.begun
        if begun is None:
            # Not yet known what was told before: all is made from statuses then, each object's in order.
            teller.outbox.overflowed = True
            return
        teller.outbox.add(self._told_by(facts.key, body, max(since, to_time(begun))))
        teller.news.set()

    def notified_time(self, environment: str) -> datetime | None:
        """Return until when an Environment's sink has accepted everything; None where that is not known (yet)."""
        teller = self._tellers.get(environment)
        return teller.outbox.move_on(self._clock.now()) if teller else None

    def said(self, environment: Environment) -> tuple[Said, ...]:
        """Say whether the sink accepts notifications, where one is named. Nothing else depends on it."""
        arn = environment.spec.notify.sink_arn if environment.spec.notify else ""
        if not arn:
            return ()
        kind, teller = ConditionType.NOTIFYING, self._tellers.get(environment.metadata.name)
        if teller is not None and teller.problem is not None:
            text = f"{teller.problem.message}; what happens meanwhile is told once the sink accepts it, and releases go on"
            return (Said(kind, FALSE, teller.problem.reason, text),)
        if teller is None or not teller.told:
            return (Said(kind, UNKNOWN, Reason.NOT_ATTEMPTED, f"nothing was sent to {arn} since the operator's start"),)
        return (Said(kind, TRUE, Reason.VALID, arn),)

    async def _keep_telling(self, teller: _Teller) -> None:
        """Tell until cancelled: an error of ours must not silence an Environment for good."""
        while True:
            try:
                await self._tell(teller)
            except Exception:
                log.exception("notifying stopped; it begins again", extra={"environment": teller.environment})
            await asyncio.sleep(_LAST_PAUSE_S)

    async def _tell(self, teller: _Teller) -> None:
        outbox, sink = teller.outbox, self._aws.sink(teller.access, teller.arn)
        if outbox.since is None:
            await self._begin(teller)
        while True:
            teller.news.clear()
            if len(outbox):
                await self._send(teller, sink)
            elif outbox.behind:
                await self._catch_up(teller, sink)
            else:
                await teller.news.wait()

    async def _begin(self, teller: _Teller) -> None:
        """Find out until when the sink has accepted everything. Where it is new that is now: the past is not told."""
        key = ObjectKey(ENVIRONMENT, "", teller.environment)
        body = await self._patiently(teller, key)
        time = ((body or {}).get("status") or {}).get("notifiedTime")
        teller.outbox.begin(datetime.fromisoformat(time) if time else self._clock.now(), behind=bool(time))
        self._changed(key)

    async def _send(self, teller: _Teller, sink: Sink) -> None:
        """Send what has waited longest. What goes wrong is waited out, each time longer, up to a minute."""
        batch, begun = teller.outbox.first(_AT_ONCE), self._clock.monotonic()
        try:
            async with asyncio.timeout(_DEADLINE_S):
                count = await sink.send(batch)
        except (Problem, TimeoutError) as error:
            problem = error if isinstance(error, Problem) else Retryable(f"no answer of {teller.arn} within {_DEADLINE_S:.0f} s")
            teller.failing_since_s = min(begun, teller.failing_since_s)
            self._ails(teller, problem)
            await self._wait(teller)
        else:
            teller.outbox.accepted(batch[:count])
            teller.pause_s, teller.failing_since_s = _FIRST_PAUSE_S, math.inf
            self._ails(teller, None)

    async def _catch_up(self, teller: _Teller, sink: Sink) -> None:
        """Tell again all that statuses tell has happened since the time until which everything was accepted."""
        outbox = teller.outbox
        outbox.overflowed = False
        since = to_time(outbox.since) if outbox.since else ""
        for facts in sorted(self._facts_since(teller.environment, since), key=lambda f: f.happened.time):
            body = await self._patiently(teller, facts.key)
            outbox.add(self._told_by(facts.key, body, since) if body else ())
            while len(outbox):
                await self._send(teller, sink)
            if outbox.overflowed:
                return
        outbox.behind = False
        log.info("told again what happened since %s", since, extra={"environment": teller.environment})

    def _facts_since(self, environment: str, since: str) -> list[ReleaseFacts | SetStoreFacts]:
        found: list[ReleaseFacts | SetStoreFacts] = [s for s in self._store.sets.values() if s.environment == environment]
        found += self._store.of_environment(environment)
        return [f for f in found if f.happened.time and f.happened.time >= since]

    async def _patiently(self, teller: _Teller, key: ObjectKey) -> Mapping[str, Any] | None:
        """Read an object, for as long as it takes the API server to answer."""
        while True:
            try:
                return await self._cluster.get(key)
            except Retryable as problem:
                log.debug("cannot read %s %s: %s", key.kind, key, problem.message)
                await self._wait(teller)

    @staticmethod
    async def _wait(teller: _Teller) -> None:
        await asyncio.sleep(teller.pause_s)
        teller.pause_s = min(_LAST_PAUSE_S, 2 * teller.pause_s)

    def _told_by(self, key: ObjectKey, body: Mapping[str, Any], since: str) -> list[Notification]:
        """List what an object's status tells has happened since a time."""
        try:
            found = self._standing(key, body)
        except ValidationError as error:
            log.warning("cannot tell of %s %s: %s", key.kind, key, error.errors(include_url=False)[0]["msg"])
            return []
        return [one for one in found if to_time(one.time) >= since]

    def _standing(self, key: ObjectKey, body: Mapping[str, Any]) -> tuple[Notification, ...]:
        environment = self._store.environments.get(body["spec"]["environmentRef"]["name"])
        if not isinstance(environment, Environment):
            return ()
        if key.kind != RELEASE:
            return set_standing(ReleaseSet.model_validate(body), Place(self._installation, environment))
        release = Release.model_validate(body)
        project = self._store.project(key.namespace, release.spec.project_ref.name)
        sets = project.spec.service_sets if isinstance(project, Project) else ()
        its_set = next((s.name for s in sets if any(x.name == release.spec.service for x in s.services)), "")
        return standing(release, Place(self._installation, environment, its_set))

    def _ails(self, teller: _Teller, problem: Problem | None) -> None:
        """Note what ails a sink. Logged and said where its reason changes, for the words of an error may be others each time.

        What may pass by itself is said once it has lasted: a sink that fails now and then does not have the condition flap.
        """
        was = teller.problem
        if was is None and isinstance(problem, Retryable) and self._clock.monotonic() - teller.failing_since_s < _LASTS_S:
            return
        if (was.reason if was else "") == (problem.reason if problem else "") and (problem is not None or teller.told):
            return
        teller.problem, teller.told = problem, teller.told or problem is None
        if problem is not None:
            log.warning("cannot notify %s: %s", teller.arn, problem.message, extra={"environment": teller.environment})
        elif was is not None:
            log.info("%s accepts notifications again", teller.arn, extra={"environment": teller.environment})
        self._changed(ObjectKey(ENVIRONMENT, "", teller.environment))
