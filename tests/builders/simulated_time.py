"""An event loop whose time passes at once whenever nobody has anything to do: hours of waiting take milliseconds, and every run is alike."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

_TOO_MANY_TURNS = 200_000


class StandstillError(AssertionError):
    """Everybody waits for something that never comes, or the loop turns without end while no time passes."""


class _Selector(selectors.DefaultSelector):  # type: ignore[misc,valid-type]
    """Does not wait: it moves the clock on instead."""

    now = 0.0
    turns = 0

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(0)
        if found or timeout == 0:
            self.turns += 1
            if self.turns > _TOO_MANY_TURNS:
                raise StandstillError("busy loop: no time passes")
            return found
        if timeout is None:
            raise StandstillError("everybody waits for ever")
        self.turns = 0
        self.now += timeout
        return found


class SimulatedTimeLoop(asyncio.SelectorEventLoop):
    """Time begins at 0 s, and is a Clock."""

    def __init__(self) -> None:
        self._selector_ = _Selector()
        super().__init__(self._selector_)
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return float(self._selector_.now)


class SimulatedClock:
    """The port `Clock` on that loop."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.monotonic())


def run_simulated(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in simulated time. Raises StandstillError."""
    with asyncio.Runner(loop_factory=SimulatedTimeLoop) as runner:
        return runner.run(main)
