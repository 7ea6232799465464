"""Serves an HTTP application at an address, for all processes that do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

_STOP_S = 2.0
_HEADER_BYTES = 8190


@asynccontextmanager
async def listening(made: web.Application, host: str, port: int, *, longest_header: int = _HEADER_BYTES) -> AsyncIterator[int]:
    """Serve an application; yields the port. Port 0 takes a free one. Raises OSError if the port is taken."""
    runner = web.AppRunner(made, access_log=None, shutdown_timeout=_STOP_S, max_field_size=longest_header)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        taken: int = runner.addresses[0][1]
        yield taken
    finally:
        await runner.cleanup()
