"""The pages of single objects: a service in an environment, and a set. Each is also JSON at its address, and has a stream.

What does not exist and what somebody may not see is answered alike: nothing is looked up of a namespace that a viewer does not see.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import blake2b
from secrets import token_bytes
from typing import Any, TypeAlias

from aiohttp import web
from pydantic import ValidationError

from ecs_release.api.meta import to_time
from ecs_release.api.names import LABEL_RELEASE_SET, PROJECT, RELEASE, RELEASE_SET
from ecs_release.board.access import Sight
from ecs_release.board.documents import Documents
from ecs_release.board.feed import Subscription
from ecs_release.board.freshness import Freshness
from ecs_release.board.inventory import Inventory, Place, View
from ecs_release.board.ledger_history import LedgerHistory, LedgerPart
from ecs_release.board.page_feed import PageFeed
from ecs_release.board.server import Board, UnreadableError
from ecs_release.pages.addresses import SERVICES, SETS, STREAM
from ecs_release.pages.board_page import Frame
from ecs_release.pages.history import Code
from ecs_release.pages.service import details as service_details
from ecs_release.pages.service import page as service_page
from ecs_release.pages.service.details import Surroundings
from ecs_release.pages.sets import details as set_details
from ecs_release.pages.sets import page as set_page

_UNDER_WAY_S = 10.0
"""A set that is under way is drawn up to now, which is taken to be the same for so long."""


@dataclass(frozen=True, slots=True)
class ServiceTopic:
    """A service in an environment, and whether its viewers may see Environments."""

    place: Place
    sees_environments: bool


@dataclass(frozen=True, slots=True)
class SetTopic:
    """A ReleaseSet."""

    namespace: str
    name: str


Topic: TypeAlias = ServiceTopic | SetTopic


class ObjectPages:
    """The handlers."""

    def __init__(
        self, inventory: Inventory, documents: Documents, freshness: Freshness, hosts: Collection[str], now: Callable[[], datetime]
    ) -> None:
        """`hosts` are those that pages may link to, beside AWS's consoles. `attach` comes next."""
        self._inventory = inventory
        self._documents = documents
        self._freshness = freshness
        self._hosts = frozenset(hosts)
        self._now = now
        # Positions say nothing to another process, and nobody can count changes by them.
        self._key = token_bytes(16)
        self.feed: PageFeed[Topic] = PageFeed(self.position)
        self.ledger: LedgerHistory | None = None
        """The ledger, where there is one."""
        self._board: Board

    def close(self) -> None:
        """Ask nothing more."""
        if self.ledger is not None:
            self.ledger.close()

    def attach(self, board: Board) -> list[web.AbstractRouteDef]:
        """Return the routes, for the application of a board, which answers for them."""
        self._board = board
        service, release_set = f"{SERVICES}/{{namespace}}/{{project}}/{{service}}/{{environment}}", f"{SETS}/{{namespace}}/{{name}}"
        return [
            web.get(service, self.service),
            web.get(service + STREAM, self.service_events),
            web.get(release_set, self.release_set),
            web.get(release_set + STREAM, self.set_events),
        ]

    async def service(self, request: web.Request) -> web.Response:
        """Answer with the page of a service in an environment."""
        viewer, sight = await self._board.seen(request)
        topic = _service(request, sight)
        position = self._found(topic)
        if self.ledger is not None:
            await self.ledger.ask(topic.place)
            # Another one by now, and perhaps there is no such page any more.
            position = self._found(topic)
        make = partial(self._make_service, topic, self._board.frame(viewer), position)
        return await self._board.reply(request, (topic, position), make)

    async def service_events(self, request: web.Request) -> web.StreamResponse:
        """Have the page of a service loaded anew when it has changed."""
        return await self._events(request, _service)

    async def release_set(self, request: web.Request) -> web.Response:
        """Answer with the page of a set."""
        viewer, sight = await self._board.seen(request)
        topic = _set(request, sight)
        position = self._found(topic)
        make = partial(self._make_set, topic, self._board.frame(viewer), position)
        return await self._board.reply(request, (topic, position, self._now().timestamp() // _UNDER_WAY_S), make)

    async def set_events(self, request: web.Request) -> web.StreamResponse:
        """Have the page of a set loaded anew when it has changed."""
        return await self._events(request, _set)

    def position(self, topic: Topic) -> str:
        """Return where a page stands: another text after each change of what it shows; empty if there is no such page."""
        marks = self._service_marks(topic) if isinstance(topic, ServiceTopic) else self._set_marks(topic)
        return blake2b(repr(marks).encode(errors="replace"), key=self._key, digest_size=8).hexdigest() if marks is not None else ""

    async def _events(self, request: web.Request, topic_of: Callable[[web.Request, Sight], Topic]) -> web.StreamResponse:
        viewer, sight = await self._board.seen(request)
        topic = topic_of(request, sight)
        self._found(topic)
        subscribed: AbstractAsyncContextManager[Subscription[Any]] = self.feed.subscribed(topic, request.query.get("at", ""))
        return await self._board.stream(request, viewer, sight, subscribed)

    def _found(self, topic: Topic) -> str:
        """Return where a page stands. Raises HTTPNotFound if there is none."""
        position = self.position(topic)
        if not position:
            raise web.HTTPNotFound
        return position

    def _service_marks(self, topic: ServiceTopic) -> tuple[object, ...] | None:
        place, marks = topic.place, self._documents.mark
        entries = self._inventory.at(place)
        if not entries:
            return None
        column = self._inventory.column(_view(topic), place.environment)
        releases = [(e.cell.release, marks(RELEASE, place.namespace, e.cell.release)) for e in entries]
        # A set that comes or goes is a link more or less.
        sets = self._set_of(place, entries[0].cell.release)
        ledger = self.ledger.mark(place) if self.ledger is not None else 0
        return releases, marks(PROJECT, place.namespace, place.project), column, sets, ledger

    def _set_marks(self, topic: SetTopic) -> tuple[object, ...] | None:
        body = self._documents.get(RELEASE_SET, topic.namespace, topic.name)
        if body is None:
            return None
        marks = self._documents.mark
        children = [marks(RELEASE, topic.namespace, name) for name in set_details.child_names(body)]
        project = body["spec"]["projectRef"]["name"]
        return marks(RELEASE_SET, topic.namespace, topic.name), marks(PROJECT, topic.namespace, project), children

    def _make_service(self, topic: ServiceTopic, frame: Frame, position: str, *, as_json: bool) -> str:
        place, entries = topic.place, self._inventory.at(topic.place)
        shown, *others = entries
        body = self._documents.get(RELEASE, place.namespace, shown.cell.release)
        assert body is not None
        ledger = self.ledger.known(place) if self.ledger is not None else LedgerPart()
        around = Surroundings(
            column=self._inventory.column(_view(topic), place.environment),
            code=self._code(place.namespace, place.project),
            others=tuple(one.cell.release for one in others),
            release_set=self._set_of(place, shown.cell.release),
            of_ledger=ledger.attempts,
            ledger=ledger.note,
        )
        with _readable(f"Release {place.namespace}/{shown.cell.release}"):
            described = service_details.describe(body, shown, around, self._now())
        if as_json:
            return self._json(service_details.data(described))
        return service_page.render(frame, described, self._freshness.age, position)

    def _make_set(self, topic: SetTopic, frame: Frame, position: str, *, as_json: bool) -> str:
        body = self._documents.get(RELEASE_SET, topic.namespace, topic.name)
        assert body is not None
        namespace, project, environment = topic.namespace, body["spec"]["projectRef"]["name"], body["spec"]["environmentRef"]["name"]
        children = {name: child for name in set_details.child_names(body) if (child := self._documents.get(RELEASE, namespace, name))}
        services = {str(child["spec"]["service"]) for child in children.values()}
        paged = {name for name in services if self._inventory.at(Place(namespace, project, name, environment))}
        with _readable(f"ReleaseSet {namespace}/{topic.name}"):
            described = set_details.describe(body, children, paged, self._code(namespace, project), self._now())
        if as_json:
            return self._json(set_details.data(described))
        return set_page.render(frame, described, self._freshness.age, position)

    def _set_of(self, place: Place, release: str) -> str:
        """Return the name of the set that has made a Release, if it is there."""
        body = self._documents.get(RELEASE, place.namespace, release) or {}
        name = str((body.get("metadata", {}).get("labels") or {}).get(LABEL_RELEASE_SET) or "")
        return name if name and self._documents.mark(RELEASE_SET, place.namespace, name) else ""

    def _code(self, namespace: str, project: str) -> Code:
        spec: Mapping[str, Any] = (self._documents.get(PROJECT, namespace, project) or {}).get("spec") or {}
        repository = spec.get("repository") or (spec.get("git") or {}).get("url") or ""
        return Code(str(repository), self._hosts)

    def _json(self, found: dict[str, Any]) -> str:
        age = self._freshness.age
        found |= {"fresh": age.fresh}
        if not age.fresh:
            found["asOf"] = to_time(age.as_of) if age.as_of else None
        return json.dumps(found, separators=(",", ":"))


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Raise UnreadableError for an object that pydantic refuses."""
    try:
        yield
    except ValidationError as error:
        raise UnreadableError(f"{name} is there, but this version of the board cannot read it.") from error


def _service(request: web.Request, sight: Sight) -> ServiceTopic:
    place = Place(*(request.match_info[name] for name in ("namespace", "project", "service", "environment")))
    _check(sight, place.namespace)
    return ServiceTopic(place, sight.environments)


def _set(request: web.Request, sight: Sight) -> SetTopic:
    namespace, name = request.match_info["namespace"], request.match_info["name"]
    _check(sight, namespace)
    return SetTopic(namespace, name)


def _check(sight: Sight, namespace: str) -> None:
    """Raise HTTPNotFound for a namespace that may not be seen, as for what is not there."""
    if not sight.shows(namespace):
        raise web.HTTPNotFound


def _view(topic: ServiceTopic) -> View:
    return View(Sight(frozenset({topic.place.namespace}), environments=topic.sees_environments))
