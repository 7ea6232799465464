"""A small HTTP server in the engine's own event loop: for probes, and for metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager

from aiohttp import web

from ecs_release.listening import listening

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def serve(host: str, port: int, answers: Mapping[str, Answer]) -> AbstractAsyncContextManager[int]:
    """Answer GET by path; yields the port. Port 0 takes a free one. Raises OSError if the port is taken."""
    application = web.Application()
    application.add_routes([web.get(path, answer) for path, answer in answers.items()])
    return listening(application, host, port)
