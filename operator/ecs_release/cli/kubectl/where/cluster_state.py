"""What the cluster says of some Projects: Releases, ReleaseSets and Environments, read once or followed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from ecs_release.api.environment import Environment
from ecs_release.api.names import ENVIRONMENT, RELEASE, RELEASE_SET
from ecs_release.api.release import Release
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.cli.kubectl.client.api_server import Api, Object
from ecs_release.cli.kubectl.status.informer import Selection
from ecs_release.cli.kubectl.terminal.errors import Denied
from ecs_release.pages.observation import sweep_of, why_unobserved


@dataclass
class ClusterState:
    """The objects of each selection. `refused` says why Environments may not be read: then it is not known how old anything is."""

    selections: list[Selection]
    objects: dict[Selection, list[Object]] = field(default_factory=dict)
    refused: str = ""

    def of_kind(self, kind: str) -> list[Object]:
        """Return all objects of a kind."""
        return [o for selection, objects in self.objects.items() if selection.kind == kind for o in objects]

    def unobserved(self, now: datetime) -> dict[str, str]:
        """Return of which environments it is not known what runs there now, and why."""
        if self.refused:
            return {}
        known = {e["metadata"]["name"]: sweep_of(Environment.model_validate(e)) for e in self.of_kind(ENVIRONMENT)}
        named = {o["spec"]["environmentRef"]["name"] for kind in (RELEASE, RELEASE_SET) for o in self.of_kind(kind)}
        return {name: why for name in named if (why := why_unobserved(known.get(name), name, now))}


def selections(namespaces: list[str], project: str | None) -> list[Selection]:
    """Return what is read: a namespace of "" means all; `project` leaves out what is of others."""
    fields = f"spec.projectRef.name={project}" if project else ""
    found = [Selection(kind, namespace, fields=fields) for namespace in namespaces for kind in (RELEASE, RELEASE_SET)]
    return [*found, Selection(ENVIRONMENT)]


def read(api: Api, wanted: list[Selection]) -> ClusterState:
    """Read the objects of some selections. Raises CommandError; not for Environments, which not everybody may read."""
    state = ClusterState(list(wanted))
    for selection in wanted:
        try:
            state.objects[selection] = api.list(selection.kind, selection.namespace, fields=selection.fields)
        except Denied as refusal:
            if selection.kind != ENVIRONMENT:
                raise
            state.refused = str(refusal)
            state.selections.remove(selection)
    return state


def releases(state: ClusterState, projects: set[tuple[str, str]]) -> Iterator[Release]:
    """Yield the Releases of some Projects."""
    yield from (Release.model_validate(o) for o in state.of_kind(RELEASE) if project_of(o) in projects)


def sets(state: ClusterState, projects: set[tuple[str, str]]) -> Iterator[ReleaseSet]:
    """Yield the ReleaseSets of some Projects."""
    yield from (ReleaseSet.model_validate(o) for o in state.of_kind(RELEASE_SET) if project_of(o) in projects)


def project_of(body: Object) -> tuple[str, str]:
    """Return the namespace and the name of the Project of a Release or a ReleaseSet."""
    return body["metadata"]["namespace"], body["spec"]["projectRef"]["name"]
