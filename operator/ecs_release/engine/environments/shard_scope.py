"""What this process acts on: nothing before it is the active one of its shard, then what belongs to that shard, and in the end nothing.

Where it watches some namespaces only, an Environment that admits none of them is not its own: another operator's, perhaps, who writes that
status. Two that wrote it would never come to rest.

The store holds everything all the same: a standby takes over without a list, and what is counted or promoted may be another shard's.
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


class Scope:
    """The objects of one shard, as the store knows them now."""

    def __init__(self, store: Store, settings: EngineSettings) -> None:
        """Covers nothing before `begin`."""
        self._store = store
        self._shard = settings.shard
        self._shards = settings.shards
        self._namespaces = settings.namespaces
        self.acting = False

    def begin(self) -> Iterator[ObjectKey]:
        """Act from now on. Yields all keys of this shard: what is under way comes first, for somebody else has left it in the middle."""
        self.acting = True
        releases = self._store.releases
        yield from self._covered(k for k, facts in releases.items() if facts.in_flight)
        for kind in (RELEASE_SET, RELEASE, ENVIRONMENT, PROJECT):
            yield from self._covered(ObjectKey(kind, namespace, name) for namespace, name, _ in self._store.known(kind))

    def end(self) -> None:
        """Act no longer: the watch may go on for a moment, and nothing that it tells may begin anything."""
        self.acting = False

    def covers(self, key: ObjectKey) -> bool:
        """Tell whether an object is this process's to act on. It may become another's, where its Environment is made again elsewhere."""
        return self.acting and self._shard_of(key) == self._shard and not self._is_anothers(key)

    def keeps_record(self, environment: str) -> bool:
        """Tell whether the records of an Environment are this process's to close, be it that it admits our namespaces no longer."""
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
            # Nothing is known that leads to an account: the default shard says so in status.
            return DEFAULT
        return self._shards.of(environment.spec.aws.account_id, environment.spec.aws.region)
