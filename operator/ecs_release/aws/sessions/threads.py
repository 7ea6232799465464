"""Our own threads for boto3: no call of it, and no parsing of an answer, ever runs in the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")


class Threads:
    """A bounded pool, whose threads are made when they are needed. For calls that are worked on, more than 32 buy nothing.

    Parsing holds the interpreter's lock; it is calls that wait in AWS for something to come that many threads are for.
    """

    def __init__(self, size: int = 24, deadline_s: float = 60) -> None:
        """A call has `deadline_s` to answer, its place in the pool included."""
        self.size = size
        self.deadline_s = deadline_s
        self._pool = ThreadPoolExecutor(size, thread_name_prefix="aws")
        self._calls = 0

    @property
    def load(self) -> float:
        """Calls that are under way or wait for a thread, for each thread that there may be."""
        return self._calls / self.size

    async def call(self, function: Callable[Parameters, Answer], *arguments: Parameters.args, **named: Parameters.kwargs) -> Answer:
        """Run a blocking call. Raises TimeoutError after the deadline; the thread then ends by boto3's own time limits."""
        self._calls += 1
        try:
            async with asyncio.timeout(self.deadline_s):
                return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: function(*arguments, **named))
        finally:
            self._calls -= 1

    def close(self) -> None:
        """Take no more calls, and wait for none."""
        self._pool.shutdown(wait=False, cancel_futures=True)
