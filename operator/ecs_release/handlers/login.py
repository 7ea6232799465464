"""kopf logs in with the very credentials of our own client, so that both always talk to the same API server as the same user.

kopf's own ways of logging in look for the cluster in another order than kubectl does, or know no exec plugins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import kopf

from ecs_release.cluster.connection import Credentials

CredentialsSource: TypeAlias = Callable[[], Awaitable[Credentials]]
"""Gives credentials that are good now, in the event loop of the one who gives them."""


def register_login(registry: kopf.OperatorRegistry, source: CredentialsSource, loop: asyncio.AbstractEventLoop) -> None:
    """Have kopf ask `source`, which lives in `loop`: at the start, and again whenever the API server answers 401."""

    async def login(**_: Any) -> kopf.ConnectionInfo:
        async def ask() -> Credentials:
            return await source()

        return connection_info(await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(ask(), loop)))

    kopf.on.login(registry=registry, id="login", retries=3, backoff=1.0)(login)


def connection_info(credentials: Credentials) -> kopf.ConnectionInfo:
    """Say it in kopf's words."""
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
        # HTTPS_PROXY and NO_PROXY count, as they do for our own client.
        trust_env=True,
    )
