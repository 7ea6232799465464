"""A small HTTP server in the engine's own event loop: for probes, and for metrics."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

_STOP_S = 2.0

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serve(host: str, port: int, answers: Mapping[str, Answer]) -> AsyncIterator[int]:
    """Answer GET by path; yields the port. Port 0 takes a free one. Raises OSError if the port is taken."""
    application = web.Application()
    application.add_routes([web.get(path, answer) for path, answer in answers.items()])
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_STOP_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        taken: int = runner.addresses[0][1]
        yield taken
    finally:
        await runner.cleanup()
