"""Which objects this process acts on: none before it is the active replica of its shard, then those of that shard.

If it watches some namespaces only, it does not act on an Environment that admits none of them: another operator may write that status,
and two writers would overwrite each other for ever.

The store holds all objects in any case: a standby takes over without a LIST, and counts and promotions may need other shards' objects.
"""

from __future__ import annotations

from collections.abc import Iterator

from ecs_release.api.environment import Environment
from ecs_release.api.names import ENVIRONMENT, PROJECT, RELEASE, RELEASE_SET
from ecs_release.domain.environments.sharding import DEFAULT
from ecs_release.domain.environments.targets import may_admit
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.runtime.settings import EngineSettings
from ecs_release.engine.store.store import Store


class ShardScope:
    """The objects of one shard, by the current state of the store."""

    def __init__(self, store: Store, settings: EngineSettings) -> None:
        """It covers nothing before `begin`."""
        self._store = store
        self._shard = settings.shard
        self._shards = settings.shards
        self._namespaces = settings.namespaces
        self.acting = False

    def begin(self) -> Iterator[ObjectKey]:
        """Act from now on. Yields all keys of this shard: first those of attempts that another process has left under way."""
        self.acting = True
        releases = self._store.releases
        yield from self._covered(k for k, facts in releases.items() if facts.in_flight)
        for kind in (RELEASE_SET, RELEASE, ENVIRONMENT, PROJECT):
            yield from self._covered(ObjectKey(kind, namespace, name) for namespace, name, _ in self._store.known(kind))

    def end(self) -> None:
        """Stop acting: the watch may go on for a moment, and its events must not start anything."""
        self.acting = False

    def covers(self, key: ObjectKey) -> bool:
        """Return whether this process acts on an object. That may change if its Environment is created again for another account."""
        return self.acting and self._shard_of(key) == self._shard and not self._is_anothers(key)

    def keeps_record(self, environment: str) -> bool:
        """Return whether this process closes the records of an Environment, even if that admits our namespaces no longer."""
        return self.acting and self._shard_of(ObjectKey(ENVIRONMENT, "", environment)) == self._shard

    def _covered(self, keys: Iterator[ObjectKey]) -> list[ObjectKey]:
        return [key for key in keys if self.covers(key)]

    def _is_anothers(self, key: ObjectKey) -> bool:
        if key.kind != ENVIRONMENT or not self._namespaces:
            return False
        environment = self._store.environments.get(key.name)
        return isinstance(environment, Environment) and not may_admit(environment, self._namespaces)

    def _shard_of(self, key: ObjectKey) -> str:
        facts = self._store.releases.get(key) or self._store.sets.get(key)
        name = key.name if key.kind == ENVIRONMENT else facts.environment if facts else ""
        environment = self._store.environments.get(name)
        if not isinstance(environment, Environment):
            # The account is unknown: the default shard reports that in status.
            return DEFAULT
        return self._shards.of(environment.spec.aws.account_id, environment.spec.aws.region)
