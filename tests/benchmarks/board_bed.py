"""What the board is measured with: as much of an API server as it asks, people who look, and a server that sends the same bytes."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.unit.cli.kubectl.objects import ROLLED_BACK, ROLLING, environment, project, release

PLACES = ("dev", "test", "staging", "production")


class ApiStandIn:
    """Lists, watches, and says that everybody may see everything. It runs where it is made, so that the board's process is measured alone."""

    def __init__(self, releases: int) -> None:
        """`releases` go to four environments."""
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        self.objects: dict[str, list[dict[str, Any]]] = {
            "environments": [environment(name, seen=now) for name in PLACES],
            "projects": [project()],
            "releasesets": [],
            "releases": [_release(n, releases // len(PLACES)) for n in range(releases)],
        }
        self._version = 10
        self._watches: dict[str, list[asyncio.Queue[bytes]]] = {}

    def change(self, number: int) -> None:
        """Change the status of a Release."""
        body = self.objects["releases"][number]
        self._version += 1
        body["status"] |= ROLLING if body["status"]["phase"] != ROLLING["phase"] else ROLLED_BACK
        body["metadata"]["resourceVersion"] = str(self._version)
        line = json.dumps({"type": "MODIFIED", "object": body}).encode() + b"\n"
        for queue in self._watches.get("releases", ()):
            queue.put_nowait(line)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        kind = request.path.rpartition("/")[2]
        if kind == "subjectaccessreviews":
            return web.json_response({"status": {"allowed": True}})
        if "watch" in request.query:
            return await self._watch(request, kind)
        begin, limit = int(request.query.get("continue") or 0), int(request.query.get("limit", 500))
        items = self.objects[kind]
        meta = {"resourceVersion": str(self._version)}
        meta |= {"continue": str(begin + limit)} if begin + limit < len(items) else {}
        return web.json_response({"metadata": meta, "items": items[begin : begin + limit]})

    async def _watch(self, request: web.Request, kind: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._watches.setdefault(kind, []).append(queue)
        while True:
            try:
                async with asyncio.timeout(20):
                    line = await queue.get()
            except TimeoutError:
                bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(self._version), "name": ""}}}
                line = json.dumps(bookmark).encode() + b"\n"
            try:
                await response.write(line)
            except ConnectionResetError:
                return response

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        """Serve until the end of the block; yields the address."""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        async with _serving(application, 0) as port:
            yield f"http://127.0.0.1:{port}"


def _release(number: int, services: int) -> dict[str, Any]:
    name = f"service-{number % services:04}"
    body = release(name, environment=PLACES[number // services % len(PLACES)])
    shown = f"{number * 7919 % 2**28:07x}"
    body["status"]["running"] |= {"hash": shown, "sinceTime": f"2026-11-{1 + number % 27:02}T{number % 24:02}:{number % 60:02}:00Z"}
    body["status"]["summary"]["hash"] = shown
    return body


@asynccontextmanager
async def _serving(application: web.Application, port: int) -> AsyncIterator[int]:
    runner = web.AppRunner(application, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def replay(port: int, chunks: Sequence[tuple[float, bytes]]) -> None:
    """Send everybody who asks the same chunks, each at its time after the first request: what the board sends, and nothing else."""
    begun: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    async def answer(request: web.Request) -> web.StreamResponse:
        loop = asyncio.get_running_loop()
        if "begin" in request.query:
            begun.set_result(loop.time())
            return web.Response(text="ok\n")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b": there\n\n")
        start = await asyncio.shield(begun)
        for after_s, chunk in chunks:
            await asyncio.sleep(max(0.0, start + after_s - loop.time()))
            await response.write(chunk)
        return response

    application = web.Application()
    application.add_routes([web.get("/", answer)])
    async with _serving(application, port):
        await asyncio.Event().wait()


if __name__ == "__main__":
    recorded = [(after_s, text.encode()) for after_s, text in json.loads(Path(sys.argv[2]).read_text())]
    asyncio.run(replay(int(sys.argv[1]), recorded))
