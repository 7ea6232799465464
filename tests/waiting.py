"""Awaiting conditions instead of sleeping."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_POLL_S = 0.02


async def until(condition: Callable[[], T], timeout_s: float = 20.0) -> T:
    """Wait until a condition holds and return its value. Raises TimeoutError. It is called in a thread: it may block, not touch the loop."""
    async with asyncio.timeout(timeout_s):
        while not (value := await asyncio.to_thread(condition)):
            await asyncio.sleep(_POLL_S)
    return value
