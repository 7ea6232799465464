"""Our own threads for boto3: no call of it, and no parsing of an answer, ever runs in the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")


class Threads:
    """A bounded pool. More than 32 threads buys nothing: parsing holds the interpreter's lock."""

    def __init__(self, size: int = 24, deadline_s: float = 60) -> None:
        """A call has `deadline_s` to answer, its place in the pool included."""
        self.size = size
        self.deadline_s = deadline_s
        self._pool = ThreadPoolExecutor(size, thread_name_prefix="aws")

    async def call(self, function: Callable[Parameters, Answer], *arguments: Parameters.args, **named: Parameters.kwargs) -> Answer:
        """Run a blocking call. Raises TimeoutError after the deadline; the thread then ends by boto3's own time limits."""
        async with asyncio.timeout(self.deadline_s):
            return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: function(*arguments, **named))

    def close(self) -> None:
        """Take no more calls, and wait for none."""
        self._pool.shutdown(wait=False, cancel_futures=True)
