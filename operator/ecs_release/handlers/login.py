"""Logs kopf in with the credentials of our own client, so that both always use the same API server as the same user.

kopf's own login handlers look for the cluster in another order than kubectl, or do not support exec plugins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, cast

import aiohttp
import kopf

from ecs_release.cluster.credentials import Credentials
from ecs_release.handlers.watch_session import WatchSession

CredentialsSource: TypeAlias = Callable[[], Awaitable[Credentials]]
"""Returns valid credentials; must be awaited in the event loop of its owner."""


def register_login(registry: kopf.OperatorRegistry, source: CredentialsSource, loop: asyncio.AbstractEventLoop) -> None:
    """Make kopf call `source` in `loop`: at the start, and again whenever the API server answers 401."""

    async def login(**_: Any) -> kopf.AiohttpSession:
        async def ask() -> Credentials:
            return await source()

        return watch_session(await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(ask(), loop)))

    kopf.on.login(registry=registry, id="login", retries=3, backoff=1.0)(login)


def watch_session(credentials: Credentials) -> kopf.AiohttpSession:
    """Open a session for kopf, which closes it; must be called in kopf's event loop."""
    info = connection_info(credentials)
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=info.as_ssl_context()),
        headers=info.as_http_headers(),
        proxy=info.proxy_url,
        trust_env=info.trust_env,
    )
    # It is used by the few methods that the type has, too.
    return kopf.AiohttpSession(server=info.server, aiohttp_session=cast("aiohttp.ClientSession", WatchSession(session)))


def connection_info(credentials: Credentials) -> kopf.ConnectionInfo:
    """Convert credentials to kopf's type."""
    scheme, _, token = credentials.authorization.partition(" ")
    return kopf.ConnectionInfo(
        server=credentials.server,
        ca_path=credentials.ca_file,
        insecure=not credentials.verify,
        scheme=scheme or None,
        token=token.strip() or None,
        certificate_path=credentials.certificate_file,
        private_key_path=credentials.key_file,
        proxy_url=credentials.proxy,
        # HTTPS_PROXY and NO_PROXY are honoured, as by our own client.
        trust_env=True,
    )
