"""The port `domain.ports.Cluster` on a real API server."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from ecs_release.api.names import API_VERSION, CLUSTER_SCOPED, FIELD_MANAGER, GROUP, PLURALS, VERSION
from ecs_release.cluster.api_server import APPLY, NAMES_ONLY, ApiServer
from ecs_release.cluster.events import EventRecorder
from ecs_release.cluster.pages import trim, untrimmed
from ecs_release.domain.model.api_paths import ApiPath, all_objects, core_path, group_path, object_path, objects_in
from ecs_release.domain.model.errors import Conflict, Denied, NotFound, Retryable
from ecs_release.domain.model.namespaces import Namespaces
from ecs_release.domain.ports.protocols import EventNote, ObjectKey


class KubernetesCluster:
    """Reads objects, writes their status, and records Events."""

    def __init__(self, server: ApiServer, recorder: EventRecorder, namespaces: Namespaces | None = None) -> None:
        """`server` and `recorder` are closed by their owner. Only `namespaces` are listed; without them, all."""
        self._server = server
        self._namespaces = namespaces or Namespaces()
        self._recorder = recorder

    async def get(self, key: ObjectKey) -> Mapping[str, Any] | None:
        """Read an object; None if it does not exist."""
        try:
            return trim(await self._server.request("GET", _path(key)))
        except NotFound:
            return None

    async def write_status(self, key: ObjectKey, status: Mapping[str, Any], *, uid: str, resource_version: str) -> Mapping[str, Any]:
        """Replace the status by server-side apply: our fields that are not in it are removed.

        With `resource_version` an apply neither recreates a deleted object nor overwrites a newer one or one that was created again
        under its name: it raises NotFound or Conflict. (The API server does not compare the `uid` of a custom resource in an apply; it
        is there for readers of the audit log.)
        """
        metadata = {"name": key.name, "uid": uid, "resourceVersion": resource_version}
        if key.namespace:
            metadata["namespace"] = key.namespace
        body = {"apiVersion": API_VERSION, "kind": key.kind, "metadata": metadata, "status": dict(status)}
        query = [("fieldManager", FIELD_MANAGER), ("force", "true")]
        return trim(await self._server.request("PATCH", _path(key).below("status"), query=query, body=body, content_type=APPLY))

    async def list_labelled(self, kind: str, namespace: str, label: str, value: str, *, most: int) -> list[Mapping[str, Any]] | None:
        """List the objects of a kind in a namespace that have a label: a consistent read, by pages. None if there are more than `most`."""
        found = list[Mapping[str, Any]]()
        async for items in self._server.pages(objects_in(kind, namespace), query=[("labelSelector", f"{label}={value}")]):
            # Items of a list have no apiVersion and kind of their own.
            found += [{"apiVersion": API_VERSION, "kind": kind, **trim(item)} for item in items]
            if len(found) > most:
                return None
        return found

    async def create(self, key: ObjectKey, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Create an object. Raises Conflict if one of that name exists."""
        return trim(
            await self._server.request("POST", objects_in(key.kind, key.namespace), query=[("fieldManager", FIELD_MANAGER)], body=body)
        )

    async def replace(self, key: ObjectKey, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Update an object with the resourceVersion that it was read with, so that no other change is overwritten.

        What was dropped from its metadata when it was read (`pages.trim`) is written as it is. Raises Conflict also if it has changed.
        """
        there = await self._server.request("GET", _path(key))
        if there["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            raise Conflict(f"{key} has changed since it was read")
        whole = {**body, "metadata": untrimmed(body["metadata"], there["metadata"])}
        return trim(await self._server.request("PUT", _path(key), query=[("fieldManager", FIELD_MANAGER)], body=whole))

    async def delete(self, key: ObjectKey, *, uid: str, resource_version: str) -> None:
        """Delete an object unless it has changed since it was read."""
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background", "preconditions": preconditions}
        with contextlib.suppress(NotFound):
            await self._server.request("DELETE", _path(key), body=body)

    def record(self, key: ObjectKey, uid: str, note: EventNote) -> None:
        """Record an Event without waiting for it."""
        self._recorder.record(key, uid, note)

    async def names(self, kind: str) -> AsyncIterator[tuple[str, str, str]]:
        """Yield (namespace, name, uid) of every object of a kind, page by page. Raises Retryable also if the CRD does not exist (yet)."""
        for path in self._lists(kind):
            try:
                async for items in self._server.pages(path, accept=NAMES_ONLY):
                    for meta in (item["metadata"] for item in items):
                        yield meta.get("namespace", ""), meta["name"], meta["uid"]
            except NotFound as error:
                raise _not_served(kind) from error

    async def count(self, kind: str) -> int:
        """Count the objects of a kind by reading one of them. Raises Retryable also if the CRD does not exist (yet).

        A page contains the number of objects after it ("remainingItemCount", an estimate by its documentation).
        """
        pages = [await self._first(path, kind) for path in self._lists(kind)]
        return sum(len(page["items"] or ()) + page["metadata"].get("remainingItemCount", 0) for page in pages)

    def _lists(self, kind: str) -> list[ApiPath]:
        if kind in CLUSTER_SCOPED or not self._namespaces.watched:
            return [all_objects(kind)]
        return [objects_in(kind, namespace) for namespace in self._namespaces.open]

    async def _first(self, path: ApiPath, kind: str) -> Mapping[str, Any]:
        """Read the first page, of one object."""
        try:
            return await self._server.request("GET", path, query=[("limit", "1")], accept=NAMES_ONLY)
        except NotFound as error:
            raise _not_served(kind) from error

    async def refusal(self, namespace: str) -> str:
        """Return why a namespace may not be read; empty if it may. Raises Retryable as `count` does."""
        for kind in (k for k in PLURALS if k not in CLUSTER_SCOPED):
            try:
                await self._first(objects_in(kind, namespace), kind)
            except Denied as refusal:
                return refusal.message
        return ""

    async def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        """Return a Namespace's labels; None if it does not exist or may not be read."""
        try:
            found = await self._server.request("GET", core_path("namespaces", namespace))
        except (NotFound, Denied):
            return None
        return dict(found["metadata"].get("labels") or {})

    async def has_policy(self, resource: str, name: str) -> bool:
        """Return whether an object of admissionregistration.k8s.io/v1 exists; False also if the cluster does not serve its kind."""
        try:
            await self._server.request("GET", group_path("admissionregistration.k8s.io", resource, name))
        except NotFound:
            return False
        return True


def _not_served(kind: str) -> Retryable:
    return Retryable(f"the Kubernetes API does not know {PLURALS[kind]}.{GROUP} {VERSION}: apply the CRDs (crds/)")


def _path(key: ObjectKey) -> ApiPath:
    return object_path(key.kind, key.namespace, key.name)
