"""Reads what a view is made of: the object as it stands now, and a set's children."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ecs_release.api.environment import Environment
from ecs_release.api.names import LABEL_RELEASE_SET, RELEASE, RELEASE_SET
from ecs_release.api.project import Project
from ecs_release.api.release import Release
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.api.view_status import View
from ecs_release.domain.model.parsing import read_object
from ecs_release.domain.ports.protocols import Cluster, ObjectKey
from ecs_release.domain.views import shown
from ecs_release.domain.views.shown import Shown
from ecs_release.engine.store.store import Store

_MOST_CHILDREN = 100


@dataclass(frozen=True, slots=True)
class Seen:
    """An object as it was read: its deployment sets, newest first, what is overdue, and the views that its status has."""

    body: dict[str, Any]
    sets: tuple[Shown, ...]
    views: tuple[View, ...]
    environment: Environment
    project: Project


class Subjects:
    """Reads ReleaseSets, and Releases that no set controls."""

    def __init__(self, store: Store, cluster: Cluster, installation: str) -> None:
        """Objects are read by `cluster`; Projects and Environments are the store's."""
        self._store = store
        self._cluster = cluster
        self._installation = installation

    async def read(self, key: ObjectKey) -> Seen | None:
        """Read an object. None if there is nothing to show of it: it is gone, or a set's, or its Project cannot be read.

        Raises Retryable if the API server does not answer, and Blocked if the object cannot be read.
        """
        body = await self._cluster.get(key)
        if body is None or "deletionTimestamp" in body["metadata"]:
            return None
        spec = body["spec"]
        environment = self._store.environments.get(spec["environmentRef"]["name"])
        project = self._store.project(key.namespace, spec["projectRef"]["name"])
        if not isinstance(environment, Environment) or not isinstance(project, Project):
            return None
        if key.kind == RELEASE_SET:
            release_set = read_object(ReleaseSet, body)
            views = (release_set.status.views if release_set.status else None) or ()
            children = await self._children(key, release_set)
            sets = shown.deployment_sets(release_set, children, self._installation)
            late = shown.overdue(release_set, children, release_set.spec.service_set, self._installation)
            return Seen(dict(body), (*sets, late), tuple(views), environment, project)
        release = read_object(Release, body)
        if any(owner.controller for owner in release.metadata.owner_references or ()):
            return None
        service_set, _ = project.spec.by_service.get(release.spec.service, ("", None))
        sets = shown.attempts(release, service_set, self._installation)
        late = shown.overdue(release, [release], service_set, self._installation)
        views = (release.status.views if release.status else None) or ()
        return Seen(dict(body), (*sets, late), tuple(views), environment, project)

    async def write(self, key: ObjectKey, body: dict[str, Any], views: tuple[View, ...]) -> dict[str, Any]:
        """Write an object's views. Returns it as written. Raises Conflict if it has moved on, NotFound if it is gone."""
        status = {**(body.get("status") or {}), "views": [view.to_kubernetes() for view in views]}
        meta = body["metadata"]
        written = await self._cluster.write_status(key, status, uid=meta["uid"], resource_version=meta["resourceVersion"])
        self._store.wrote(written)
        return dict(written)

    async def _children(self, key: ObjectKey, release_set: ReleaseSet) -> list[Release]:
        found = await self._cluster.list_labelled(RELEASE, key.namespace, LABEL_RELEASE_SET, key.name, most=_MOST_CHILDREN)
        children = [read_object(Release, body) for body in found or ()]
        uid = release_set.metadata.uid
        return [c for c in children if any(o.controller and o.uid == uid for o in c.metadata.owner_references or ())]
