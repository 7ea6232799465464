"""How many questions about one repository are asked at a time: one that hangs leaves the connections to the others."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ecs_release.domain.ports.commits import Repository


class RepositoryTurns:
    """Lets a few at a time ask about each repository; the others wait for their turn."""

    def __init__(self, at_once: int) -> None:
        """At most `at_once` ask about one repository."""
        self._at_once = at_once
        self._turns: dict[Repository, asyncio.Semaphore] = {}
        self._users: Counter[Repository] = Counter()

    @asynccontextmanager
    async def take(self, repository: Repository) -> AsyncIterator[None]:
        """Wait for a turn, and keep it."""
        self._users[repository] += 1
        try:
            async with self._turns.setdefault(repository, asyncio.Semaphore(self._at_once)):
                yield
        finally:
            self._users[repository] -= 1
            if not self._users[repository]:
                del self._users[repository], self._turns[repository]
