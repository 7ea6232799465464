"""An API server of a few objects, which records what it is asked for."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from ecs_release.api.names import CLUSTER_SCOPED, GROUP, PLURALS, VERSION


@dataclass
class RecordingServer:
    """Knows objects by path, and takes their statuses. `requests` has the method, the path as sent, and the query of each request."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    read: set[str] = field(default_factory=set)
    """Paths that were asked for by GET."""
    url: str = ""

    def add(self, body: dict[str, Any]) -> None:
        """Have an object."""
        self.objects[path_of(body)] = body

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        path, _, query = request.raw_path.partition("?")
        self.requests.append((request.method, path, query))
        if request.method == "GET":
            self.read.add(path)
        text = await request.text()
        if path.endswith("/events"):
            return web.json_response({})
        if request.method == "POST":
            found = json.loads(text)
            usual = {"uid": f"uid-{len(self.requests)}", "resourceVersion": "1", "generation": 1}
            found["metadata"] |= usual | {"creationTimestamp": "2026-01-01T00:00:00Z"}
            if path_of(found) in self.objects:
                return web.json_response({"message": "already exists"}, status=409)
            self.add(found)
            return web.json_response(found)
        found = self.objects.get(path.removesuffix("/status"))
        if found is not None and request.method == "PATCH":
            # What the API server does not take for a status is refused, as by the CRD.
            found["status"] = json.loads(text)["status"]
            found["metadata"]["resourceVersion"] = str(int(found["metadata"]["resourceVersion"]) + 1)
        if found is None and path.rpartition("/")[2] in PLURALS.values():
            listed = [o for its_path, o in self.objects.items() if query.count("labelSelector") and its_path.startswith(f"{path}/")]
            return web.json_response({"kind": "List", "metadata": {}, "items": [o for o in listed if o["metadata"].get("labels")]})
        return web.json_response(found) if found is not None else web.json_response({"message": "not found"}, status=404)


@asynccontextmanager
async def recording_server() -> AsyncIterator[RecordingServer]:
    """Serve."""
    server = RecordingServer()
    application = web.Application(client_max_size=2**24)
    application.router.add_route("*", "/{path:.*}", server.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


def path_of(body: dict[str, Any]) -> str:
    """Return the path of an object."""
    meta, kind = body["metadata"], body["kind"]
    where = "" if kind in CLUSTER_SCOPED else f"/namespaces/{meta['namespace']}"
    return f"/apis/{GROUP}/{VERSION}{where}/{PLURALS[kind]}/{meta['name']}"
