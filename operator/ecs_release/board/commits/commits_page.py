"""The page of commits and environments."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from ecs_release.api.names import PROJECT, RELEASE, RELEASE_SET
from ecs_release.api.project import Project
from ecs_release.api.release import Release
from ecs_release.api.releaseset import ReleaseSet
from ecs_release.board.access import Sight
from ecs_release.board.commits.ancestry import MOST_HASHES, Ancestry, History
from ecs_release.board.commits.records import Records
from ecs_release.board.documents import Documents, unpacked
from ecs_release.board.feed import Feed
from ecs_release.board.freshness import Freshness
from ecs_release.board.inventory import Inventory
from ecs_release.board.making import Making
from ecs_release.board.server import Board
from ecs_release.domain.ports.commits import Commit, Repository, Unknown
from ecs_release.domain.presence import table
from ecs_release.pages.commits import page
from ecs_release.pages.commits.filters import CommitFilters, parse_commits
from ecs_release.pages.commits.page import CommitsOfProject
from ecs_release.pages.commits.places import Group, ServicePlace, service_places, standings
from ecs_release.pages.matrix import Entry
from ecs_release.pages.observation import UNTOLD

log = logging.getLogger(__name__)

M = TypeVar("M", bound=BaseModel)

_PATH = "/commits"
_MOST_PLACES, _MOST_COMMITS, _PAGES = 200, 50, 16
_NO_SERVICE = "This board has no commits service: how commits relate is not known to it."
_OLDER = "It is older than what the Releases of the Project remember, or on no branch: its subject is not known here."
_NOT_THERE = "There is no such Project that says where its commits are (spec.git), or you may not see it."


class CommitsPage:
    """Says of the newest commits of a Project, or of one that is looked for, where they are."""

    def __init__(
        self,
        inventory: Inventory,
        documents: Documents,
        records: Records,
        ancestry: Ancestry,
        freshness: Freshness,
        feed: Feed,
        hosts: Collection[str],
    ) -> None:
        """`hosts` are those that it may link to."""
        self._inventory = inventory
        self._documents = documents
        self._records = records
        self._ancestry = ancestry
        self._freshness = freshness
        self._feed = feed
        self._hosts = frozenset(hosts)
        self._places: Making[tuple[object, ...], list[ServicePlace]] = Making(_PAGES)
        self._standings: Making[tuple[object, ...], dict[str, dict[str, list[Group]]]] = Making(_PAGES)

    def routes(self, board: Board) -> list[web.AbstractRouteDef]:
        """Return the routes, for the application of a board, which answers for them."""
        return [web.get(_PATH, partial(self._answer, board))]

    async def _answer(self, board: Board, request: web.Request) -> web.Response:
        viewer, sight = await board.seen(request)
        filters = parse_commits(request.query)
        # All as it is before anything is waited for: what changes meanwhile makes another page, and is sent to this one.
        frame, age, position = board.frame(viewer), self._freshness.age, self._feed.position
        known: tuple[object, ...] = (self._inventory.version, self._records.version, self._ancestry.version)
        entries = self._entries(sight)
        if not filters.project and len(entries) == 1:
            filters = replace(filters, project=next(iter(entries)))
        found = CommitsOfProject(filters, self._inventory.now, tuple(sorted(entries)))
        if not self._ancestry.is_asked:
            found = replace(found, notes=(_NO_SERVICE,))
        elif filters.project in entries:
            found = await self._found(found, sight, entries[filters.project])
        elif filters.project:
            found = replace(found, notes=(_NOT_THERE,))

        def make(*, as_json: bool) -> str:
            if as_json:
                return json.dumps(page.data(found, age), separators=(",", ":"))
            return page.html(frame, found, age, position, self._hosts)

        key = (_PATH, sight, filters, viewer is None, *known, found.awaited)
        return await board.reply(request, key, lambda as_json: partial(make, as_json=as_json))

    def _entries(self, sight: Sight) -> dict[str, list[Entry]]:
        """Return the Releases that may be seen, by the Projects that say where their commits are."""
        found: dict[str, list[Entry]] = {}
        for entry in self._inventory.entries(sight):
            code = self._records.code.get((entry.namespace, entry.project))
            if code is not None and code.repository is not None:
                found.setdefault(f"{entry.namespace}/{entry.project}", []).append(entry)
        return found

    async def _found(self, found: CommitsOfProject, sight: Sight, entries: Sequence[Entry]) -> CommitsOfProject:
        filters, one = found.filters, entries[0]
        code = self._records.code[one.namespace, one.project]
        assert code.repository is not None
        found = replace(found, repository=code.link, services=tuple(sorted({e.service for e in entries})))
        chosen = [
            e for e in entries if filters.service in ("", e.service) and filters.environment in ("", e.environment)
        ]  # fmt: skip
        if len(chosen) > _MOST_PLACES:
            return replace(found, notes=(f"This Project has {len(chosen)} Releases, and {_MOST_PLACES} can be shown: choose a service.",))
        places_key, places = await self._service_places(sight, chosen, filters)
        found = replace(found, environments=tuple(sorted({p.environment for p in places})))
        hashes = sorted({h for p in places for h in p.hashes})
        history = await self._ancestry.history(code.repository, hashes)
        commits, note = await self._commits(history, code.repository, filters)
        listed = commits[:_MOST_COMMITS]
        relations, awaited = await self._ancestry.relations(history, [c.hash for c in listed], hashes)
        history = replace(history, relations=relations, awaited=history.awaited or awaited)
        untold = UNTOLD if listed and not sight.environments else ""
        notes = [n for n in (note, history.why, self._cut(hashes), untold, _awaited(history)) if n]
        key = (places_key, self._ancestry.version, history.awaited, tuple(c.hash for c in listed))
        by_commit = await self._standings.get(key, lambda: partial(standings, [c.hash for c in listed], places, history.contains))
        return replace(
            found, commits=tuple(listed), total=len(commits), standings=by_commit, notes=tuple(notes), awaited=history.awaited
        )  # fmt: skip

    @staticmethod
    def _cut(hashes: Sequence[str]) -> str:
        return f"Of {len(hashes)} release hashes {MOST_HASHES} were asked about: choose a service." if len(hashes) > MOST_HASHES else ""

    async def _commits(self, history: History, repository: Repository, filters: CommitFilters) -> tuple[list[Commit], str]:
        """Return the commits that fit, and what there is to say if none does."""
        fitting = [c for c in history.newest if filters.admits(c)]
        if fitting or history.awaited:
            return fitting, ""
        if not filters.commit or filters.author:
            return [], "" if history.why else "No commit is like that, among those since the oldest that its Releases remember."
        found = await self._ancestry.full_hash(repository, filters.commit)
        if isinstance(found, Unknown):
            return [], found.message
        if found is None:
            return [], "It is being asked for: try again in a moment."
        return [Commit(found, "", "", None)], _OLDER

    async def _service_places(
        self, sight: Sight, entries: Sequence[Entry], filters: CommitFilters
    ) -> tuple[tuple[object, ...], list[ServicePlace]]:
        """Return the services in their environments, read once until one of their objects changes, and a key that changes with them."""
        namespace, project = entries[0].namespace if entries else "", entries[0].project if entries else ""
        names = sorted(e.cell.release for e in entries)
        sets = sorted(self._records.sets_of(namespace, project))
        unobserved = self._inventory.unobserved(sight, {e.environment for e in entries})
        wanted = [*((RELEASE, name) for name in names), *((RELEASE_SET, name) for name in sets)]
        marks = [self._documents.mark(kind, namespace, name) for kind, name in wanted]
        key = (namespace, project, filters.service, filters.environment, tuple(marks), tuple(sorted(unobserved.items())))

        def take() -> Callable[[], list[ServicePlace]]:
            packed = [its for kind, name in wanted if (its := self._documents.packed(kind, namespace, name)) is not None]
            return partial(_read, packed, self._documents.packed(PROJECT, namespace, project), unobserved, filters)

        return key, await self._places.get(key, take)


def _read(packed: Iterable[bytes], its: bytes | None, unobserved: dict[str, str], filters: CommitFilters) -> list[ServicePlace]:
    bodies = [unpacked(one) for one in packed]
    releases, sets = ([body for body in bodies if body["kind"] == kind] for kind in (RELEASE, RELEASE_SET))
    projects = {(p.metadata.namespace or "", p.metadata.name): p for p in _parsed(Project, [unpacked(its)] if its is not None else [])}
    found = table.places(_parsed(Release, releases), _parsed(ReleaseSet, sets), projects, unobserved)
    return [
        one
        for one in service_places(found)
        if filters.service in ("", one.service) and filters.environment in ("", one.environment)
    ]  # fmt: skip


def _parsed(model: type[M], bodies: Iterable[dict[str, Any]]) -> list[M]:
    found = []
    for body in bodies:
        try:
            found.append(model.model_validate(body))
        except ValidationError:
            # One that this version cannot read must not hide the others.
            log.warning("%s %s/%s is not shown: it cannot be read", body["kind"], body["metadata"]["namespace"], body["metadata"]["name"])
    return found


def _awaited(history: History) -> str:
    return "Not all of it is known yet: the commits service is being asked." if history.awaited else ""
