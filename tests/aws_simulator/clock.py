"""The simulator's time: real time stamps, durations divided by a scale. Or a virtual clock, moved by hand."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """Real time."""

    def __init__(self, scale: float = 30.0) -> None:
        """AWS's durations are divided by `scale`: 1 is as slow as AWS."""
        self.scale = scale

    def now(self) -> float:
        """Return seconds since 1970."""
        return time.time()

    def seconds(self, duration: float) -> float:
        """Return how long a duration of AWS's takes here."""
        return duration / self.scale


class VirtualClock(Clock):
    """Time that only goes on when told to."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        """Begin somewhere in the past; durations are not scaled."""
        super().__init__(1.0)
        self._now = start

    def now(self) -> float:
        """Return seconds since 1970."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds


def as_time(value: float) -> datetime:
    """Return a time as moto's serialiser wants it."""
    return datetime.fromtimestamp(value, UTC)
