"""kopf's session: what it asks for, and what kopf gets to see."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import aiohttp
from aiohttp import web

from ecs_release.api.names import RELEASE
from ecs_release.cluster.credentials import Credentials
from ecs_release.handlers.watch_session import WatchSession
from ecs_release.handlers.watch_thread import run_watch
from tests.builders.paged_server import PagedServer, large_object, paged_server
from tests.waiting import until

GROUP, VERSION = "ecs-release.dev", "v1alpha1"
KB, MB = 1024, 1024 * 1024


class WatchedServer(PagedServer):
    """Serves discovery, and a watch, too."""

    event: dict[str, Any]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        resource = {
            "name": "releases",
            "singularName": "release",
            "kind": "Release",
            "namespaced": True,
            "verbs": ["list", "watch", "patch"],
        }
        known: dict[str, Any] = {
            "/api": {"versions": ["v1"]},
            "/api/v1": {"resources": [{**resource, "name": "namespaces", "kind": "Namespace", "namespaced": False}]},
            "/apis": {"groups": [{"name": GROUP, "versions": [{"version": VERSION}], "preferredVersion": {"version": VERSION}}]},
            f"/apis/{GROUP}/{VERSION}": {"resources": [resource]},
        }
        if request.path in known:
            return web.json_response(known[request.path])
        if "watch" not in request.query:
            return await super().handle(request)
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(json.dumps(self.event, ensure_ascii=False).encode() + b"\n")
        await asyncio.sleep(3600)
        return answer


class Sink:
    def __init__(self) -> None:
        self.bodies: dict[str, Mapping[str, Any]] = {}

    def changed(self, kind: str, body: Mapping[str, Any]) -> None:
        self.bodies[body["metadata"]["name"]] = body

    def deleted(self, kind: str, namespace: str, name: str, uid: str) -> None:
        """Nothing is deleted."""


async def test_the_watch_lists_large_objects_in_small_pages_and_takes_in_what_is_ours() -> None:
    objects = [large_object(f"small-{n:03}", 100) for n in range(120)] + [large_object(f"z-large-{n:03}", 250 * KB) for n in range(40)]
    sink, stop = Sink(), asyncio.Event()
    server = WatchedServer(objects)
    server.event = {"type": "ADDED", "object": large_object("zz-later", 250 * KB)}
    application = web.Application()
    application.router.add_route("GET", "/{path:.*}", server.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()

    async def credentials() -> Credentials:
        return Credentials(f"http://127.0.0.1:{runner.addresses[0][1]}", "Bearer x")

    watch = asyncio.create_task(run_watch(sink, credentials, stop, kinds=[RELEASE]))
    await until(lambda: len(sink.bodies) == len(objects) + 1, 60)
    stop.set()
    async with asyncio.timeout(60):
        await watch
    await runner.cleanup()
    assert max(server.read) <= 2 * MB
    assert {len(json.dumps(body)) < KB for body in sink.bodies.values()} == {True}
    assert {tuple(body["metadata"]["annotations"]) for body in sink.bodies.values()} == {("ecs-release.dev/retry",)}


async def test_errors_are_kopfs_to_read() -> None:
    """It logs in again after a 401, and lists again after a 410."""
    async with paged_server([]) as server, aiohttp.ClientSession() as inner:
        session = WatchSession(inner)
        response = await session.request("get", f"{server.url}/x?limit=250&other=1")
        assert isinstance(response, aiohttp.ClientResponse) is False
        assert server.pages[0][1] == 25
        refused = await session.request("get", f"{server.url}/x?limit=250&continue=nonsense")
        assert isinstance(refused, aiohttp.ClientResponse)
        assert refused.status == 500
        assert not session.closed
        await session.close()
        assert session.closed
