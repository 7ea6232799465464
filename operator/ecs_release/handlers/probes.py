"""Probes for the kubelet, answered in the engine's own event loop.

kopf's probe would cover its own thread only, and would be down while the supervisor waits to restart the watch: the kubelet would then
kill a healthy process. The probes do not depend on AWS or the API server: their failure is no reason for a restart.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from ecs_release.handlers.http_server import serve

log = logging.getLogger(__name__)


@asynccontextmanager
async def serve_probes(host: str, port: int, ready: Callable[[], bool]) -> AsyncIterator[int]:
    """Answer `/healthz` (200 while the event loop runs) and `/readyz` (200 once `ready`, 503 before); yields the port.

    Port 0 takes a free one. Raises OSError if the port is taken.
    """

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n") if ready() else web.Response(status=503, text="the watch has not told of everything yet\n")

    async with serve(host, port, {"/healthz": healthz, "/readyz": readyz}) as taken:
        log.info("probes at http://%s:%d/healthz and /readyz", host, taken)
        yield taken
