"""GitHub's limits of requests that create content, kept by waiting before them: one a second, 80 a minute, 500 an hour.

They are of an App or a token, and operators of several shards share it: each keeps to its part.

GitHub, "Rate limits for the REST API": about secondary rate limits; "Best practices for using the REST API": a second between two requests
that change something.
"""

from __future__ import annotations

from collections import deque

_A_MINUTE, _AN_HOUR = 80, 500
_APART_S = 1.0


class ContentLimits:
    """When the next request that creates content may be made."""

    def __init__(self, operators: int = 1) -> None:
        """Nothing was made yet. `operators` share the limits."""
        self.hourly = max(1, _AN_HOUR // operators)
        self._a_minute, self._apart_s = max(1, _A_MINUTE // operators), _APART_S * operators
        self._made: deque[float] = deque(maxlen=self.hourly)
        self.count = 0

    def note(self, now_s: float) -> None:
        """Note that a request is made."""
        self._made.append(now_s)
        self.count += 1

    def ready_in_s(self, now_s: float) -> float:
        """Return in how many seconds the next one may be made."""
        if not self._made:
            return 0.0
        waits = [self._made[-1] + self._apart_s - now_s]
        if len(self._made) >= self._a_minute:
            waits.append(self._made[-self._a_minute] + 60 - now_s)
        if len(self._made) >= self.hourly:
            waits.append(self._made[0] + 3600 - now_s)
        return max(0.0, *waits)
