"""Sends notifications to the sink of each Environment: one bounded queue and one task for each; nothing waits for them.

Delivery is at least once, across crashes, too: notifications follow from accepted statuses, and `status.notifiedTime` of the Environment
is the time until which the sink has accepted all. Later ones are sent (again) at the start, and whenever the queue has overflowed.
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
from ecs_release.domain.model.clauses import join_clauses
from ecs_release.domain.model.conditions import FALSE, TRUE, UNKNOWN, ConditionUpdate
from ecs_release.domain.model.errors import Blocked, Problem, Retryable
from ecs_release.domain.model.parsing import read_object
from ecs_release.domain.notifications.notifications import Origin, release_notifications, set_notifications
from ecs_release.domain.ports.protocols import Aws, Clock, Cluster, ObjectKey, Sink
from ecs_release.engine.notifications.outbox import Outbox
from ecs_release.engine.store.store import ReleaseFacts, SetStoreFacts, Store

log = logging.getLogger(__name__)

_AT_ONCE = 10
_FIRST_PAUSE_S, _LAST_PAUSE_S, _DEADLINE_S = 1.0, 60.0, 120.0
_LASTS_S = 10.0
"""A temporary fault is reported in the condition once it has lasted this long."""


@dataclass(slots=True)
class _Sender:
    """The sink of one Environment and its outbox. `problem` is why sending fails; `has_accepted`: whether it has accepted anything yet.

    `failing_since_s` is when the first failed send since the last successful one began.
    """

    environment: str
    arn: str
    access: Access
    outbox: Outbox = field(default_factory=Outbox)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    problem: Problem | None = None
    has_accepted: bool = False
    pause_s: float = _FIRST_PAUSE_S
    failing_since_s: float = math.inf
    task: asyncio.Task[None] | None = None


class Notifier:
    """All sinks that Environments name. It is the store's `on_transition`."""

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
        self._senders: dict[str, _Sender] = {}

    def keep(self, environments: Iterable[Environment]) -> None:
        """Send to the sinks of these Environments, and no others. An Environment whose sink changes keeps its outbox."""
        wanted = {e.metadata.name: (e.spec.notify.sink_arn, access_of(e)) for e in environments if e.spec.notify and e.spec.notify.sink_arn}
        for name in [n for n, t in self._senders.items() if wanted.get(n) != (t.arn, t.access)]:
            task = self._senders[name].task
            if task is not None:
                task.cancel()
            if name not in wanted:
                del self._senders[name]
        for name, (arn, access) in wanted.items():
            before = self._senders.get(name)
            if before is not None and (before.arn, before.access) == (arn, access):
                continue
            sender = _Sender(name, arn, access, before.outbox if before else Outbox())
            self._senders[name] = sender
            sender.task = asyncio.create_task(self._keep_sending(sender), name=f"notifier {name}")

    def on_transition(self, facts: ReleaseFacts | SetStoreFacts, since: str, body: Mapping[str, Any]) -> None:
        """Queue notifications for the transitions in an object's status since a time. Neither blocks nor raises."""
        sender = self._senders.get(facts.environment)
        if sender is None:
            return
        begun = sender.outbox.begun
        if begun is None:
            # It is not known yet what was sent before: all notifications are then made from statuses, in order for each object.
            sender.outbox.overflowed = True
            return
        sender.outbox.add(self._notifications_since(facts.key, body, max(since, to_time(begun))))
        sender.news.set()

    def notified_time(self, environment: str) -> datetime | None:
        """Return the time until which an Environment's sink has accepted everything; None if that is unknown."""
        sender = self._senders.get(environment)
        return sender.outbox.move_on(self._clock.now()) if sender else None

    def conditions(self, environment: Environment) -> tuple[ConditionUpdate, ...]:
        """Return whether the sink accepts notifications, if one is named. Nothing else depends on it."""
        arn = environment.spec.notify.sink_arn if environment.spec.notify else ""
        if not arn:
            return ()
        kind, sender = ConditionType.NOTIFYING, self._senders.get(environment.metadata.name)
        if sender is not None and sender.problem is not None:
            text = join_clauses(sender.problem.message, "what happens meanwhile is told once the sink accepts it, and releases go on")
            return (ConditionUpdate(kind, FALSE, sender.problem.reason, text),)
        if sender is None or not sender.has_accepted:
            return (ConditionUpdate(kind, UNKNOWN, Reason.NOT_ATTEMPTED, f"nothing was sent to {arn} since the operator's start"),)
        return (ConditionUpdate(kind, TRUE, Reason.VALID, arn),)

    async def _keep_sending(self, sender: _Sender) -> None:
        """Send until cancelled; after a defect of ours, log it and begin again."""
        while True:
            try:
                await self._send_all(sender)
            except Exception:
                log.exception("notifying stopped; it begins again", extra={"environment": sender.environment})
            await asyncio.sleep(_LAST_PAUSE_S)

    async def _send_all(self, sender: _Sender) -> None:
        outbox, sink = sender.outbox, self._aws.sink(sender.access, sender.arn)
        if outbox.since is None:
            await self._begin(sender)
        while True:
            sender.news.clear()
            if len(outbox):
                await self._send(sender, sink)
            elif outbox.behind:
                await self._catch_up(sender, sink)
            else:
                await sender.news.wait()

    async def _begin(self, sender: _Sender) -> None:
        """Read until when the sink has accepted everything. For a new sink that is now: the past is not sent."""
        key = ObjectKey(ENVIRONMENT, "", sender.environment)
        body = await self._read_until_answered(sender, key)
        time = ((body or {}).get("status") or {}).get("notifiedTime")
        sender.outbox.begin(datetime.fromisoformat(time) if time else self._clock.now(), behind=bool(time))
        self._changed(key)

    async def _send(self, sender: _Sender, sink: Sink) -> None:
        """Send the oldest notifications. After a failure, wait, each time longer, up to a minute."""
        batch, begun = sender.outbox.first(_AT_ONCE), self._clock.monotonic()
        try:
            async with asyncio.timeout(_DEADLINE_S):
                count = await sink.send(batch)
        except (Problem, TimeoutError) as error:
            problem = error if isinstance(error, Problem) else Retryable(f"no answer of {sender.arn} within {_DEADLINE_S:.0f} s")
            sender.failing_since_s = min(begun, sender.failing_since_s)
            self._set_problem(sender, problem)
            await self._wait(sender)
        else:
            sender.outbox.accepted(batch[:count])
            sender.pause_s, sender.failing_since_s = _FIRST_PAUSE_S, math.inf
            self._set_problem(sender, None)

    async def _catch_up(self, sender: _Sender, sink: Sink) -> None:
        """Send (again) all transitions in statuses since the time until which everything was accepted."""
        outbox = sender.outbox
        outbox.overflowed = False
        since = to_time(outbox.since) if outbox.since else ""
        for facts in sorted(self._facts_since(sender.environment, since), key=lambda f: f.last_transition.time):
            body = await self._read_until_answered(sender, facts.key)
            outbox.add(self._notifications_since(facts.key, body, since) if body else ())
            while len(outbox):
                await self._send(sender, sink)
            if outbox.overflowed:
                return
        outbox.behind = False
        log.info("told again what happened since %s", since, extra={"environment": sender.environment})

    def _facts_since(self, environment: str, since: str) -> list[ReleaseFacts | SetStoreFacts]:
        sets = self._store.sets_of(ObjectKey(ENVIRONMENT, "", environment))
        found: list[ReleaseFacts | SetStoreFacts] = [self._store.sets[key] for key in sets]
        found += self._store.of_environment(environment)
        return [f for f in found if f.last_transition.time and f.last_transition.time >= since]

    async def _read_until_answered(self, sender: _Sender, key: ObjectKey) -> Mapping[str, Any] | None:
        """Read an object, and retry until the API server answers."""
        while True:
            try:
                return await self._cluster.get(key)
            except Retryable as problem:
                log.debug("cannot read %s %s: %s", key.kind, key, problem.message)
                await self._wait(sender)

    @staticmethod
    async def _wait(sender: _Sender) -> None:
        await asyncio.sleep(sender.pause_s)
        sender.pause_s = min(_LAST_PAUSE_S, 2 * sender.pause_s)

    def _notifications_since(self, key: ObjectKey, body: Mapping[str, Any], since: str) -> list[Notification]:
        """List the notifications of an object's status since a time."""
        try:
            found = self._standing(key, body)
        except Blocked as problem:
            log.warning("cannot tell of %s %s: %s", key.kind, key, problem.message)
            return []
        except ValidationError as error:
            log.warning("cannot tell of %s %s: %s", key.kind, key, error.errors(include_url=False)[0]["msg"])
            return []
        return [one for one in found if to_time(one.time) >= since]

    def _standing(self, key: ObjectKey, body: Mapping[str, Any]) -> tuple[Notification, ...]:
        environment = self._store.environments.get(body["spec"]["environmentRef"]["name"])
        if not isinstance(environment, Environment):
            return ()
        if key.kind != RELEASE:
            return set_notifications(read_object(ReleaseSet, body), Origin(self._installation, environment))
        release = read_object(Release, body)
        project = self._store.project(key.namespace, release.spec.project_ref.name)
        sets = project.spec.service_sets if isinstance(project, Project) else ()
        its_set = next((s.name for s in sets if any(x.name == release.spec.service for x in s.services)), "")
        return release_notifications(release, Origin(self._installation, environment, its_set))

    def _set_problem(self, sender: _Sender, problem: Problem | None) -> None:
        """Set why a sink fails, if it does. It is logged and reported if its reason changes: the text of an error may differ each time.

        A temporary fault is reported once it has lasted, so that a sink that fails now and then does not make the condition flap.
        """
        was = sender.problem
        if was is None and isinstance(problem, Retryable) and self._clock.monotonic() - sender.failing_since_s < _LASTS_S:
            return
        if (was.reason if was else "") == (problem.reason if problem else "") and (problem is not None or sender.has_accepted):
            return
        sender.problem, sender.has_accepted = problem, sender.has_accepted or problem is None
        if problem is not None:
            log.warning("cannot notify %s: %s", sender.arn, problem.message, extra={"environment": sender.environment})
        elif was is not None:
            log.info("%s accepts notifications again", sender.arn, extra={"environment": sender.environment})
        self._changed(ObjectKey(ENVIRONMENT, "", sender.environment))
