"""Awaiting conditions instead of sleeping."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 300.0
"""How long tests wait for what has to come: it costs nothing where it comes, and a busy machine is many times slower than a quiet one."""
_POLL_S = 0.02
_LOOK_S = 0.1


def pause(begun: float) -> None:
    """Sleep between two looks at what takes CPU, of which the last began then: looking never takes more than a third of the time."""
    time.sleep(max(_LOOK_S, 2 * (time.monotonic() - begun)))


async def until(condition: Callable[[], T], timeout_s: float = PATIENCE_S) -> T:
    """Wait until a condition, which must not block, holds; return its value. Raises TimeoutError."""
    async with asyncio.timeout(timeout_s):
        while not (value := condition()):  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)
    return value


async def until_blocking(condition: Callable[[], T], timeout_s: float = PATIENCE_S) -> T:
    """The same for a condition that blocks, such as one that asks kubectl: it is called in a thread."""
    async with asyncio.timeout(timeout_s):
        while not (value := await asyncio.to_thread(_with_pause, condition)):
            pass
    return value


def _with_pause(condition: Callable[[], T]) -> T:
    begun = time.monotonic()
    if not (value := condition()):
        pause(begun)
    return value
