"""Sends what changes to those who look: made once for all who see the same, and at most four times a second."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from hashlib import blake2b
from secrets import token_bytes
from typing import Generic, TypeVar

from ecs_release.api.meta import to_time
from ecs_release.board.inventory import REMEMBERED, Change, Inventory, View
from ecs_release.pages.board_page import Age
from ecs_release.pages.matrix import Entry, ServiceRow
from ecs_release.pages.matrix_page import aged, cell_id, head, head_id

Shown = TypeVar("Shown")
_FLUSH_S = 0.25
_TURN_S = 2.0
_WAITING = 16
_MOST_CELLS = 200
"""More than so many at once are loaded with the page."""


class Subscription(Generic[Shown]):
    """What one viewer is still to be sent."""

    def __init__(self, view: Shown) -> None:
        """`view` is what their page shows."""
        self.view = view
        self._waiting: deque[bytes] = deque()
        self._there = asyncio.Event()

    def put(self, event: bytes, reload: bytes) -> None:
        """Add an event; a viewer who is too slow for them loads the page anew."""
        if len(self._waiting) >= _WAITING:
            self._waiting.clear()
            event = reload
        self._waiting.append(event)
        self._there.set()

    @property
    def waiting(self) -> bool:
        """Whether there is something to be sent."""
        return bool(self._waiting)

    async def next(self) -> bytes:
        """Wait for what is to be sent, and return all of it."""
        await self._there.wait()
        self._there.clear()
        sent = b"".join(self._waiting)
        self._waiting.clear()
        return sent


class Feed:
    """Groups viewers by what they see."""

    def __init__(self, inventory: Inventory) -> None:
        """Nothing is sent before `run`."""
        self.inventory = inventory
        # Positions say nothing to another process, such as another replica, and nobody can count changes by them.
        self._key = token_bytes(16)
        self._groups: dict[View, set[Subscription[View]]] = {}
        self._wake = asyncio.Event()
        self._sent = 0

    def wake(self) -> None:
        """Have what has changed sent soon."""
        self._wake.set()

    @property
    def position(self) -> str:
        """Where a page that is made now stands: what changed after it is sent to it."""
        return self._position(self.inventory.version)

    @property
    def viewers(self) -> int:
        """How many pages are kept up to date."""
        return sum(map(len, self._groups.values()))

    async def run(self) -> None:
        """Send changes as they come, for ever."""
        self._sent = self.inventory.version
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._flush()
            await asyncio.sleep(_FLUSH_S)

    async def keep_time(self) -> None:
        """Note what changes by time alone, for ever."""
        while True:
            self.inventory.turn()
            await asyncio.sleep(_TURN_S)

    @asynccontextmanager
    async def subscribed(self, view: View, position: str) -> AsyncIterator[Subscription[View]]:
        """Receive what changes in a view after a position."""
        subscription = Subscription(view)
        self._groups.setdefault(view, set()).add(subscription)
        # What is not sent to the others yet comes with the next flush.
        if (missed := self._event(view, self._after(position, self._sent))) is not None:
            subscription.put(missed, self._reload())
        try:
            yield subscription
        finally:
            self._groups[view].discard(subscription)
            if not self._groups[view]:
                del self._groups[view]

    def tell(self, age: Age) -> None:
        """Tell everybody how fresh everything is."""
        event = state_event(age)
        for group in self._groups.values():
            for subscription in group:
                subscription.put(event, self._reload())

    def _flush(self) -> None:
        changes = self.inventory.since(self._sent)
        self._sent = self.inventory.version
        for view, group in self._groups.items():
            event = self._event(view, changes)
            if event is not None:
                for subscription in group:
                    subscription.put(event, self._reload())

    def _after(self, position: str, until: int) -> list[Change] | None:
        newest = self.inventory.version
        for version in range(newest, newest - REMEMBERED - 1, -1):
            if self._position(version) == position:
                changes = self.inventory.since(version)
                return None if changes is None else [c for c in changes if c.version <= until]
        return None

    def _event(self, view: View, changes: Iterable[Change] | None) -> bytes | None:
        """Return the event that brings a page of a view up to date; None if there is nothing to it."""
        if changes is None:
            return self._reload()
        cells, columns, others = dict[str, Entry](), set[str](), False
        for change in changes:
            if change.environment:
                if not view.sight.environments:
                    continue
                if change.turned:
                    return self._reload()
                columns.add(change.environment)
            elif change.release_set is not None:
                others = others or view.shows(change.release_set)
            elif any(e is not None and view.shows(e) for e in (change.before, change.after)):
                if not _stays(view, change) or len(cells) >= _MOST_CELLS:
                    return self._reload()
                assert change.after is not None
                cells[cell_id(change.after.namespace, change.after.project, change.after.service, change.after.environment)] = change.after
        parts = {its_id: self._cell(view, entry) for its_id, entry in cells.items()}
        parts |= {head_id(name): head(self.inventory.column(view, name)) for name in columns}
        # Without parts it is for pages that are loaded anew after any change of what they are about.
        return _sse("change", {"parts": parts}, self._position(self._sent)) if parts or others else None

    def _cell(self, view: View, entry: Entry) -> str:
        row = ServiceRow(entry.namespace, entry.project, entry.service)
        return aged(self.inventory.cell(row, entry.environment, entry.cell), self.inventory.column(view, entry.environment))

    def _position(self, version: int) -> str:
        return blake2b(str(version).encode(), key=self._key, digest_size=8).hexdigest()

    def _reload(self) -> bytes:
        return reload_event(self._position(self._sent))


def state_event(age: Age) -> bytes:
    """Return the event that says how fresh everything is; it is the heartbeat, too."""
    return _sse("state", {"fresh": age.fresh, "asOf": to_time(age.as_of) if age.as_of else None})


def reload_event(position: str = "") -> bytes:
    """Return the event that has a page loaded anew."""
    return _sse("reload", {}, position)


def _stays(view: View, change: Change) -> bool:
    """Return whether a change leaves rows and columns of a page as they are."""
    before, after = change.before, change.after
    if before is None or after is None or before.service_set != after.service_set:
        return False
    if view.filters.text and (before.cell.running, before.cell.wanted) != (after.cell.running, after.cell.wanted):
        return False
    return not view.filters.troubled or before.cell.is_as_wanted == after.cell.is_as_wanted


def _sse(name: str, data: object, position: str = "") -> bytes:
    """Write an event of a stream (HTML standard, "Server-sent events"): JSON has no line breaks of its own."""
    text = json.dumps(data, separators=(",", ":"))
    return "".join([f"id: {position}\n" if position else "", f"event: {name}\ndata: {text}\n\n"]).encode()
