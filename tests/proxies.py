"""Proxies on loopback between the operator and what it asks: AWS, or the API server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import aiohttp
import yaml
from aiohttp import web
from yarl import URL

_HOP = frozenset({"host", "connection", "transfer-encoding", "content-length", "keep-alive"})


class ForwardingProxy:
    """Forwards requests to a server; `answer` may be overridden to do otherwise with some."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._loop = asyncio.new_event_loop()
        self.port = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        return await self.forward(request)

    async def forward(self, request: web.Request) -> web.StreamResponse:
        """Hand on the answer of the server, as it comes."""
        async with self.asked(request) as answer:
            response = web.StreamResponse(status=answer.status, headers=_kept(answer.headers))
            with suppress(ConnectionError, aiohttp.ClientError):
                # Either side may go.
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await self.let_through(request)
                    await response.write(chunk)
                await response.write_eof()
            return response

    async def let_through(self, request: web.Request) -> None:
        """Return once more of an answer may be handed on."""

    @asynccontextmanager
    async def asked(self, request: web.Request) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask the server. The host stays the one that was asked: AWS's requests are signed with it."""
        headers = {**_kept(request.headers), "Host": request.headers["Host"]}
        async with self._session.request(
            request.method, URL(self._server + request.raw_path, encoded=True), headers=headers, data=await request.read() or None
        ) as answer:
            yield answer

    async def _serve(self, started: threading.Event, stop: asyncio.Event) -> None:
        timeout, connector = aiohttp.ClientTimeout(total=None), aiohttp.TCPConnector(ssl=False, limit=0)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector, auto_decompress=False) as self._session:
            application = web.Application(client_max_size=64 * 1024 * 1024)
            application.router.add_route("*", "/{path:.*}", self.answer)
            runner = web.AppRunner(application, shutdown_timeout=0)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.port = runner.addresses[0][1]
            started.set()
            await stop.wait()
            await runner.cleanup()

    @contextmanager
    def running(self) -> Iterator[Self]:
        started, stop = threading.Event(), asyncio.Event()
        thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve(started, stop)), daemon=True)
        thread.start()
        assert started.wait(30)
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(stop.set)
            thread.join(120)
            assert not thread.is_alive(), "the proxy does not end"
            self._loop.close()

    def kubeconfig(self, of: Path) -> Path:
        """Write a KUBECONFIG that leads here, with the user of another one, who needs a token."""
        config: dict[str, Any] = yaml.safe_load(of.read_text())
        config["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{self.port}"}
        path = of.with_name(f"{of.name}-proxy")
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(config))
        return path


class HoldingProxy(ForwardingProxy):
    """Holds back requests to a path until it is let go: what the operator has not read yet is up to a test."""

    def __init__(self, server: str) -> None:
        super().__init__(server)
        self._held: dict[str, asyncio.Event] = {}
        self.waiting: list[str] = []
        """The paths of requests that were held back."""

    def hold(self, path: str) -> None:
        self._held[path] = asyncio.Event()

    def let_go(self, path: str) -> None:
        self._loop.call_soon_threadsafe(self._held.pop(path).set)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        gate = self._held.get(request.path)
        if gate is not None:
            self.waiting.append(request.path)
            await gate.wait()
        return await self.forward(request)


class BreakingProxy(ForwardingProxy):
    """Breaks as networks do: all connections are cut, or they stay and nothing arrives any more."""

    def __init__(self, server: str) -> None:
        super().__init__(server)
        self._under_way: list[web.Request] = []
        self._dead: list[web.Request] = []
        self._is_cut = False
        self._open = asyncio.Event()
        self._open.set()

    def cut(self) -> None:
        """Cut all connections, and every new one, until it is mended."""
        self._is_cut = True
        self._loop.call_soon_threadsafe(lambda: [abort(request) for request in self._under_way])

    def silence(self) -> None:
        """Keep all connections open, and hand nothing on: of answers under way never again, of new ones until it is mended."""
        self._loop.call_soon_threadsafe(self._open.clear)
        self._loop.call_soon_threadsafe(lambda: self._dead.extend(self._under_way))

    def mend(self) -> None:
        self._is_cut = False
        self._loop.call_soon_threadsafe(self._open.set)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self._under_way.append(request)
        try:
            if self._is_cut:
                return abort(request)
            await self._open.wait()
            return await self.forward(request)
        finally:
            self._under_way.remove(request)

    async def let_through(self, request: web.Request) -> None:
        # For as long as whoever asked keeps the connection.
        while request in self._dead and request.transport is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


def abort(request: web.Request) -> web.StreamResponse:
    """Cut the connection of a request."""
    # None: the other side has gone already.
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=499)


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in headers.items() if k.lower() not in _HOP}


def server_of(kubeconfig: Path) -> str:
    return str(yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"])
