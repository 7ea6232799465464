"""Sends notifications to the sink of each Environment: one bounded queue and one task for each; nothing waits for them.

Delivery is at least once, across crashes, too: notifications follow from accepted statuses, and `status.notifiedTime` of the Environment
is the time until which the sink has accepted all. Later ones are sent (again) at the start, and whenever the queue has overflowed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from ecs_release.api.conditions import ConditionType, Reason
from ecs_release.api.environment import Environment
from ecs_release.api.meta import to_time
from ecs_release.api.names import ENVIRONMENT
from ecs_release.domain.environments.targets import access_of
from ecs_release.domain.model.clauses import join_clauses
from ecs_release.domain.model.conditions import FALSE, TRUE, UNKNOWN, ConditionUpdate
from ecs_release.domain.ports.protocols import Aws, Clock, Cluster, ObjectKey
from ecs_release.engine.notifications.channel import Channel
from ecs_release.engine.notifications.outbox import Outbox
from ecs_release.engine.notifications.past import Listed, Past, none_listed
from ecs_release.engine.store.store import ReleaseFacts, SetStoreFacts, Store


class Notifier:
    """All sinks that Environments name. It is the store's `on_transition`."""

    def __init__(
        self, store: Store, cluster: Cluster, aws: Aws, clock: Clock, installation: str, changed: Callable[[ObjectKey], None],
        listed: Listed = none_listed,
    ) -> None:  # fmt: skip
        """`changed` is called with an Environment whose notifications begin, cannot be sent, or can again; `listed`: see `Past`."""
        self._past = Past(store, cluster, installation, listed)
        self._aws = aws
        self._clock = clock
        self._changed = changed
        self._channels: dict[str, Channel] = {}

    def keep(self, environments: Iterable[Environment]) -> None:
        """Send to the sinks of these Environments, and no others. An Environment whose sink changes keeps its outbox."""
        wanted = {e.metadata.name: (e.spec.notify.sink_arn, access_of(e)) for e in environments if e.spec.notify and e.spec.notify.sink_arn}
        before = {name: channel for name, channel in self._channels.items() if wanted.get(name) != (channel.arn, channel.access)}
        for name, channel in before.items():
            channel.task.cancel()
            del self._channels[name]
        for name in wanted.keys() - self._channels.keys():
            outbox = before[name].outbox if name in before else Outbox()
            changed = partial(self._changed, ObjectKey(ENVIRONMENT, "", name))
            self._channels[name] = Channel(name, *wanted[name], self._aws, self._past, self._clock, outbox, changed)

    def on_transition(self, facts: ReleaseFacts | SetStoreFacts, since: str, body: Mapping[str, Any]) -> None:
        """Queue notifications for the transitions in an object's status since a time. Neither blocks nor raises."""
        channel = self._channels.get(facts.environment)
        if channel is None:
            return
        outbox = channel.outbox
        if outbox.begun is None:
            # It is not known yet what was sent before: all notifications are then made from statuses, in order for each object.
            outbox.overflowed = True
            return
        outbox.add(self._past.notifications_since(facts.key, body, max(since, to_time(outbox.begun))), self._clock.monotonic())
        channel.sender.wake()

    def notified_time(self, environment: str) -> datetime | None:
        """Return the time until which an Environment's sink has accepted everything; None if that is unknown."""
        channel = self._channels.get(environment)
        return channel.outbox.move_on(self._clock.now()) if channel else None

    def conditions(self, environment: Environment) -> tuple[ConditionUpdate, ...]:
        """Return whether the sink accepts notifications, if one is named. Nothing else depends on it."""
        arn = environment.spec.notify.sink_arn if environment.spec.notify else ""
        if not arn:
            return ()
        channel = self._channels.get(environment.metadata.name)
        kind, sender = ConditionType.NOTIFYING, channel.sender if channel else None
        if sender is not None and sender.problem is not None:
            text = join_clauses(sender.problem.message, "what happens meanwhile is told once the sink accepts it, and releases go on")
            return (ConditionUpdate(kind, FALSE, sender.problem.reason, text),)
        if sender is None or not sender.has_accepted:
            return (ConditionUpdate(kind, UNKNOWN, Reason.NOT_ATTEMPTED, f"nothing was sent to {arn} since the operator's start"),)
        return (ConditionUpdate(kind, TRUE, Reason.VALID, arn),)
