"""The control cluster as passes see it: only objects that the watch has told of are read by name or written.

Specs and owner references name objects, and whoever may write them may name anything. What the watch has not told of does not exist for
a pass, so that nobody has the operator ask for, or write to, something that he may not reach himself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from ecs_release.domain.model.errors import NotFound
from ecs_release.domain.ports.protocols import Cluster, EventNote, ObjectKey
from ecs_release.engine.store.store import Store


class WatchedCluster:
    """The port `domain.ports.Cluster`, without what the store does not know.

    Children of sets are created, replaced and deleted without the store: their names are made of the set's own, or come from a list.
    """

    def __init__(self, cluster: Cluster, store: Store) -> None:
        """Requests go to `cluster`."""
        self._cluster = cluster
        self._store = store

    async def get(self, key: ObjectKey) -> Mapping[str, Any] | None:
        """Read an object; None if the watch has not told of it, or it is gone."""
        return await self._cluster.get(key) if self._store.knows(key) else None

    async def write_status(self, key: ObjectKey, status: Mapping[str, Any], *, uid: str, resource_version: str) -> Mapping[str, Any]:
        """Replace the status. Raises Conflict; NotFound also if the watch has not told of the object."""
        if not self._store.knows(key):
            raise NotFound(f"the watch has not told of {key.kind} {key}")
        return await self._cluster.write_status(key, status, uid=uid, resource_version=resource_version)

    def record(self, key: ObjectKey, uid: str, note: EventNote) -> None:
        """Record an Event on an object that the watch has told of."""
        if self._store.knows(key):
            self._cluster.record(key, uid, note)

    async def list_labelled(self, kind: str, namespace: str, label: str, value: str, *, most: int) -> list[Mapping[str, Any]] | None:
        """List the objects of a kind in a namespace that carry a label."""
        return await self._cluster.list_labelled(kind, namespace, label, value, most=most)

    async def create(self, key: ObjectKey, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Create an object. Raises Conflict."""
        return await self._cluster.create(key, body)

    async def replace(self, key: ObjectKey, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Write an object back. Raises Conflict and NotFound."""
        return await self._cluster.replace(key, body)

    async def delete(self, key: ObjectKey, *, uid: str, resource_version: str) -> None:
        """Delete an object. Raises Conflict."""
        await self._cluster.delete(key, uid=uid, resource_version=resource_version)

    def names(self, kind: str) -> AsyncIterator[tuple[str, str, str]]:
        """Yield (namespace, name, uid) of every object of a kind."""
        return self._cluster.names(kind)

    async def count(self, kind: str) -> int:
        """Count the objects of a kind."""
        return await self._cluster.count(kind)

    async def refusal(self, namespace: str) -> str:
        """Return why a namespace may not be read; empty if it may."""
        return await self._cluster.refusal(namespace)

    async def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        """Return a Namespace's labels."""
        return await self._cluster.namespace_labels(namespace)

    async def has_policy(self, resource: str, name: str) -> bool:
        """Return whether an admission policy exists."""
        return await self._cluster.has_policy(resource, name)
