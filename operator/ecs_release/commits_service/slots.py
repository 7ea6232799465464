"""How much is done at a time, so that a host or a repository that hangs holds up no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager


class FetchSlots:
    """Fetches at a time, for each host of the configuration by itself.

    First fetches, and those of repositories that failed or were slow last, take at most half of them: they may be long, and others have to
    go on.
    """

    def __init__(self, hosts: Iterable[str], each: int) -> None:
        """`each` is how many a host has."""
        self._hosts = {host: (asyncio.Semaphore(each), asyncio.Semaphore(max(1, each // 2))) for host in hosts}

    @asynccontextmanager
    async def take(self, host: str, *, slow: bool) -> AsyncIterator[None]:
        """Wait for a slot of a host. `slow` is for fetches that may take long."""
        every, half = self._hosts[host]
        async with AsyncExitStack() as stack:
            if slow:
                await stack.enter_async_context(half)
            await stack.enter_async_context(every)
            yield


class QuerySlots:
    """Git processes that answer at a time: in total, and `each` for a repository."""

    def __init__(self, total: int) -> None:
        """`total` is for all repositories."""
        self._all = asyncio.Semaphore(total)

    @asynccontextmanager
    async def take(self, own: asyncio.Semaphore) -> AsyncIterator[None]:
        """Wait for a slot of the repository, whose semaphore is given, and for one of all."""
        async with own, self._all:
            yield
