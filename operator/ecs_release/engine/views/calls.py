"""The calls to a sink of views for one part: it is created, found, changed, and what is there twice is removed."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from ecs_release.api.view_status import ViewPart
from ecs_release.domain.model.errors import Blocked, NotLeading, Throttled
from ecs_release.domain.ports.protocols import Clock, ObjectKey
from ecs_release.domain.ports.views import Part, Place, ViewSink
from ecs_release.domain.views.create_once import Action, Knowledge, Step, created, found, verified

log = logging.getLogger(__name__)

_REMOVED_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Todo:
    """The next call: what it is about, where, and what status says of it."""

    view_id: str
    address: str
    part: Part
    known: ViewPart | None
    step: Step
    below: str = ""
    is_past: bool = False
    """It was never created, and what it is about has been replaced."""

    @property
    def place(self) -> Place:
        """Where the part is."""
        return Place(self.address, self.below)


class Calls:
    """Makes them, and knows of each part what this process has learned by them."""

    def __init__(self, sink: ViewSink, clock: Clock, name: str) -> None:
        """`name` is the connection's, for people."""
        self._sink = sink
        self._clock = clock
        self._name = name
        self._knowledge: dict[ObjectKey, dict[tuple[str, str], Knowledge]] = {}

    def known(self, key: ObjectKey, name: tuple[str, str]) -> Knowledge:
        """Return what is known of a part, by its view's id and its name."""
        return self._knowledge.get(key, {}).get(name, Knowledge())

    def announced(self, key: ObjectKey, todo: Todo) -> None:
        """Note that a creation was announced: nothing was sent since then."""
        self._knowledge.setdefault(key, {})[todo.view_id, todo.part.name] = Knowledge(is_unsent=True)

    def forget(self, key: ObjectKey) -> None:
        """Forget an object."""
        self._knowledge.pop(key, None)

    async def make(self, key: ObjectKey, todo: Todo) -> ViewPart:
        """Make one call. Returns what status is to say. Raises Problem."""
        known, part, sink = todo.known, todo.part, self._sink
        assert known is not None, "it was announced"
        knowledge, name = self._knowledge.setdefault(key, {}), (todo.view_id, part.name)
        if todo.step.action is Action.CHANGE:
            await sink.change(todo.place, known.receipt or "", part)
            return known.model_copy(update={"hash": part.hash})
        if todo.step.action is not Action.CREATE:
            after = await self._look(todo, known, knowledge)
            if todo.step.action is Action.FIND or after != known:
                return after
        knowledge.pop(name, None)
        try:
            made = await sink.create(todo.place, part)
        except (Blocked, Throttled, NotLeading):
            # It was not carried out. What is shared is looked for again: others may create it meanwhile.
            knowledge[name] = Knowledge(is_unsent=True)
            raise
        return created(part, known, made.receipt, part.hash if made.is_current else None, self._clock.now())

    async def _look(self, todo: Todo, known: ViewPart, knowledge: dict[tuple[str, str], Knowledge]) -> ViewPart:
        """Look for what has a part's key; of several the oldest stays. Returns what status is to say. Raises Problem."""
        receipts, now, name = await self._sink.find(todo.place, todo.part), self._clock.now(), (todo.view_id, todo.part.name)
        after = known
        if known.receipt is not None:
            after = verified(todo.part, known, receipts, now)
        elif receipts:
            after = found(todo.part, known, receipts[0], now)
        if after == known:
            knowledge[name] = replace(knowledge.get(name, Knowledge()), absent_at=now)
            return known
        for receipt in receipts[1 : 1 + _REMOVED_AT_ONCE]:
            log.info("%s: %s was created twice, and is removed", self._name, receipt)
            await self._sink.remove(todo.place, receipt, todo.part)
        knowledge.pop(name, None)
        return after if len(receipts) <= 1 + _REMOVED_AT_ONCE else known
