"""What the board answers: the matrix as a page and as JSON, and the stream of what changes in it; and what all pages share."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from ecs_release.api.meta import to_time
from ecs_release.board.access import Access, AccessUnknownError, Sight
from ecs_release.board.assets import StaticFiles
from ecs_release.board.config import BoardSettings
from ecs_release.board.feed import Feed, Subscription, reload_event, state_event
from ecs_release.board.freshness import Freshness
from ecs_release.board.guard import add_headers, guard
from ecs_release.board.inventory import Inventory, View
from ecs_release.board.login import Login
from ecs_release.board.making import BusyError, Making
from ecs_release.board.viewer import LoginUnavailableError, UnknownViewerError, Viewer
from ecs_release.pages import board_page
from ecs_release.pages.board_page import Frame
from ecs_release.pages.filters import FilterError, parse
from ecs_release.pages.matrix import data

log = logging.getLogger(__name__)

_BEAT_S, _SEND_S = 15.0, 15.0
_STREAM_S = 3600.0
"""How long a stream goes on: then the page asks for another one, so that the login is asked who they are, and in which groups."""
_STREAMS_OF_ONE = 50
_PAGES = 64
_LEVEL = 5


class UnreadableError(Exception):
    """An object that this version cannot read; the message says which."""


_REFUSALS: dict[type[Exception], tuple[int, str]] = {
    FilterError: (400, "Not understood"),
    UnknownViewerError: (401, "Who are you?"),
    LoginUnavailableError: (503, "Not now"),
    AccessUnknownError: (503, "Not now"),
    BusyError: (503, "Not now"),
    UnreadableError: (500, "Not readable"),
}


class Board:
    """The handlers, and what they ask."""

    def __init__(
        self, settings: BoardSettings, login: Login, inventory: Inventory, freshness: Freshness, feed: Feed, access: Access
    ) -> None:
        """All of them are run, and closed, by their owner."""
        self._settings = settings
        self._login = login
        self._inventory = inventory
        self._freshness = freshness
        self._feed = feed
        self._access = access
        self._files = StaticFiles()
        self._pages: Making[tuple[object, ...], bytes] = Making(_PAGES)
        self._streams: dict[Viewer | None, int] = {}

    def application(self, routes: Iterable[web.AbstractRouteDef] = ()) -> web.Application:
        """Make the application; `routes` are those of more pages."""
        made = web.Application(middlewares=[guard(self._settings.hosts), self._explained], client_max_size=1024)
        made.on_response_prepare.append(add_headers)
        # Nothing but GET and HEAD has a route.
        made.add_routes(
            [web.get("/", self.matrix), web.get("/events", self.events), web.get("/static/{name}", self._files.answer), *routes]
        )
        return made

    async def matrix(self, request: web.Request) -> web.Response:
        """Answer with the matrix."""
        viewer, sight = await self.seen(request)
        view = View(sight, parse(request.query))
        # Whoever sees nothing is told who they are; all others with the same rights share a page.
        named = viewer if not self._inventory.shows(sight) else None
        left_out = tuple(sorted(filter(sight.shows, self._freshness.left_out)))

        def taken(*, as_json: bool) -> Callable[[], str]:
            return self._json(view, left_out) if as_json else self._html(view, left_out, viewer)

        return await self.reply(request, (view, self._inventory.version, left_out, named), taken)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Send what changes in a view, until the viewer leaves or may see something else."""
        viewer, sight = await self.seen(request)
        view = View(sight, parse(request.query))
        return await self.stream(request, viewer, sight, self._feed.subscribed(view, request.query.get("at", "")))

    async def seen(self, request: web.Request) -> tuple[Viewer | None, Sight]:
        """Return who looks, and what they may see. Raises what `application` explains to them."""
        if not self._freshness.complete:
            raise web.HTTPServiceUnavailable(
                text="the board has not read everything yet: try again in a moment", headers={"Retry-After": "2"}
            )
        viewer = await self._login.viewer(lambda name: request.headers.getall(name, []))
        return viewer, await self._access.sight(viewer)

    async def reply(self, request: web.Request, key: tuple[object, ...], taken: Callable[..., Callable[[], str]]) -> web.Response:
        """Answer with a page, or JSON where that is asked for by `format=json`, or by an Accept header that takes no HTML.

        It is made once for all who ask for the same `key`: `taken(as_json=...)` takes what is to be shown, as it is now, and returns what
        makes the text of it, in another thread.
        """
        as_json = _wants_json(request)
        age = self._freshness.age

        def packed() -> Callable[[], bytes]:
            make = taken(as_json=as_json)
            return lambda: gzip.compress(make().encode(), _LEVEL, mtime=0)

        page = await self._pages.get((*key, as_json, age.as_of if not age.fresh else None), packed)
        return await _answer(request, page, "application/json" if as_json else "text/html")

    async def stream(
        self, request: web.Request, viewer: Viewer | None, sight: Sight, subscribed: AbstractAsyncContextManager[Subscription[Any]]
    ) -> web.StreamResponse:
        """Send what comes in to a subscription, until the viewer leaves or may see something else; for an hour at most."""
        if sum(self._streams.values()) >= self._settings.streams or self._streams.get(viewer, 0) >= _STREAMS_OF_ONE:
            raise web.HTTPServiceUnavailable(
                text="too many pages are kept up to date: reload this one by hand\n", headers={"Retry-After": "60"}
            )
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        # Counted before anything is waited for: many that come at once are bounded, too.
        self._streams[viewer] = self._streams.get(viewer, 0) + 1
        try:
            await response.prepare(request)
            async with subscribed as subscription:
                await self._send(response, viewer, sight, subscription)
        finally:
            self._streams[viewer] -= 1
            if not self._streams[viewer]:
                del self._streams[viewer]
        return response

    async def _send(self, response: web.StreamResponse, viewer: Viewer | None, sight: Sight, subscription: Subscription[Any]) -> None:
        sent = state_event(self._freshness.age)
        ends_at = time.monotonic() + _STREAM_S
        while time.monotonic() < ends_at:
            async with asyncio.timeout(_SEND_S):
                await response.write(sent)
            try:
                async with asyncio.timeout(_BEAT_S):
                    sent = await subscription.next()
            except TimeoutError:
                sent = state_event(self._freshness.age)
            try:
                if await self._access.sight(viewer) != sight:
                    # What is on the page by now is no longer theirs, or less than is.
                    await response.write(reload_event())
                    return
            except AccessUnknownError:
                return

    def _json(self, view: View, left_out: Sequence[str]) -> Callable[[], str]:
        age, board = self._freshness.age, self._inventory.taken(view)

        def make() -> str:
            found = data(board()) | {"leftOut": left_out, "fresh": age.fresh}
            if not age.fresh:
                found["asOf"] = to_time(age.as_of) if age.as_of else None
            return json.dumps(found, separators=(",", ":"))

        return make

    def _html(self, view: View, left_out: Sequence[str], viewer: Viewer | None) -> Callable[[], str]:
        frame, age, position = self.frame(viewer), self._freshness.age, self._feed.position
        board, entries, sets = self._inventory.taken(view), self._inventory.entries(view.sight), self._inventory.sets(view.sight)
        return lambda: board_page.matrix(
            frame, board(), self._inventory.cell, board_page.options_of(entries), view.filters, age, position, sets, left_out
        )

    def frame(self, viewer: Viewer | None) -> Frame:
        """Return what surrounds the pages of a viewer."""
        return Frame(self._files.addresses, viewer.user if viewer is not None else "")

    @web.middleware
    async def _explained(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Turn errors into pages, or JSON, that say what to do."""
        try:
            return await handler(request)
        except tuple(_REFUSALS) as error:
            return self._refusal(request, *_REFUSALS[type(error)], str(error))
        except web.HTTPServiceUnavailable as error:
            return self._refusal(request, 503, "Not now", error.text or "", dict(error.headers))
        except web.HTTPNotFound:
            return self._refusal(request, 404, "Not found", "There is no such page, or you may not see it.")

    def _refusal(self, request: web.Request, status: int, title: str, text: str, headers: dict[str, str] | None = None) -> web.Response:
        kept = {"Retry-After": headers["Retry-After"]} if headers and "Retry-After" in headers else None
        if _wants_json(request):
            return web.json_response({"error": text.strip()}, status=status, headers=kept)
        page = board_page.message(Frame(self._files.addresses, "somebody"), title, text.strip())
        return web.Response(text=page, status=status, content_type="text/html", charset="utf-8", headers=kept)


def probes(ready: Callable[[], bool]) -> web.Application:
    """Make the application of /healthz (200 while the event loop runs) and /readyz (200 once `ready`)."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n") if ready() else web.Response(status=503, text="not everything has been read yet\n")

    made = web.Application()
    made.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz)])
    return made


def _wants_json(request: web.Request) -> bool:
    if (wanted := request.query.get("format", "")) in ("json", "html"):
        return wanted == "json"
    accepted = request.headers.get("Accept", "")
    return "application/json" in accepted and "text/html" not in accepted


async def _answer(request: web.Request, packed: bytes, content_type: str) -> web.Response:
    """Answer with what is kept compressed."""
    headers = {"Vary": "Accept, Accept-Encoding"}
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return web.Response(body=packed, content_type=content_type, charset="utf-8", headers=headers)
    plain = await asyncio.to_thread(gzip.decompress, packed)
    return web.Response(body=plain, content_type=content_type, charset="utf-8", headers=headers)
