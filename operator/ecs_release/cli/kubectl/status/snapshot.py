"""What `status` shows: the ReleaseSet or Release, its children, its Environment; read once, or updated by an informer."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from ecs_release.api.environment import Environment
from ecs_release.api.names import ENVIRONMENT, LABEL_RELEASE_SET, RELEASE, RELEASE_SET
from ecs_release.api.release import Release
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.cli.kubectl.client.api_server import Api, Object
from ecs_release.cli.kubectl.status.informer import Selection, Update
from ecs_release.cli.kubectl.terminal.errors import Denied, NotFound


@dataclass(frozen=True)
class Snapshot:
    """The objects at one point in time. `body` is the requested object; `children` are a set's Releases by name."""

    body: Object
    children: dict[str, Object] = field(default_factory=dict)
    environment_body: Object | None = None
    connection_error: str = ""

    @cached_property
    def release_set(self) -> ReleaseSet | None:
        """The ReleaseSet, if `body` is one."""
        return ReleaseSet.model_validate(self.body) if self.body["kind"] == RELEASE_SET else None

    @cached_property
    def release(self) -> Release | None:
        """The Release, if `body` is one."""
        return Release.model_validate(self.body) if self.body["kind"] == RELEASE else None

    @cached_property
    def environment(self) -> Environment | None:
        """The Environment, if it may be read."""
        return Environment.model_validate(self.environment_body) if self.environment_body else None

    @property
    def reference(self) -> str:
        """The object as kubectl names it."""
        return f"{self.body['kind'].lower()}/{self.body['metadata']['name']}"


def selections(body: Object) -> list[Selection]:
    """Return the selections of an object and what belongs to it, the object itself first."""
    meta, spec = body["metadata"], body["spec"]
    found = [Selection(body["kind"], meta["namespace"], fields=f"metadata.name={meta['name']}")]
    if body["kind"] == RELEASE_SET:
        found.append(Selection(RELEASE, meta["namespace"], labels=f"{LABEL_RELEASE_SET}={meta['name']}"))
    # Environments belong to the platform team: not everybody may read them.
    found.append(Selection(ENVIRONMENT, fields=f"metadata.name={spec['environmentRef']['name']}", optional=True))
    return found


def read(api: Api, body: Object) -> Snapshot:
    """Read an object's children and its Environment. Raises CommandError."""
    snapshot = Snapshot(body)
    for selection in selections(body)[1:]:
        try:
            listed = api.list(selection.kind, selection.namespace, labels=selection.labels, fields=selection.fields)
        except Denied:
            if not selection.optional:
                raise
            continue
        snapshot = _with(snapshot, Update(selection, {o["metadata"]["name"]: o for o in listed}))
    return snapshot


def updated(snapshot: Snapshot, update: Update) -> Snapshot:
    """Return the snapshot with an update applied. Raises NotFound if the object was deleted."""
    if update.connection_error:
        return Snapshot(snapshot.body, snapshot.children, snapshot.environment_body, update.connection_error)
    own = snapshot.body
    is_own = update.selection.kind == own["kind"] and not update.selection.labels
    if is_own and own["metadata"]["name"] not in update.objects:
        raise NotFound(f"{snapshot.reference} was deleted")
    if is_own and update.objects[own["metadata"]["name"]]["metadata"]["uid"] != own["metadata"]["uid"]:
        raise NotFound(f"{snapshot.reference} was deleted and created again")
    return _with(snapshot, update)


def _with(snapshot: Snapshot, update: Update) -> Snapshot:
    kind = update.selection.kind
    if kind == ENVIRONMENT:
        return Snapshot(snapshot.body, snapshot.children, next(iter(update.objects.values()), None))
    if update.selection.labels:
        return Snapshot(snapshot.body, update.objects, snapshot.environment_body)
    return Snapshot(update.objects[snapshot.body["metadata"]["name"]], snapshot.children, snapshot.environment_body)
