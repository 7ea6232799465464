"""What the board knows: of each Release what a matrix shows of it, of each Environment its last sweep, and what has changed lately."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from markupsafe import Markup
from pydantic import ValidationError

from ecs_release.api.environment import Environment
from ecs_release.api.names import ENVIRONMENT, PROJECT, RELEASE, RELEASE_SET
from ecs_release.board.access import Sight
from ecs_release.pages.addresses import service_address
from ecs_release.pages.filters import Filters
from ecs_release.pages.matrix import Board, Column, Entry, MatrixCell, ServiceRow, arrange, column, entry
from ecs_release.pages.matrix_page import cell_id, render_cell
from ecs_release.pages.observation import Sweep, sweep_of, why_unobserved

log = logging.getLogger(__name__)

WATCHED = (RELEASE, ENVIRONMENT, RELEASE_SET, PROJECT)
REMEMBERED = 2000
"""Changes: a page that is older than these is loaded anew."""


class Place(NamedTuple):
    """A service in an environment: a cell."""

    namespace: str
    project: str
    service: str
    environment: str


class SetPlace(NamedTuple):
    """A service set of a Project in an environment: what a ReleaseSet releases."""

    namespace: str
    project: str
    service_set: str
    environment: str


@dataclass(frozen=True, slots=True)
class View:
    """What a viewer may see, and what of it their page is narrowed to."""

    sight: Sight
    filters: Filters = field(default_factory=Filters)

    def shows(self, of: Entry | SetPlace) -> bool:
        """Return whether a Release, or a ReleaseSet, is in it, as far as its names decide."""
        return self.sight.shows(of.namespace) and self.filters.admits(of.project, of.service_set, of.environment)


@dataclass(frozen=True, slots=True)
class Change:
    """A cell that has changed: what was there, and what is. Of a column, `environment` alone is set, `turned` if it became old or fresh.

    Of a ReleaseSet that came, changed or went `release_set` alone is set: no cell shows it, but other pages say what it waits for.
    """

    version: int
    before: Entry | None = None
    after: Entry | None = None
    environment: str = ""
    turned: bool = False
    release_set: SetPlace | None = None


class Inventory:
    """Is filled by the watch, and asked by pages. Its size is bounded by what is in the cluster: a few hundred bytes for each Release."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        """`on_change` is called after each change."""
        self._now = now
        self.on_change: Callable[[], None] = lambda: None
        self._entries: dict[tuple[str, str], Entry] = {}
        self._places: dict[Place, dict[str, Entry]] = {}
        self._html: dict[Place, tuple[MatrixCell, Markup]] = {}
        self._sweeps: dict[str, Sweep] = {}
        self._sets: dict[tuple[str, str], tuple[SetPlace, str]] = {}
        self._stale = frozenset[str]()
        self._namespaces: Counter[str] = Counter()
        self._changes: deque[Change] = deque(maxlen=REMEMBERED)
        self.version = 0

    def changed(self, kind: str, body: Mapping[str, Any]) -> None:
        """Take in an object that is there."""
        if kind != RELEASE:
            self._take_other(kind, body)
            return
        meta = body["metadata"]
        try:
            found = entry(body)
        except (ValidationError, ValueError, TypeError, AttributeError, LookupError) as error:
            # One that this version cannot read must not hide the others.
            log.warning("Release %s/%s is not shown: it cannot be read: %s", meta["namespace"], meta["name"], type(error).__name__)
            self.deleted(kind, meta["namespace"], meta["name"])
            return
        before = self._entries.get((meta["namespace"], meta["name"]))
        if before == found:
            return
        if before is not None and _place(before) != _place(found):
            self.deleted(kind, meta["namespace"], meta["name"])
        shown = self._shown(_place(found))
        if (meta["namespace"], meta["name"]) not in self._entries:
            self._namespaces[found.namespace] += 1
        self._entries[meta["namespace"], meta["name"]] = found
        self._places.setdefault(_place(found), {})[meta["name"]] = found
        self._note(_place(found), shown)

    def deleted(self, kind: str, namespace: str, name: str) -> None:
        """Forget an object."""
        if kind == ENVIRONMENT:
            if self._sweeps.pop(name, None) is not None:
                self._note_column(name, turned=True)
        elif kind == RELEASE_SET:
            if (gone := self._sets.pop((namespace, name), None)) is not None:
                self._add(Change(self.version + 1, release_set=gone[0]))
        elif kind == RELEASE:
            self._forget(namespace, name)

    def _forget(self, namespace: str, name: str) -> None:
        gone = self._entries.pop((namespace, name), None)
        if gone is None:
            return
        place = _place(gone)
        shown = self._shown(place)
        del self._places[place][name]
        if not self._places[place]:
            del self._places[place]
            self._html.pop(place, None)
        self._namespaces -= Counter({namespace: 1})
        self._note(place, shown)

    def retain(self, kind: str, there: set[tuple[str, str]], within: str = "") -> None:
        """Forget all objects of a kind but these, in a namespace or (empty) in all."""
        known = {ENVIRONMENT: [("", name) for name in self._sweeps], RELEASE: [*self._entries], RELEASE_SET: [*self._sets]}
        for namespace, name in known.get(kind, ()):
            if within in ("", namespace) and (namespace, name) not in there:
                self.deleted(kind, namespace, name)

    def turn(self) -> None:
        """Note the environments whose observation has become old, or fresh again, with time."""
        now = self._now()
        # A page that is being made may have kept a cell that is gone by now.
        for place in self._html.keys() - self._places.keys() if len(self._html) > len(self._places) else ():
            del self._html[place]
        stale = frozenset(name for name, sweep in self._sweeps.items() if sweep.is_stale(now))
        for name in sorted(stale ^ self._stale):
            self._note_column(name, turned=True)
        self._stale = stale

    @property
    def now(self) -> datetime:
        """The time by which observations are old."""
        return self._now()

    @property
    def namespaces(self) -> list[str]:
        """Namespaces that hold Releases."""
        return list(self._namespaces)

    def shows(self, sight: Sight) -> bool:
        """Return whether there are Releases that may be seen."""
        return any(sight.shows(namespace) for namespace in self._namespaces)

    def entries(self, sight: Sight) -> list[Entry]:
        """Return what may be seen."""
        return [e for e in self._entries.values() if sight.shows(e.namespace)]

    def entry(self, namespace: str, name: str) -> Entry | None:
        """Return what is known of a Release; None if it is not there."""
        return self._entries.get((namespace, name))

    def board(self, view: View) -> Board:
        """Return the board of a view, as it is now."""
        return self.taken(view)()

    def taken(self, view: View) -> Callable[[], Board]:
        """Take what is in a view, as it is now, and return what makes the board of it, in any thread."""
        entries, now = self.entries(view.sight), self._now()
        sweeps = dict(self._sweeps) if view.sight.environments else None
        return lambda: view.filters.narrow_rows(arrange(view.filters.narrow(entries), sweeps, now))

    def column(self, view: View, environment: str) -> Column:
        """Return the column of an environment as it is now."""
        readable = view.sight.environments
        return column(environment, self._sweeps.get(environment) if readable else None, self._now(), readable=readable)

    def unobserved(self, sight: Sight, names: Iterable[str]) -> dict[str, str]:
        """Return of which environments it is not known what runs there now, and why; none if Environments may not be seen."""
        if not sight.environments:
            return {}
        now = self._now()
        return {name: why for name in names if (why := why_unobserved(self._sweeps.get(name), name, now))}

    def cell(self, row: ServiceRow, environment: str, cell: MatrixCell) -> Markup:
        """Return the HTML of a cell, rendered once for all who may see it; in any thread."""
        place = Place(row.namespace, row.project, row.service, environment)
        kept = self._html.get(place)
        if kept is None or kept[0] is not cell:
            kept = self._html[place] = (cell, render_cell(cell_id(*place), cell, service_address(*place)))
        return kept[1]

    def at(self, place: Place) -> list[Entry]:
        """Return the Releases of a cell, first the one that is shown; none if there is no such cell."""
        return sorted(self._places.get(place, {}).values(), key=lambda e: e.rank)

    def sets(self, sight: Sight) -> dict[tuple[str, str, str], list[tuple[str, str]]]:
        """Return environments and names of the sets that may be seen, by namespace, Project and service set."""
        found: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
        for (namespace, name), (place, _) in sorted(self._sets.items(), key=lambda one: (one[1][0].environment, one[0])):
            if sight.shows(namespace):
                found.setdefault(place[:3], []).append((place.environment, name))
        return found

    def since(self, version: int) -> list[Change] | None:
        """Return what has changed after a version; None if that is not remembered."""
        if version > self.version or version < self.version - len(self._changes):
            return None
        newer = self.version - version
        return list(self._changes)[-newer:] if newer else []

    def _take_other(self, kind: str, body: Mapping[str, Any]) -> None:
        if kind == ENVIRONMENT:
            self._take_environment(body)
        elif kind == RELEASE_SET:
            meta, spec = body["metadata"], body["spec"]
            place = SetPlace(meta["namespace"], spec["projectRef"]["name"], spec["serviceSet"], spec["environmentRef"]["name"])
            its = (place, str(meta.get("resourceVersion") or ""))
            if self._sets.get((meta["namespace"], meta["name"])) != its:
                self._sets[meta["namespace"], meta["name"]] = its
                self._add(Change(self.version + 1, release_set=place))

    def _take_environment(self, body: Mapping[str, Any]) -> None:
        name = body["metadata"]["name"]
        try:
            sweep = sweep_of(Environment.model_validate(body))
        except ValidationError:
            log.warning("Environment %s is not shown: this version cannot read it", name)
            self.deleted(ENVIRONMENT, "", name)
            return
        before = self._sweeps.get(name)
        if before == sweep:
            return
        self._sweeps[name] = sweep
        now = self._now()
        turned = before is None or before.is_stale(now) != sweep.is_stale(now)
        self._stale = self._stale | {name} if sweep.is_stale(now) else self._stale - {name}
        self._note_column(name, turned=turned)

    def _shown(self, place: Place) -> Entry | None:
        return min(self._places.get(place, {}).values(), key=lambda e: e.rank, default=None)

    def _note(self, place: Place, before: Entry | None) -> None:
        after = self._shown(place)
        if before != after:
            self._add(Change(self.version + 1, before, after))

    def _note_column(self, environment: str, *, turned: bool) -> None:
        self._add(Change(self.version + 1, environment=environment, turned=turned))

    def _add(self, change: Change) -> None:
        self.version = change.version
        self._changes.append(change)
        self.on_change()


def _place(of: Entry) -> Place:
    return Place(of.namespace, of.project, of.service, of.environment)
