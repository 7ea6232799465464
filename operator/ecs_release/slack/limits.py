"""When Slack lets us post or edit: docs.slack.dev, "Rate limits".

Posting is about one message a second for each channel, and chat.update is of tier 3, 50 and more a minute for each workspace. One budget
for both stays below the lower of the two; short bursts are allowed. Operators of several shards have one bot: each keeps to its part.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_A_MINUTE, _BURST = 40, 10


class Limits:
    """A budget that fills up with time, and is closed while Slack asks us to wait."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic, operators: int = 1) -> None:
        """`monotonic` is a clock in seconds; `operators` share the budget."""
        self._monotonic = monotonic
        self._a_second, self._burst = _A_MINUTE / 60 / operators, max(1.0, _BURST / operators)
        self._left, self._at_s = self._burst, monotonic()
        self._closed_until_s = 0.0

    def ready_in_s(self) -> float:
        """Return in how many seconds the next change may be sent; 0: now."""
        self._fill()
        needs_s = 0.0 if self._left >= 1 else (1 - self._left) / self._a_second
        return max(needs_s, self._closed_until_s - self._monotonic(), 0.0)

    def spend(self, method: str) -> None:
        """Note that a change is sent. A removal has limits of its own, and is rare."""
        self._fill()
        if method != "chat.delete":
            self._left = max(0.0, self._left - 1)

    def close(self, seconds: float) -> None:
        """Send nothing for some time, as Slack has asked."""
        self._closed_until_s = max(self._closed_until_s, self._monotonic() + seconds)

    def _fill(self) -> None:
        now = self._monotonic()
        self._left = min(self._burst, self._left + (now - self._at_s) * self._a_second)
        self._at_s = now
