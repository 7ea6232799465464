"""Joins questions that are asked at about the same time into one call: rollouts are looked at at the same moments, and calls are few."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeAlias, TypeVar

from ecs_release.domain.model.errors import Problem, Retryable

T = TypeVar("T")
Read: TypeAlias = Callable[[Sequence[str]], Awaitable[Mapping[str, T]]]


class Together(Generic[T]):
    """Asks for several things at once."""

    def __init__(self, read: Read[T], most: int, gather_s: float = 0.05) -> None:
        """`read` is asked for at most `most` keys; after the first question others are waited for, for `gather_s` seconds."""
        self._read = read
        self._most = most
        self._gather_s = gather_s
        self._asked: dict[str, list[asyncio.Future[T | None]]] = {}
        self._server: asyncio.Task[None] | None = None

    async def ask(self, key: str) -> T | None:
        """Return what is read for a key; None where it is not in the answer. Raises Problem."""
        future: asyncio.Future[T | None] = asyncio.get_running_loop().create_future()
        self._asked.setdefault(key, []).append(future)
        if self._server is None or self._server.done():
            self._server = asyncio.create_task(self._serve())
        return await future

    async def _serve(self) -> None:
        while self._asked:
            await asyncio.sleep(self._gather_s)
            keys = list(self._asked)[: self._most]
            batch = {key: self._asked.pop(key) for key in keys}
            await self._answer(batch)

    async def _answer(self, batch: Mapping[str, list[asyncio.Future[T | None]]]) -> None:
        try:
            found = await self._read(list(batch))
        except Exception as error:  # noqa: BLE001 - whoever asked is told, whatever it is
            if len(batch) > 1 and isinstance(error, Problem) and not isinstance(error, Retryable):
                # One that may not be read fails the whole call: the others are asked for without it.
                for key, futures in batch.items():
                    await self._answer({key: futures})
                return
            for future in (f for futures in batch.values() for f in futures if not f.done()):
                future.set_exception(error)
            return
        for key, futures in batch.items():
            for future in (f for f in futures if not f.done()):
                future.set_result(found.get(key))
