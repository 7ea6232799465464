"""The API server: objects with resourceVersion and generation, and whoever watches them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeAlias

from tests.model.world import Snapshots, Timeline

Body: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[str, str, str]
"""Kind, namespace (empty for what is in none) and name."""


class Conflicts(Exception):
    """The object has moved on, or another one of its name is there."""


class Gone(Exception):
    """There is no such object."""


class Objects:
    """All objects. A body that was handed out is never changed."""

    def __init__(self, timeline: Timeline, began: str) -> None:
        """`began` is when all objects were made, in RFC 3339."""
        self.timeline = timeline
        self.began = began
        self.bodies: dict[Key, Body] = {}
        self.history: dict[Key, Snapshots[Body | None]] = {}
        self.watchers: list[Callable[[Key, Body | None, str], None]] = []
        self._version = 1000

    def get(self, key: Key) -> Body | None:
        """Read an object."""
        return self.bodies.get(key)

    def of_kind(self, kind: str) -> list[tuple[Key, Body]]:
        """List the objects of a kind."""
        return [(k, b) for k, b in self.bodies.items() if k[0] == kind]

    def create(self, key: Key, spec: Body, **metadata: Any) -> Body:
        """Create an object. Raises Conflicts where one is there."""
        if key in self.bodies:
            raise Conflicts
        self._version += 1
        made = {"name": key[2], "uid": f"uid-{self._version}", "generation": 1, "creationTimestamp": self.began, **metadata}
        if key[1]:
            made["namespace"] = key[1]
        return self._set(key, {"apiVersion": "ecs-release.dev/v1alpha1", "kind": key[0], "metadata": made, "spec": copy.deepcopy(spec)})

    def edit(self, key: Key, change: Callable[[Body], None]) -> Body:
        """Change spec or metadata as people do; status stays."""
        if key not in self.bodies:
            raise Gone
        body = copy.deepcopy(self.bodies[key])
        change(body)
        body["metadata"]["generation"] += body["spec"] != self.bodies[key]["spec"]
        return self._set(key, body)

    def write_status(self, key: Key, status: Body, uid: str, version: str) -> Body:
        """Replace a status. Raises Conflicts and Gone. A write that changes nothing makes no new version."""
        body = self.bodies.get(key)
        if body is None:
            raise Gone
        if body["metadata"]["uid"] != uid or body["metadata"]["resourceVersion"] != version:
            raise Conflicts
        if body.get("status") == status:
            return body
        return self._set(key, {**body, "status": status})

    def replace(self, key: Key, body: Body) -> Body:
        """Write an object back. Raises Conflicts and Gone."""
        known = self.bodies.get(key)
        if known is None:
            raise Gone
        if known["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            raise Conflicts
        return self.edit(key, lambda new: new.update({k: copy.deepcopy(body[k]) for k in ("metadata", "spec")}))

    def delete(self, key: Key, uid: str = "") -> None:
        """Delete an object, and what it owns."""
        body = self.bodies.get(key)
        if body is None:
            return
        if uid and body["metadata"]["uid"] != uid:
            raise Conflicts
        del self.bodies[key]
        self.history[key].set(None)
        self._tell(key, None, body["metadata"]["uid"])
        for other, its in list(self.bodies.items()):
            if any(o["uid"] == body["metadata"]["uid"] for o in its["metadata"].get("ownerReferences") or ()):
                self.delete(other)

    def _set(self, key: Key, body: Body) -> Body:
        self._version += 1
        metadata = {**body["metadata"], "resourceVersion": str(self._version)}
        made = {**body, "metadata": metadata}
        self.bodies[key] = made
        if key not in self.history:
            self.history[key] = Snapshots(self.timeline)
        self.history[key].set(made)
        self._tell(key, made, metadata["uid"])
        return made

    def _tell(self, key: Key, body: Body | None, uid: str) -> None:
        for watcher in list(self.watchers):
            watcher(key, body, uid)
