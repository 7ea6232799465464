"""GitHub's limits of requests that create content, kept by waiting before them: one a second, 80 a minute, 500 an hour.

GitHub, "Rate limits for the REST API": about secondary rate limits; "Best practices for using the REST API": a second between two requests
that change something.
"""

from __future__ import annotations

from collections import deque

_A_MINUTE, AN_HOUR = 80, 500
_APART_S = 1.0


class ContentLimits:
    """When the next request that creates content may be made."""

    def __init__(self) -> None:
        """Nothing was made yet."""
        self._made: deque[float] = deque(maxlen=AN_HOUR)
        self.count = 0

    def note(self, now_s: float) -> None:
        """Note that a request is made."""
        self._made.append(now_s)
        self.count += 1

    def ready_in_s(self, now_s: float) -> float:
        """Return in how many seconds the next one may be made."""
        if not self._made:
            return 0.0
        waits = [self._made[-1] + _APART_S - now_s]
        if len(self._made) >= _A_MINUTE:
            waits.append(self._made[-_A_MINUTE] + 60 - now_s)
        if len(self._made) >= AN_HOUR:
            waits.append(self._made[0] + 3600 - now_s)
        return max(0.0, *waits)
