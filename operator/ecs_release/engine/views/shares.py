"""How much of a connection's hour each namespace gets: half of it at once, and the rest spread over the hour, so that others find room."""

from __future__ import annotations

from collections import deque

_HOUR_S = 3600.0


class Shares:
    """What namespaces have spent in the last hour."""

    def __init__(self, hourly: int) -> None:
        """`hourly` is what the sink's limits allow in an hour; 0: no such limit."""
        self._half = hourly // 2
        self._spent: dict[str, deque[float]] = {}

    def note(self, namespace: str, calls: int, now_s: float) -> None:
        """Note that a namespace has had calls that count."""
        if not self._half or calls <= 0:
            return
        for name in [n for n, times in self._spent.items() if times[-1] + _HOUR_S <= now_s]:
            del self._spent[name]
        self._spent.setdefault(namespace, deque(maxlen=2 * self._half)).extend([now_s] * calls)

    def ready_in_s(self, namespace: str, now_s: float) -> float:
        """Return in how many seconds a namespace may have its next call."""
        times = self._spent.get(namespace)
        if not times:
            return 0.0
        while times and times[0] + _HOUR_S <= now_s:
            times.popleft()
        if len(times) < self._half:
            return 0.0
        return max(0.0, min(times[-1] + _HOUR_S / self._half, times[-self._half] + _HOUR_S) - now_s)
