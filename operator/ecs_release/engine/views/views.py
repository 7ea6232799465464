"""Shows deployment sets on GitHub and in Slack: one bounded backlog and one task for each connection; nothing waits for them.

Documents are made of statuses, and statuses say what is shown, so that nothing is lost in a crash: after a restart whatever is not shown
as it is, is found by the watch's first list. At rest there is no call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ecs_release.api.conditions import Reason
from ecs_release.api.environment import Environment
from ecs_release.api.names import ENVIRONMENT, PROJECT, RELEASE_SET
from ecs_release.domain.model.clauses import join_clauses
from ecs_release.domain.model.conditions import FALSE, TRUE, UNKNOWN, ConditionUpdate
from ecs_release.domain.ports.protocols import Clock, Cluster, ObjectKey
from ecs_release.domain.ports.views import ViewSink
from ecs_release.engine.store.store import ReleaseFacts, SetStoreFacts, Store
from ecs_release.engine.views.channel import Channel
from ecs_release.engine.views.kinds import SinkKind
from ecs_release.engine.views.subjects import Subjects

_NAMED = 3


@dataclass(frozen=True, slots=True)
class ViewState:
    """A connection's state, for metrics: objects that wait, how long the first has waited, and the number of calls by result."""

    sink: str
    credentials: str
    waiting: int
    oldest_s: float
    results: Mapping[str, int]


class Views:
    """All connections that Environments name."""

    def __init__(
        self, store: Store, cluster: Cluster, clock: Clock, installation: str, kinds: Sequence[SinkKind],
        sinks: Mapping[tuple[str, str], ViewSink], changed: Callable[[ObjectKey], None],
    ) -> None:  # fmt: skip
        """`sinks` are the operator's connections by kind and name; `changed` is called with an Environment whose condition may change."""
        self._store = store
        self._clock = clock
        self._kinds = kinds if sinks else ()
        self._all_kinds = kinds
        self._sinks = sinks
        self._changed = changed
        self._subjects = Subjects(store, cluster, installation)
        self._environments: dict[str, Environment] = {}
        self._channels: dict[tuple[str, str], Channel] = {}
        self._since: dict[tuple[str, str], datetime] = {}

    def keep(self, environments: Iterable[Environment]) -> None:
        """Show these Environments, and no others."""
        if not self._kinds:
            return
        before, self._environments = self._environments, {e.metadata.name: e for e in environments}
        named = {(k.name, c): k for k in self._kinds for e in self._environments.values() if (c := k.credentials(e))}
        for gone in self._channels.keys() - named.keys():
            self._channels.pop(gone).stop()
        for connection in (named.keys() & self._sinks.keys()) - self._channels.keys():
            self._channels[connection] = self._channel(named[connection], connection[1])
        for name, environment in self._environments.items():
            if before.get(name) is not environment:
                self._begin(environment)

    def stop(self) -> None:
        """Stop all."""
        self.keep(())

    def status_changed(self, facts: ReleaseFacts | SetStoreFacts) -> None:
        """Show an object whose status has changed; of a set's Release, the set. Neither blocks nor raises."""
        environment = self._environments.get(facts.environment) if self._channels else None
        if environment is None:
            return
        key = facts.key
        if isinstance(facts, ReleaseFacts) and facts.release_set:
            key = ObjectKey(RELEASE_SET, facts.key.namespace, facts.release_set)
            if key not in self._store.sets:
                return
        for channel in self._channels_of(environment):
            channel.add(key)

    def object_changed(self, key: ObjectKey) -> None:
        """Look again at all that refers to a Project or an Environment that has changed."""
        if not self._channels or key.kind not in (PROJECT, ENVIRONMENT):
            return
        releases = self._store.of_project(key.namespace, key.name) if key.kind == PROJECT else self._store.of_environment(key.name)
        found: list[ReleaseFacts | SetStoreFacts] = [self._store.sets[k] for k in self._store.sets_of(key)]
        for facts in (*found, *releases):
            if not (isinstance(facts, ReleaseFacts) and facts.release_set):
                self._add_if_due(facts)

    def deleted(self, key: ObjectKey) -> None:
        """Forget a deleted object: what is shown of it stays."""
        for channel in self._channels.values():
            channel.forget(key)

    def since_times(self, environment: Environment) -> dict[str, datetime]:
        """Return from when on an Environment is shown, for the sinks that it names, as fields of its status."""
        found = dict[str, datetime]()
        for kind in self._all_kinds:
            if kind.credentials(environment):
                field, since = f"{kind.name}_since_time", self._since.get((kind.name, environment.metadata.name))
                since = since or (getattr(environment.status, field) if environment.status else None)
                found |= {field: since} if since is not None else {}
        return found

    def conditions(self, environment: Environment) -> tuple[ConditionUpdate, ...]:
        """Return whether its deployment sets are shown, for each sink that it names. Nothing else depends on it."""
        return tuple(self._condition(kind, environment, name) for kind in self._all_kinds if (name := kind.credentials(environment)))

    def states(self) -> tuple[ViewState, ...]:
        """Return the states of all connections in use, for metrics."""
        return tuple(
            ViewState(kind, name, c.waiting, c.sender.oldest_s, dict(c.sender.results))
            for (kind, name), c in sorted(self._channels.items())
        )

    def _condition(self, kind: SinkKind, environment: Environment, name: str) -> ConditionUpdate:
        if (kind.name, name) not in self._sinks:
            said = f"the operator has no connection {name!r} to {kind.name}: see docs/how-to/{kind.name}.md"
            return ConditionUpdate(kind.condition, FALSE, Reason.INVALID_SPEC, said)
        channel = self._channels.get((kind.name, name))
        if channel is not None and channel.sender.problem is not None:
            text = join_clauses(channel.sender.problem.message, "what happens meanwhile is shown once it can be, and releases go on")
            return ConditionUpdate(kind.condition, FALSE, channel.sender.problem.reason, text)
        refused = [(k, why) for k, (e, why) in (channel.refused.items() if channel else ()) if e == environment.metadata.name]
        if refused:
            named = join_clauses(*(f"{key.kind} {key} is not shown: {why}" for key, why in sorted(refused, key=str)[:_NAMED]))
            more = f"; {len(refused) - _NAMED} more are not shown" if len(refused) > _NAMED else ""
            return ConditionUpdate(kind.condition, FALSE, Reason.TARGET_NOT_ALLOWED, named + more)
        rejected = channel.refusals.of(environment.metadata.name) if channel else []
        if rejected:
            named = join_clauses(*(f"{key.kind} {key} is not shown in full: {problem.message}" for key, problem in rejected[:_NAMED]))
            more = f"; {len(rejected) - _NAMED} more are not" if len(rejected) > _NAMED else ""
            text = join_clauses(named + more, "all else is shown, and releases go on")
            return ConditionUpdate(kind.condition, FALSE, rejected[0][1].reason, text)
        if channel is None or not channel.sender.has_accepted:
            return ConditionUpdate(kind.condition, UNKNOWN, Reason.NOT_ATTEMPTED, "nothing was sent since the operator's start")
        return ConditionUpdate(kind.condition, TRUE, Reason.VALID, name)

    def _channel(self, kind: SinkKind, name: str) -> Channel:
        def changed() -> None:
            for environment in self._environments.values():
                if kind.credentials(environment) == name:
                    self._changed(ObjectKey(ENVIRONMENT, "", environment.metadata.name))

        def since(environment: str) -> datetime:
            return self._since.get((kind.name, environment), self._clock.now())

        return Channel(kind, name, self._sinks[kind.name, name], self._subjects, self._clock, since, changed)

    def _channels_of(self, environment: Environment) -> list[Channel]:
        keys = [(kind.name, kind.credentials(environment)) for kind in self._kinds]
        return [self._channels[key] for key in keys if key in self._channels]

    def _begin(self, environment: Environment) -> None:
        """Begin to show an Environment: the past is not shown, but what another process has not shown is."""
        name, status = environment.metadata.name, environment.status
        for kind in self._kinds:
            known = (kind.name, name)
            if not kind.credentials(environment):
                self._since.pop(known, None)
            elif known not in self._since:
                said = getattr(status, f"{kind.name}_since_time", None) if status else None
                self._since[known] = said or self._clock.now().replace(microsecond=0)
                self._changed(ObjectKey(ENVIRONMENT, "", name))
        self.object_changed(ObjectKey(ENVIRONMENT, "", name))

    def _add_if_due(self, facts: ReleaseFacts | SetStoreFacts) -> None:
        """Show an object unless its latest deployment set is shown already, it has not drifted since then, and nothing is overdue."""
        environment = self._environments.get(facts.environment)
        releases = [facts] if isinstance(facts, ReleaseFacts) else self._store.of_set(facts.key)
        is_overdue = facts.says_overdue or any(release.overdue for release in releases)
        # Nobody notes that a drift, or its end, is shown: it is looked at.
        drifted = max((r.drift_time for r in releases if r.drift_time >= facts.last_transition.time), default="")
        for kind in self._kinds if environment is not None else ():
            assert environment is not None
            since = self._since.get((kind.name, facts.environment))
            channel = self._channels.get((kind.name, kind.credentials(environment)))
            if channel is None or since is None:
                continue
            begins = since.strftime("%Y-%m-%dT%H:%M:%SZ")
            is_latest_shown = kind.name in facts.shown_by or facts.last_transition.time < begins
            has_drifted = bool(drifted) and drifted >= begins
            if is_overdue or has_drifted or not is_latest_shown or facts.key in channel.refused:
                channel.add(facts.key)


async def close(sinks: Mapping[tuple[str, str], ViewSink]) -> None:
    """Close all connections."""
    await asyncio.gather(*(sink.close() for sink in sinks.values()))
