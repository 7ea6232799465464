"""How long turns of an event loop take: nothing else is served meanwhile."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch


@contextmanager
def longest_turn() -> Iterator[list[float]]:
    """Measure turns of event loops in this thread: the list that is yielded holds the longest one's seconds of CPU.

    Garbage is not collected by itself meanwhile: most of it is Hypothesis's, and it would be counted.
    """
    run, longest = asyncio.Handle._run, [0.0]

    def timed(handle: asyncio.Handle) -> None:
        began = time.thread_time()
        run(handle)
        longest[0] = max(longest[0], time.thread_time() - began)

    gc.disable()
    try:
        with patch.object(asyncio.Handle, "_run", timed):
            yield longest
    finally:
        gc.enable()
