"""Joins concurrent reads of single keys into one call: rollouts are read at the same times, and rate limits are low."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeAlias, TypeVar

from ecs_release.domain.model.halving import read_by_halves

T = TypeVar("T")
Read: TypeAlias = Callable[[Sequence[str]], Awaitable[Mapping[str, T]]]


class CallBatcher(Generic[T]):
    """Reads several keys in one call."""

    def __init__(self, read: Read[T], most: int, gather_s: float = 0.05) -> None:
        """`read` gets at most `most` keys; after the first key, others are collected for `gather_s` seconds."""
        self._read = read
        self._most = most
        self._gather_s = gather_s
        self._waiting: dict[str, list[asyncio.Future[T | None]]] = {}
        self._server: asyncio.Task[None] | None = None

    async def get(self, key: str) -> T | None:
        """Return what is read for a key; None if it is not in the answer. Raises Problem."""
        future: asyncio.Future[T | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(future)
        if self._server is None or self._server.done():
            self._server = asyncio.create_task(self._serve())
        return await future

    async def _serve(self) -> None:
        while self._waiting:
            await asyncio.sleep(self._gather_s)
            keys = list(self._waiting)[: self._most]
            batch = {key: self._waiting.pop(key) for key in keys}
            await self._answer(batch)

    async def _answer(self, batch: Mapping[str, list[asyncio.Future[T | None]]]) -> None:
        def failed(keys: Sequence[str], error: Exception) -> None:
            for future in (f for key in keys for f in batch[key] if not f.done()):
                future.set_exception(error)

        async def read(keys: Sequence[str]) -> None:
            found = await self._read(keys)
            for key in keys:
                for future in (f for f in batch[key] if not f.done()):
                    future.set_result(found.get(key))

        try:
            await read_by_halves(list(batch), read, failed)
        except Exception as error:  # noqa: BLE001 - every error is raised to the callers
            failed(list(batch), error)
