"""Awaiting conditions instead of sleeping."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_POLL_S = 0.02


async def until(condition: Callable[[], T], timeout_s: float = 20.0) -> T:
    """Wait until a condition, which must not block, holds; return its value. Raises TimeoutError."""
    async with asyncio.timeout(timeout_s):
        while not (value := condition()):  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)
    return value


async def until_blocking(condition: Callable[[], T], timeout_s: float = 20.0) -> T:
    """The same for a condition that blocks, such as one that asks kubectl: it is called in a thread."""
    async with asyncio.timeout(timeout_s):
        while not (value := await asyncio.to_thread(condition)):  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)
    return value
