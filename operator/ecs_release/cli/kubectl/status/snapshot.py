"""What `status` shows: the ReleaseSet or Release, its children, its Environment; read once, or kept up to date by a feed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from ecs_release.api.environment import Environment
from ecs_release.api.names import ENVIRONMENT, LABEL_RELEASE_SET, RELEASE, RELEASE_SET
from ecs_release.api.release import Release
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.cli.kubectl.client.api_server import Api, Object
from ecs_release.cli.kubectl.status.informer import News, Selection
from ecs_release.cli.kubectl.terminal.errors import Denied, NotFound


@dataclass(frozen=True)
class Scene:
    """A moment. `body` is the object that was asked for; `children` are a set's Releases by name."""

    body: Object
    children: dict[str, Object] = field(default_factory=dict)
    environment_body: Object | None = None
    lost: str = ""

    @cached_property
    def release_set(self) -> ReleaseSet | None:
        """The set, where one was asked for."""
        return ReleaseSet.model_validate(self.body) if self.body["kind"] == RELEASE_SET else None

    @cached_property
    def release(self) -> Release | None:
        """The Release, where one was asked for."""
        return Release.model_validate(self.body) if self.body["kind"] == RELEASE else None

    @cached_property
    def environment(self) -> Environment | None:
        """The Environment, where it may be read."""
        return Environment.model_validate(self.environment_body) if self.environment_body else None

    @property
    def reference(self) -> str:
        """The object as kubectl names it."""
        return f"{self.body['kind'].lower()}/{self.body['metadata']['name']}"


def selections(body: Object) -> list[Selection]:
    """List what belongs to the scene of an object, the object itself first."""
    meta, spec = body["metadata"], body["spec"]
    found = [Selection(body["kind"], meta["namespace"], fields=f"metadata.name={meta['name']}")]
    if body["kind"] == RELEASE_SET:
        found.append(Selection(RELEASE, meta["namespace"], labels=f"{LABEL_RELEASE_SET}={meta['name']}"))
    # Environments are the platform team's: not everybody may read them.
    found.append(Selection(ENVIRONMENT, fields=f"metadata.name={spec['environmentRef']['name']}", optional=True))
    return found


def read(api: Api, body: Object) -> Scene:
    """Read what belongs to an object. Raises CommandError."""
    scene = Scene(body)
    for selection in selections(body)[1:]:
        try:
            listed = api.list(selection.kind, selection.namespace, labels=selection.labels, fields=selection.fields)
        except Denied:
            if not selection.optional:
                raise
            continue
        scene = _with(scene, News(selection, {o["metadata"]["name"]: o for o in listed}))
    return scene


def updated(scene: Scene, news: News) -> Scene:
    """Take news in. Raises NotFound where the object was deleted."""
    if news.lost:
        return Scene(scene.body, scene.children, scene.environment_body, news.lost)
    own = scene.body
    is_own = news.selection.kind == own["kind"] and not news.selection.labels
    if is_own and own["metadata"]["name"] not in news.objects:
        raise NotFound(f"{scene.reference} was deleted")
    if is_own and news.objects[own["metadata"]["name"]]["metadata"]["uid"] != own["metadata"]["uid"]:
        raise NotFound(f"{scene.reference} was deleted and created again")
    return _with(scene, news)


def _with(scene: Scene, news: News) -> Scene:
    kind = news.selection.kind
    if kind == ENVIRONMENT:
        return Scene(scene.body, scene.children, next(iter(news.objects.values()), None))
    if news.selection.labels:
        return Scene(scene.body, news.objects, scene.environment_body)
    return Scene(news.objects[scene.body["metadata"]["name"]], scene.children, scene.environment_body)
