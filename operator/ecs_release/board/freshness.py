"""Whether what is shown is what the API server has, and else since when it is not."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from datetime import datetime

from ecs_release.pages.board_page import Age


class Freshness:
    """Is told by each watch when it hears something, and when it is lost."""

    def __init__(self, sources: Iterable[Hashable], now: Callable[[], datetime], on_flip: Callable[[], None]) -> None:
        """Nothing is fresh before all `sources` have been read; `on_flip` is called when that, or its opposite, begins."""
        self._heard: dict[Hashable, datetime | None] = dict.fromkeys(sources)
        self._lost = set(self._heard)
        self._left_out: dict[Hashable, str] = {}
        self._now = now
        self._on_flip = on_flip

    def heard(self, source: Hashable) -> None:
        """Take in that a watch is up to date now."""
        self._heard[source] = self._now()
        self._left_out.pop(source, None)
        self._is_found(source)

    def leave_out(self, source: Hashable, namespace: str) -> None:
        """Take in that nothing is shown of what a watch is about, so that nothing of it is old, until it is heard again."""
        self._left_out[source] = namespace
        self._is_found(source)

    @property
    def left_out(self) -> frozenset[str]:
        """Namespaces of which something is left out."""
        return frozenset(self._left_out.values())

    def lost(self, source: Hashable) -> None:
        """Take in that a watch is broken: it is up to date as of when it was heard last."""
        if not self._lost:
            self._lost.add(source)
            self._on_flip()
        self._lost.add(source)

    def _is_found(self, source: Hashable) -> None:
        if source in self._lost:
            self._lost.discard(source)
            if not self._lost:
                self._on_flip()

    @property
    def age(self) -> Age:
        """How fresh everything is."""
        times = [time for source, time in self._heard.items() if source not in self._left_out]
        known = [time for time in times if time is not None]
        return Age(not self._lost, min(known) if known and len(known) == len(times) else None)

    @property
    def complete(self) -> bool:
        """Whether everything has been read at least once."""
        return self.age.as_of is not None
