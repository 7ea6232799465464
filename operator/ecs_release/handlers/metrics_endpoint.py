"""`/metrics` for Prometheus, on a port of its own, so that access to metrics and to probes can differ."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from ecs_release.handlers.http_server import serve

log = logging.getLogger(__name__)


@asynccontextmanager
async def serve_metrics(
    host: str, port: int, *, take: Callable[[], None], render: Callable[[], bytes], content_type: str
) -> AsyncIterator[int]:
    """Answer `/metrics`; yields the port. Port 0 takes a free one. Raises OSError if the port is taken.

    `take` is called in the event loop, then `render`, which returns text compressed with gzip, in a thread. Requests during
    rendering get the same answer, so that only one rendering runs at a time.
    """
    under_way: asyncio.Task[bytes] | None = None

    async def rendered() -> bytes:
        take()
        return await asyncio.to_thread(render)

    async def metrics(request: web.Request) -> web.Response:
        nonlocal under_way
        if under_way is None or under_way.done():
            under_way = asyncio.create_task(rendered(), name="metrics")
        # aiohttp does not cancel handlers of closed connections, so that the shared task goes on.
        packed = await under_way
        headers = {"Content-Type": content_type, "Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            return web.Response(body=packed, headers={**headers, "Content-Encoding": "gzip"})
        return web.Response(body=await asyncio.to_thread(gzip.decompress, packed), headers=headers)

    async with serve(host, port, {"/metrics": metrics}) as taken:
        log.info("metrics at http://%s:%d/metrics", host, taken)
        yield taken
