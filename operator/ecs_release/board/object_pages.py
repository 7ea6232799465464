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
from ecs_release.api.names import PROJECT, RELEASE, RELEASE_SET
from ecs_release.board.access import Sight
from ecs_release.board.documents import Documents, unpacked
from ecs_release.board.feed import Subscription
from ecs_release.board.freshness import Freshness
from ecs_release.board.inventory import Inventory, Place, View
from ecs_release.board.ledger_history import LedgerHistory, LedgerPart
from ecs_release.board.page_feed import PageFeed
from ecs_release.board.server import Board, UnreadableError
from ecs_release.domain.presence.claims import Claim
from ecs_release.pages.addresses import SERVICES, SETS, STREAM
from ecs_release.pages.board_page import Age, Frame
from ecs_release.pages.history import Code
from ecs_release.pages.service import details as service_details
from ecs_release.pages.service import page as service_page
from ecs_release.pages.service.details import OtherClaim, Surroundings
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
    """A ReleaseSet, and whether its viewers may see Environments."""

    namespace: str
    name: str
    sees_environments: bool


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
        taken = partial(self._take_service, topic, self._board.frame(viewer), position)
        return await self._board.reply(request, (topic, position), taken)

    async def service_events(self, request: web.Request) -> web.StreamResponse:
        """Have the page of a service loaded anew when it has changed."""
        return await self._events(request, _service)

    async def release_set(self, request: web.Request) -> web.Response:
        """Answer with the page of a set."""
        viewer, sight = await self._board.seen(request)
        topic = _set(request, sight)
        position = self._found(topic)
        taken = partial(self._take_set, topic, self._board.frame(viewer), position)
        return await self._board.reply(request, (topic, position, self._now().timestamp() // _UNDER_WAY_S), taken)

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
        marks, namespace = self._documents.mark, topic.namespace
        if not (its := marks(RELEASE_SET, namespace, topic.name)):
            return None
        names = self._documents.names(RELEASE_SET, namespace, topic.name)
        column = self._inventory.column(_view(topic), names.environment)
        return its, marks(PROJECT, namespace, names.project), [marks(RELEASE, namespace, name) for name in names.children], column

    def _take_service(self, topic: ServiceTopic, frame: Frame, position: str, *, as_json: bool) -> Callable[[], str]:
        place, entries = topic.place, self._inventory.at(topic.place)
        shown, *others = entries
        packed = self._documents.packed(RELEASE, place.namespace, shown.cell.release)
        assert packed is not None
        ledger = self.ledger.known(place) if self.ledger is not None else LedgerPart()
        around = Surroundings(
            column=self._inventory.column(_view(topic), place.environment),
            code=self._code(place.namespace, place.project),
            others=tuple(OtherClaim(one.cell.release, refused=one.claim is Claim.REFUSED) for one in others),
            release_set=self._set_of(place, shown.cell.release),
            of_ledger=ledger.attempts,
            ledger=ledger.note,
        )
        now, age = self._now(), self._freshness.age

        def make() -> str:
            with _readable(f"Release {place.namespace}/{shown.cell.release}"):
                described = service_details.describe(unpacked(packed), shown, around, now)
            return _json(service_details.data(described), age) if as_json else service_page.render(frame, described, age, position)

        return make

    def _take_set(self, topic: SetTopic, frame: Frame, position: str, *, as_json: bool) -> Callable[[], str]:
        namespace, packed = topic.namespace, self._documents.packed(RELEASE_SET, topic.namespace, topic.name)
        assert packed is not None
        names = self._documents.names(RELEASE_SET, namespace, topic.name)
        children = {name: its for name in names.children if (its := self._documents.packed(RELEASE, namespace, name))}
        entries = [entry for name in children if (entry := self._inventory.entry(namespace, name))]
        paged = {e.service for e in entries if self._inventory.at(Place(namespace, names.project, e.service, names.environment))}
        column, code = self._inventory.column(_view(topic), names.environment), self._code(namespace, names.project)
        now, age = self._now(), self._freshness.age

        def make() -> str:
            with _readable(f"ReleaseSet {namespace}/{topic.name}"):
                bodies = {name: unpacked(its) for name, its in children.items()}
                described = set_details.describe(unpacked(packed), bodies, paged, column, code, now)
            return _json(set_details.data(described), age) if as_json else set_page.render(frame, described, age, position)

        return make

    def _set_of(self, place: Place, release: str) -> str:
        """Return the name of the set that has made a Release, if it is there."""
        name = self._documents.names(RELEASE, place.namespace, release).release_set
        return name if name and self._documents.mark(RELEASE_SET, place.namespace, name) else ""

    def _code(self, namespace: str, project: str) -> Code:
        spec: Mapping[str, Any] = (self._documents.get(PROJECT, namespace, project) or {}).get("spec") or {}
        repository = spec.get("repository") or (spec.get("git") or {}).get("url") or ""
        return Code(str(repository), self._hosts)


def _json(found: dict[str, Any], age: Age) -> str:
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
    return SetTopic(namespace, name, sight.environments)


def _check(sight: Sight, namespace: str) -> None:
    """Raise HTTPNotFound for a namespace that may not be seen, as for what is not there."""
    if not sight.shows(namespace):
        raise web.HTTPNotFound


def _view(topic: Topic) -> View:
    namespace = topic.place.namespace if isinstance(topic, ServiceTopic) else topic.namespace
    return View(Sight(frozenset({namespace}), environments=topic.sees_environments))
