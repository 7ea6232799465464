"""Has pages of single objects loaded anew when what they show has changed: at most four times a second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from ecs_release.board.feed import Subscription, reload_event, state_event
from ecs_release.pages.board_page import Age

_FLUSH_S = 0.25
_AT_ONCE = 50
"""Topics that are looked at before others of the event loop have their turn."""
Topic = TypeVar("Topic", bound=Hashable)


class PageFeed(Generic[Topic]):
    """Groups viewers by what their page shows: a topic."""

    def __init__(self, position: Callable[[Topic], str]) -> None:
        """`position` returns where a page of a topic stands: another text after each change of it. Nothing is sent before `run`."""
        self._position = position
        self._groups: dict[Topic, set[Subscription[Topic]]] = {}
        self._sent: dict[Topic, str] = {}
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Have what has changed sent soon."""
        self._wake.set()

    async def run(self) -> None:
        """Send changes as they come, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._flush()
            await asyncio.sleep(_FLUSH_S)

    @asynccontextmanager
    async def subscribed(self, topic: Topic, position: str) -> AsyncIterator[Subscription[Topic]]:
        """Receive what changes on a page that stands at a position."""
        subscription = Subscription(topic)
        current = self._position(topic)
        self._groups.setdefault(topic, set()).add(subscription)
        self._sent.setdefault(topic, current)
        if position != current:
            subscription.put(reload_event(), reload_event())
        try:
            yield subscription
        finally:
            self._groups[topic].discard(subscription)
            if not self._groups[topic]:
                del self._groups[topic], self._sent[topic]

    def tell(self, age: Age) -> None:
        """Tell everybody how fresh everything is."""
        event = state_event(age)
        for group in self._groups.values():
            for subscription in group:
                subscription.put(event, reload_event())

    async def _flush(self) -> None:
        for number, (topic, group) in enumerate([*self._groups.items()], 1):
            if topic in self._groups and (current := self._position(topic)) != self._sent[topic]:
                self._sent[topic] = current
                for subscription in group:
                    subscription.put(reload_event(), reload_event())
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
