"""The port `domain.ports.Cluster` on a real API server."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from ecs_release.api.names import API_VERSION, CLUSTER_SCOPED, FIELD_MANAGER, GROUP, PLURALS, VERSION
from ecs_release.cluster.api_server import APPLY, NAMES_ONLY, ApiServer
from ecs_release.cluster.events import EventRecorder
from ecs_release.domain.model.errors import Denied, NotFound, Retryable
from ecs_release.domain.model.namespaces import Namespaces
from ecs_release.domain.ports.protocols import EventNote, ObjectKey

_PAGE = 500
# A page of metadata is parsed in the event loop: managed fields come with it, about 4 kB an object.
_NAMES = 100


class KubernetesCluster:
    """Reads objects, writes their status, and records Events."""

    def __init__(self, server: ApiServer, recorder: EventRecorder, namespaces: Namespaces | None = None) -> None:
        """Both are shared and closed by their owner. Nothing outside `namespaces` is listed; without them there is no limit."""
        self._server = server
        self._namespaces = namespaces or Namespaces()
        self._recorder = recorder

    async def get(self, key: ObjectKey) -> Mapping[str, Any] | None:
        """Read an object; None where it is gone."""
        try:
            return await self._server.request("GET", _path(key))
        except NotFound:
            return None

    async def write_status(self, key: ObjectKey, status: Mapping[str, Any], *, uid: str, resource_version: str) -> Mapping[str, Any]:
        """Replace the status by server-side apply: what is not in it and was ours goes.

        With `resource_version` in it an apply neither revives a deleted object nor overwrites a newer one or one that was made again
        under its name: it raises NotFound or Conflict. (The API server does not compare the `uid` of a custom resource in an apply; it
        stands there for who reads the audit log.)
        """
        metadata = {"name": key.name, "uid": uid, "resourceVersion": resource_version}
        if key.namespace:
            metadata["namespace"] = key.namespace
        body = {"apiVersion": API_VERSION, "kind": key.kind, "metadata": metadata, "status": dict(status)}
        query = [("fieldManager", FIELD_MANAGER), ("force", "true")]
        return await self._server.request("PATCH", f"{_path(key)}/status", query=query, body=body, content_type=APPLY)

    async def labelled(self, kind: str, namespace: str, label: str, value: str) -> list[Mapping[str, Any]]:
        """List the objects of a kind in a namespace that carry a label: a consistent read, page by page."""
        path = _list(kind, namespace)
        query, found, token = [("limit", str(_PAGE)), ("labelSelector", f"{label}={value}")], list[Mapping[str, Any]](), ""
        while True:
            page = await self._server.request("GET", path, query=[*query, ("continue", token)] if token else query)
            # Items of a list lack what the list itself says.
            found += [{"apiVersion": API_VERSION, "kind": kind, **item} for item in page["items"] or ()]
            token = page["metadata"].get("continue", "")
            if not token:
                return found

    async def create(self, key: ObjectKey, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Create an object. Raises Conflict where one of that name is there."""
        path, _, _ = _path(key).rpartition("/")
        return await self._server.request("POST", path, query=[("fieldManager", FIELD_MANAGER)], body=body)

    async def replace(self, key: ObjectKey, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Write an object back: with the resourceVersion that it was read with, so that nobody's change is overwritten."""
        return await self._server.request("PUT", _path(key), query=[("fieldManager", FIELD_MANAGER)], body=body)

    async def delete(self, key: ObjectKey, *, uid: str, resource_version: str) -> None:
        """Delete an object as it was read."""
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background", "preconditions": preconditions}
        with contextlib.suppress(NotFound):
            await self._server.request("DELETE", _path(key), body=body)

    def record(self, key: ObjectKey, uid: str, note: EventNote) -> None:
        """Record an Event without waiting for it."""
        self._recorder.record(key, uid, note)

    async def names(self, kind: str) -> AsyncIterator[tuple[str, str, str]]:
        """Yield (namespace, name, uid) of every object of a kind, page by page. Raises Retryable also where the CRD is not there (yet)."""
        for path in self._lists(kind):
            token = ""
            while True:
                page = await self._page(path, kind, _NAMES, token)
                for item in page["items"] or ():
                    meta = item["metadata"]
                    yield meta.get("namespace", ""), meta["name"], meta["uid"]
                token = page["metadata"].get("continue", "")
                if not token:
                    break

    async def count(self, kind: str) -> int:
        """Count the objects of a kind by reading one of them. Raises Retryable also where the CRD is not there (yet).

        The API server says with a page how many come after it ("remainingItemCount", an estimate by its documentation).
        """
        pages = [await self._page(path, kind, 1) for path in self._lists(kind)]
        return sum(len(page["items"] or ()) + page["metadata"].get("remainingItemCount", 0) for page in pages)

    def _lists(self, kind: str) -> list[str]:
        if kind in CLUSTER_SCOPED or not self._namespaces.watched:
            return [f"/apis/{GROUP}/{VERSION}/{PLURALS[kind]}"]
        return [_list(kind, namespace) for namespace in self._namespaces.open]

    async def _page(self, path: str, kind: str, limit: int, token: str = "") -> Mapping[str, Any]:
        query = [("limit", str(limit)), *([("continue", token)] if token else ())]
        try:
            return await self._server.request("GET", path, query=query, accept=NAMES_ONLY)
        except NotFound as error:
            raise Retryable(f"the Kubernetes API does not know {PLURALS[kind]}.{GROUP} {VERSION}: apply the CRDs (crds/)") from error

    async def refusal(self, namespace: str) -> str:
        """Say why a namespace may not be looked into; empty where it may. Raises Retryable as `count` does."""
        for kind in (k for k in PLURALS if k not in CLUSTER_SCOPED):
            try:
                await self._page(_list(kind, namespace), kind, 1)
            except Denied as refusal:
                return refusal.message
        return ""

    async def namespace_labels(self, namespace: str) -> Mapping[str, str] | None:
        """Return a Namespace's labels; None where it is gone or may not be read."""
        try:
            found = await self._server.request("GET", f"/api/v1/namespaces/{namespace}")
        except (NotFound, Denied):
            return None
        return dict(found["metadata"].get("labels") or {})

    async def has_policy(self, resource: str, name: str) -> bool:
        """Tell whether an object of admissionregistration.k8s.io/v1 is there: not so either where the cluster does not serve its kind."""
        try:
            await self._server.request("GET", f"/apis/admissionregistration.k8s.io/v1/{resource}/{name}")
        except NotFound:
            return False
        return True


def _path(key: ObjectKey) -> str:
    if key.kind in CLUSTER_SCOPED:
        return f"/apis/{GROUP}/{VERSION}/{PLURALS[key.kind]}/{key.name}"
    return f"{_list(key.kind, key.namespace)}/{key.name}"


def _list(kind: str, namespace: str) -> str:
    return f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{PLURALS[kind]}"
