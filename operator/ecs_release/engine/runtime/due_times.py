"""Which keys are due when. Setting a time and taking what is due cost the logarithm of how many keys there are."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

_NEVER = float("inf")


class DueTimes(Generic[Key]):
    """Keys with one time each; of those with the same time, the one that was set first is the first. Bounded by the number of keys."""

    def __init__(self) -> None:
        """Begin without keys."""
        self._due: dict[Key, tuple[float, int]] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._due)

    def of(self, key: Key) -> float:
        """Return when a key is due; infinity if it is not there."""
        return self._due.get(key, (_NEVER, 0))[0]

    def set(self, key: Key, due: float) -> None:
        """Set when a key is due, whatever was set before."""
        if self.of(key) == due:
            return
        order = next(self._order)
        self._due[key] = (due, order)
        heapq.heappush(self._heap, (due, order, key))
        if len(self._heap) > 2 * len(self._due) + 64:
            # Entries replaced by another time are only dropped when they come up: do not let them pile up.
            self._heap = [(*entry, key) for key, entry in self._due.items()]
            heapq.heapify(self._heap)

    def discard(self, key: Key) -> None:
        """Remove a key, if it is there."""
        self._due.pop(key, None)

    @property
    def next(self) -> float:
        """When the first key is due; infinity if there is none."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][:2]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else _NEVER

    def take(self, now: float) -> Key | None:
        """Remove the key that is due first, and return it; None if none is due."""
        if self.next > now:
            return None
        _, _, key = heapq.heappop(self._heap)
        del self._due[key]
        return key

    def first(self, now: float, most: int) -> list[Key]:
        """Return the first keys that are due, at most so many, in order. They stay."""
        entries: list[tuple[float, int, Key]] = []
        while len(entries) < most and self.next <= now:
            entries.append(heapq.heappop(self._heap))
        for entry in entries:
            heapq.heappush(self._heap, entry)
        return [key for _, _, key in entries]
