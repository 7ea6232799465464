"""Whether what is shown is what the API server has, and else since when it is not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from ecs_release.pages.board_page import Age


class Freshness:
    """Is told by each watch when it hears something, and when it is lost."""

    def __init__(self, kinds: Iterable[str], now: Callable[[], datetime], on_flip: Callable[[], None]) -> None:
        """Nothing is fresh before all `kinds` have been read; `on_flip` is called when that, or its opposite, begins."""
        self._heard: dict[str, datetime | None] = dict.fromkeys(kinds)
        self._lost = set(self._heard)
        self._now = now
        self._on_flip = on_flip

    def heard(self, kind: str) -> None:
        """Take in that a watch is up to date now."""
        self._heard[kind] = self._now()
        if kind in self._lost:
            self._lost.discard(kind)
            if not self._lost:
                self._on_flip()

    def lost(self, kind: str) -> None:
        """Take in that a watch is broken: it is up to date as of when it was heard last."""
        if not self._lost:
            self._lost.add(kind)
            self._on_flip()
        self._lost.add(kind)

    @property
    def age(self) -> Age:
        """How fresh everything is."""
        times = [t for t in self._heard.values() if t is not None]
        return Age(not self._lost, min(times) if len(times) == len(self._heard) else None)

    @property
    def complete(self) -> bool:
        """Whether everything has been read at least once."""
        return self.age.as_of is not None
