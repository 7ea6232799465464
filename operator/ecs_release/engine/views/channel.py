"""One connection to a sink of views: which objects wait to be shown there, and the next call for each."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ecs_release.api.environment import Environment
from ecs_release.api.view_status import View, ViewPart
from ecs_release.domain.environments.working_time import later
from ecs_release.domain.model.errors import Blocked, Conflict, Denied, NotFound, NotLeading, Problem, Retryable, Throttled, Waiting
from ecs_release.domain.ports.protocols import Clock, ObjectKey
from ecs_release.domain.ports.views import Part, Place, ViewSink
from ecs_release.domain.views import documents
from ecs_release.domain.views.create_once import Action, Knowledge, Step, announced, created, found, next_step, verified
from ecs_release.engine.sending.sender import Sender
from ecs_release.engine.views.kinds import SinkKind, Subject
from ecs_release.engine.views.subjects import Seen, Subjects

log = logging.getLogger(__name__)

_DEADLINE_S, _BEGIN_AGAIN_S = 90.0, 60.0
_SOON_S, _AGAIN_S = 1.0, 5.0
_WRITES, _REMOVED_AT_ONCE = 5, 10


@dataclass(frozen=True, slots=True)
class _Todo:
    """The next call: what it is about, where, and what status says of it."""

    view_id: str
    address: str
    part: Part
    known: ViewPart | None
    step: Step
    below: str = ""

    @property
    def place(self) -> Place:
        return Place(self.address, self.below)


class Channel:
    """A backlog, by object: what is not shown yet as it is. States in between are skipped."""

    def __init__(
        self, kind: SinkKind, name: str, sink: ViewSink, subjects: Subjects, clock: Clock, since: Callable[[str], datetime],
        changed: Callable[[], None],
    ) -> None:  # fmt: skip
        """`since` returns from when on an Environment is shown here; `changed` is called if its condition changes."""
        self.kind, self.name = kind, name
        self._sink = sink
        self._subjects = subjects
        self._clock = clock
        self._since = since
        self._changed = changed
        self._waiting: OrderedDict[ObjectKey, float] = OrderedDict()
        self._news: set[ObjectKey] = set()
        """Those that have changed since they were read."""
        self._knowledge: dict[ObjectKey, dict[tuple[str, str], Knowledge]] = {}
        self._learned: dict[ObjectKey, dict[tuple[str, str], tuple[str, ViewPart]]] = {}
        """What status does not say yet, with the place: it is written again until it does."""
        self.refused: dict[ObjectKey, tuple[str, str]] = {}
        """Objects whose place is not allowed: their Environment, and why."""
        self._wakes: asyncio.TimerHandle | None = None
        self.sender: Sender[ObjectKey] = Sender(f"{kind.name} ({name})", self, clock, lambda _: changed(), deadline_s=_DEADLINE_S)
        self.task = asyncio.create_task(self._keep_sending(), name=f"views {kind.name} {name}")

    @property
    def waiting(self) -> int:
        """How many objects are not shown yet as they are."""
        return len(self._waiting)

    @property
    def since_s(self) -> float:
        """See `Backlog`."""
        return min(self._waiting.values(), default=math.inf)

    @property
    def oldest_s(self) -> float:
        """How many seconds the first of them has waited."""
        return max(0.0, self._clock.monotonic() - self.since_s)

    def add(self, key: ObjectKey) -> None:
        """Show an object as it is by now. Neither blocks nor raises."""
        self._news.add(key)
        if key not in self._waiting:
            self._waiting[key] = self._clock.monotonic()
            # What happens at once is shown at once.
            self.sender.hold(key, _SOON_S)
            self.sender.wake()

    def forget(self, key: ObjectKey) -> None:
        """Forget an object that is gone, or is not shown here any more."""
        for of in (self._waiting, self._knowledge, self._learned, self.refused):
            of.pop(key, None)
        self._news.discard(key)
        self.sender.forget(key)

    def stop(self) -> None:
        """Stop sending."""
        self.task.cancel()
        if self._wakes is not None:
            self._wakes.cancel()

    # The backlog of the sender.

    def next_key(self, is_free: Callable[[ObjectKey], bool]) -> ObjectKey | None:
        """Return the object that has waited longest since its last call; None while the sink's limits allow nothing."""
        key = next(filter(is_free, self._waiting), None)
        if key is None:
            return None
        ready_in_s = self._sink.ready_in_s()
        if ready_in_s > 0:
            if self._wakes is not None:
                self._wakes.cancel()
            self._wakes = asyncio.get_running_loop().call_later(ready_in_s, self.sender.wake)
            return None
        return key

    async def send(self, key: ObjectKey) -> bool:
        """Make the next call for an object. Returns whether there was one. Raises Problem if the sink fails or refuses it."""
        self._waiting.move_to_end(key)
        self._news.discard(key)
        try:
            seen = await self._read(key)
            if seen is None:
                return False
            while True:
                todo = await self._next(key, seen)
                if todo is None:
                    return False
                if todo.step.action is not Action.ANNOUNCE:
                    break
                seen = await self._announce(key, seen, todo)
        except (Conflict, NotFound, _UnreadError) as problem:
            log.debug("not shown yet: %s", problem, extra={"object": str(key)})
            self.sender.hold(key, _SOON_S if isinstance(problem, Conflict) else _AGAIN_S)
            return False
        learned = await self._call(key, todo)
        self._learned.setdefault(key, {})[todo.view_id, todo.part.name] = (todo.address, learned)
        await self._write_learned(key, seen)
        return True

    async def _next(self, key: ObjectKey, seen: Seen) -> _Todo | None:
        """Return the next call; None if there is none now. Then the object waits until there is, or for its next change."""
        views, waits_s, asks_s = self._overlaid(key, seen.views), math.inf, math.inf
        try:
            address = self.kind.address(seen.environment, seen.project, self._sink)
        except (Blocked, Waiting) as problem:
            self._refuse(key, seen, problem)
            return None
        self._accept(key)
        for one in documents.wanted(self.kind.name, seen.sets, views, self._since(seen.environment.metadata.name)):
            an_id = documents.view_id(self.kind.name, one)
            view = next((v for v in views if v.id == an_id), None)
            if view is not None and view.place != address:
                # The Project was moved: what is elsewhere stays as it is, and what is overdue is said here, too.
                if one.told is not None:
                    views = tuple(v for v in views if v.id != an_id)
                    self._news.add(key)
                continue
            subject = Subject(one, seen.environment, seen.project, address, view, views)
            details = await self.kind.details(self._sink, subject)
            parts = self.kind.document(subject, details)
            todo, again_s = self._step(key, an_id, subject, parts)
            if todo is not None:
                return todo
            waits_s, asks_s = min(waits_s, again_s), min(asks_s, details.again_s if details.again_s is not None else math.inf)
            mark = documents.mark_of(one)
            if mark and details.again_s is None and view is not None and view.outcome != mark and documents.is_shown(view, parts):
                views = documents.marked(views, an_id, mark, parts)
        if key in self._waiting and math.isinf(waits_s):
            # What is still to be found out says nothing about the sink.
            self._waiting[key] = self._clock.monotonic()
        await self._settle(key, seen, views, min(waits_s, asks_s))
        return None

    def _step(self, key: ObjectKey, an_id: str, subject: Subject, parts: Sequence[Part]) -> tuple[_Todo | None, float]:
        """Return the next call for a document; if there is none now, in how many seconds there may be one."""
        waits_s, view = math.inf, subject.view
        for part in parts:
            known = documents.part_of(view, part.name)
            below = documents.part_of(view, part.below) if part.below else None
            if part.below and (below is None or below.receipt is None):
                continue
            knowledge = self._knowledge.get(key, {}).get((an_id, part.name), Knowledge())
            step = next_step(part, known, knowledge, self._clock.now())
            if step.action is Action.ANNOUNCE and subject.shown.told is not None:
                step = self._in_working_time(subject.environment, step)
            if step.action not in (Action.NOTHING, Action.WAIT):
                return _Todo(an_id, subject.address, part, known, step, (below.receipt if below else None) or ""), waits_s
            waits_s = min(waits_s, step.after_s) if step.after_s is not None else waits_s
        return None, waits_s

    def _in_working_time(self, environment: Environment, step: Step) -> Step:
        """Wait with a reminder that could not be sent at once until people work again."""
        now, rule = self._clock.now(), environment.spec.promotion
        begins = later(rule.working_hours, now, 0) if rule is not None else now
        return step if begins is None or begins <= now else Step(Action.WAIT, (begins - now).total_seconds())

    async def _settle(self, key: ObjectKey, seen: Seen, views: tuple[View, ...], waits_s: float) -> None:
        """Write what status lacks, and wait: for the next change, or for a time."""
        if views != seen.views:
            await self._write(key, seen, views)
            self._learned.pop(key, None)
        if key in self._news:
            self.sender.hold(key, _SOON_S)
        elif math.isfinite(waits_s):
            self.sender.hold(key, waits_s + 0.1)
        else:
            self.forget(key)

    async def _announce(self, key: ObjectKey, seen: Seen, todo: _Todo) -> Seen:
        """Announce a creation in status. Raises Conflict, NotFound and _UnreadError."""
        part = announced(todo.part, todo.known, self._clock.now())
        views = documents.with_part(self._overlaid(key, seen.views), todo.view_id, todo.address, part)
        after = await self._write(key, seen, views)
        self._learned.pop(key, None)
        self._knowledge.setdefault(key, {})[todo.view_id, todo.part.name] = Knowledge(is_unsent=True)
        return after

    async def _call(self, key: ObjectKey, todo: _Todo) -> ViewPart:
        """Make one call. Returns what status is to say. Raises Problem."""
        known, part, sink = todo.known, todo.part, self._sink
        assert known is not None, "it was announced"
        knowledge, name = self._knowledge.setdefault(key, {}), (todo.view_id, part.name)
        if todo.step.action is Action.CHANGE:
            await sink.change(todo.place, known.receipt or "", part)
            return known.model_copy(update={"hash": part.hash})
        if todo.step.action is Action.FIND:
            return await self._look(todo, known, knowledge)
        before = knowledge.pop(name, Knowledge())
        try:
            made = await sink.create(todo.place, part)
        except (Blocked, Throttled, NotLeading):
            # It was not carried out.
            knowledge[name] = before
            raise
        return created(known, made.receipt, part.hash if made.is_current else None)

    async def _look(self, todo: _Todo, known: ViewPart, knowledge: dict[tuple[str, str], Knowledge]) -> ViewPart:
        """Look for what has a part's key; of several the oldest stays. Returns what status is to say. Raises Problem."""
        receipts, now, name = await self._sink.find(todo.place, todo.part), self._clock.now(), (todo.view_id, todo.part.name)
        after = known
        if known.receipt is not None:
            after = verified(known, receipts, now)
        elif receipts:
            after = found(known, receipts[0])
        if after == known:
            knowledge[name] = replace(knowledge.get(name, Knowledge()), absent_at=now)
            return known
        for receipt in receipts[1 : 1 + _REMOVED_AT_ONCE]:
            log.info("%s: %s was created twice, and is removed", self.sender_name, receipt)
            await self._sink.remove(todo.place, receipt, todo.part)
        knowledge.pop(name, None)
        return after if len(receipts) <= 1 + _REMOVED_AT_ONCE else known

    @property
    def sender_name(self) -> str:
        """The connection, for people."""
        return f"{self.kind.name} ({self.name})"

    async def _write_learned(self, key: ObjectKey, seen: Seen) -> None:
        """Write what a call has taught us. If that fails, it is written before the next call."""
        try:
            for _ in range(_WRITES):
                views = self._overlaid(key, seen.views)
                if views == seen.views:
                    break
                try:
                    await self._write(key, seen, views)
                    break
                except Conflict:
                    again = await self._read(key)
                    if again is None:
                        return
                    seen = again
            else:
                return
        except (NotFound, _UnreadError, Problem) as problem:
            log.debug("a receipt is not in status yet: %s", problem, extra={"object": str(key)})
            return
        self._learned.pop(key, None)

    async def _write(self, key: ObjectKey, seen: Seen, views: tuple[View, ...]) -> Seen:
        try:
            body = await self._subjects.write(key, seen.body, views)
        except Retryable as problem:
            raise _UnreadError(problem.message) from problem
        return replace(seen, body=body, views=views)

    async def _read(self, key: ObjectKey) -> Seen | None:
        """Read an object. None if nothing is to be shown of it: it is forgotten then. Raises _UnreadError."""
        try:
            seen = await self._subjects.read(key)
        except Retryable as problem:
            raise _UnreadError(problem.message) from problem
        except Blocked as problem:
            log.warning("cannot be shown: %s", problem.message, extra={"object": str(key)})
            seen = None
        if seen is None or self.kind.credentials(seen.environment) != self.name:
            self.forget(key)
            return None
        return seen

    def _overlaid(self, key: ObjectKey, views: tuple[View, ...]) -> tuple[View, ...]:
        for (an_id, _), (address, part) in self._learned.get(key, {}).items():
            views = documents.with_part(views, an_id, address, part)
        return views

    def _refuse(self, key: ObjectKey, seen: Seen, problem: Problem) -> None:
        name = seen.environment.metadata.name
        self.forget(key)
        if isinstance(problem, Blocked) and not isinstance(problem, Denied):
            self.refused[key] = (name, problem.message)
            self._changed()

    def _accept(self, key: ObjectKey) -> None:
        if self.refused.pop(key, None) is not None:
            self._changed()

    async def _keep_sending(self) -> None:
        """Send until cancelled; after a defect of ours, log it and begin again."""
        while True:
            try:
                await self.sender.run()
            except Exception:
                log.exception("showing stopped; it begins again", extra={"object": self.sender_name})
            await asyncio.sleep(_BEGIN_AGAIN_S)


class _UnreadError(Exception):
    """The API server did not answer: that says nothing about the sink."""
