"""Threads for boto3: its calls, and the parsing of responses, never run in the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")


class Threads:
    """A bounded thread pool. For ordinary calls, more than 32 threads do not help, because parsing holds the interpreter's lock.

    More threads are for calls that wait, such as long polls.
    """

    def __init__(self, size: int = 24, deadline_s: float = 60) -> None:
        """A call must end within `deadline_s`, its wait for a thread included."""
        self.size = size
        self.deadline_s = deadline_s
        self._pool = ThreadPoolExecutor(size, thread_name_prefix="aws")
        self._calls = 0

    @property
    def load(self) -> float:
        """The number of calls, running or waiting, per thread."""
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
        """Accept no more calls, and wait for none."""
        self._pool.shutdown(wait=False, cancel_futures=True)
