"""Where a commit is: services by environments."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ecs_release.api.project import Project
from ecs_release.api.release import Release
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.domain.presence.answers import Graph
from ecs_release.domain.presence.claims import Claim, claim_of
from ecs_release.domain.presence.presence import Cell, Place, State, is_there, presence

Projects = Mapping[tuple[str, str], Project]
"""Projects by namespace and name."""
_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """A service of a Project, and where the commit is, by environment."""

    namespace: str
    project: str
    service: str
    cells: dict[str, Cell] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PresenceTable:
    """All services that are released somewhere."""

    environments: tuple[str, ...]
    rows: tuple[ServiceRow, ...]

    @property
    def cells(self) -> list[Cell]:
        """All cells."""
        return [cell for row in self.rows for cell in row.cells.values()]

    @property
    def is_live_everywhere(self) -> bool:
        """Whether the commit is live wherever tasks are to run, and somewhere at all."""
        runs = [c for c in self.cells if c.state is not State.NOTHING_RUNS or c.claimed]
        return bool(runs) and all(is_there(c) for c in runs)


def build(
    releases: Iterable[Release], sets: Iterable[ReleaseSet], projects: Projects, unobserved: Mapping[str, str], graph: Graph
) -> PresenceTable:
    """Arrange where a commit is; `unobserved` says of environments why it is not known what runs there."""
    found = places(releases, sets, projects, unobserved)
    rows: dict[_Key, ServiceRow] = {}
    for key, environment in sorted(found):
        rows.setdefault(key, ServiceRow(*key)).cells[environment] = presence(found[key, environment], graph)
    return PresenceTable(tuple(sorted({environment for _, environment in found})), tuple(rows.values()))


def places(
    releases: Iterable[Release], sets: Iterable[ReleaseSet], projects: Projects, unobserved: Mapping[str, str]
) -> dict[tuple[_Key, str], Place]:
    """Return each service in each environment: what is wanted there, and what runs. The key is namespace, Project and service."""
    found: dict[tuple[_Key, str], Place] = {}
    # Of two Releases that claim one service, the one that holds it is shown.
    for release in sorted(releases, key=_rank):
        spec, environment = release.spec, release.spec.environment_ref.name
        key = (release.metadata.namespace or "", spec.project_ref.name, spec.service)
        listed = _listed(projects, key)
        found.setdefault((key, environment), Place(spec.service, release, None, listed, unobserved.get(environment, "")))
    for release_set in sets:
        environment = release_set.spec.environment_ref.name
        for service in _services(release_set, projects):
            key = (release_set.metadata.namespace or "", release_set.spec.project_ref.name, service)
            own = found.get((key, environment))
            its = own.release if own is not None else None
            found[key, environment] = Place(service, its, release_set, _listed(projects, key), unobserved.get(environment, ""))
    return found


def narrowed(found: PresenceTable, environments: Collection[str] | None, services: Collection[str] | None) -> PresenceTable:
    """Leave out what is in none of some environments, and not of some services; None: all."""
    rows = [
        replace(row, cells={name: cell for name, cell in row.cells.items() if environments is None or name in environments})
        for row in found.rows
        if services is None or row.service in services
    ]
    kept = tuple(row for row in rows if row.cells)
    return PresenceTable(tuple(name for name in found.environments if any(name in row.cells for row in kept)), kept)


def _rank(release: Release) -> tuple[Claim, str]:
    return claim_of(release.status.conditions if release.status is not None else None), release.metadata.name


def _listed(projects: Projects, key: _Key) -> frozenset[str]:
    """Return the containers of a service that are released; none if its Project is not known."""
    project = projects.get(key[:2])
    entry = project.spec.by_service.get(key[2]) if project is not None else None
    return frozenset(c.name for c in entry[1].containers) if entry is not None else frozenset()


def _services(release_set: ReleaseSet, projects: Projects) -> Sequence[str]:
    """Return the services of a set: those that its spec names, else those of its service set, else those that its status has."""
    spec = release_set.spec
    if spec.services is not None:
        return spec.services
    project = projects.get((release_set.metadata.namespace or "", spec.project_ref.name))
    group = next((s for s in project.spec.service_sets if s.name == spec.service_set), None) if project is not None else None
    if group is not None:
        return [s.name for s in group.services]
    return [s.name for s in (release_set.status.services if release_set.status is not None else None) or ()]
