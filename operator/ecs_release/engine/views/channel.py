"""One connection to a sink of views: which objects wait to be shown there, and the next call for each."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from ecs_release.api.environment import Environment
from ecs_release.api.view_status import View, ViewPart
from ecs_release.domain.environments.working_time import later
from ecs_release.domain.model.errors import Blocked, Conflict, Denied, NotFound, Problem, Retryable, Waiting
from ecs_release.domain.ports.protocols import Clock, ObjectKey
from ecs_release.domain.ports.views import Part, ViewSink
from ecs_release.domain.views import documents
from ecs_release.domain.views.create_once import Action, Step, announced, next_step
from ecs_release.engine.sending.sender import Sender
from ecs_release.engine.views.calls import Calls, Todo
from ecs_release.engine.views.kinds import SinkKind, Subject
from ecs_release.engine.views.refusals import Refusals, is_past
from ecs_release.engine.views.shares import Shares
from ecs_release.engine.views.subjects import Seen, Subjects

log = logging.getLogger(__name__)

_DEADLINE_S, _BEGIN_AGAIN_S = 90.0, 60.0
_SOON_S, _AGAIN_S = 1.0, 5.0
_WRITES = 5
_DETAILS = ""
"""What was refused while details were asked for, beside the names of parts."""


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
        self._calls = Calls(sink, clock, self.sender_name)
        self._learned: dict[ObjectKey, dict[tuple[str, str], tuple[str, ViewPart]]] = {}
        """What status does not say yet, with the place: it is written again until it does."""
        self.refused: dict[ObjectKey, tuple[str, str]] = {}
        """Objects whose place is not allowed: their Environment, and why."""
        self.refusals = Refusals()
        self._shares = Shares(sink.hourly)
        self._later: set[ObjectKey] = set()
        """Of those only what is shared with others is left, such as comments: what each shows of itself comes first."""
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

    def add(self, key: ObjectKey) -> None:
        """Show an object as it is by now. Neither blocks nor raises."""
        self._news.add(key)
        self._later.discard(key)
        if key not in self._waiting:
            self._waiting[key] = self._clock.monotonic()
            # What happens at once is shown at once.
            self.sender.hold(key, _SOON_S)
        else:
            # What is in doubt, or refused, waits for itself.
            self.sender.hasten(key, _SOON_S)
        self.sender.wake()

    def forget(self, key: ObjectKey) -> None:
        """Forget an object that is gone, or is not shown here any more."""
        for of in (self._waiting, self._learned):
            of.pop(key, None)
        self._calls.forget(key)
        self._news.discard(key)
        self._later.discard(key)
        self.sender.forget(key)
        was_refused = self.refused.pop(key, None) is not None
        if self.refusals.keep(key, ()) or was_refused:
            self._changed()

    def stop(self) -> None:
        """Stop sending."""
        self.task.cancel()
        if self._wakes is not None:
            self._wakes.cancel()

    # The backlog of the sender.

    def next_key(self, is_free: Callable[[ObjectKey], bool]) -> ObjectKey | None:
        """Return the object that has waited longest since its last call; None while the sink's limits allow nothing.

        One of a namespace that has its share of the hour waits, and so does what only has shared parts left, while others have their own.
        """
        free = [key for key in self._waiting if is_free(key)]
        if not free:
            return None
        now_s, ready_in_s = self._clock.monotonic(), self._sink.ready_in_s()
        waits = {namespace: self._shares.ready_in_s(namespace, now_s) for namespace in {key.namespace for key in free}}
        ready_in_s = max(ready_in_s, min(waits.values()))
        if ready_in_s > 0:
            if self._wakes is not None:
                self._wakes.cancel()
            self._wakes = asyncio.get_running_loop().call_later(ready_in_s, self.sender.wake)
            return None
        ready = [key for key in free if not waits[key.namespace]]
        return next((key for key in ready if key not in self._later), ready[0])

    async def send(self, key: ObjectKey) -> bool:
        """Make the next call for an object. Returns whether the sink took it. Raises Problem if the sink fails.

        A part that the sink refuses is held back alone: what else is due of the object is sent next.
        """
        self._waiting.move_to_end(key)
        self._news.discard(key)
        try:
            seen = await self._read(key)
            if seen is None:
                return False
            while True:
                todo = await self._next(key, seen)
                if todo is None or self._is_later(key, todo.part):
                    return False
                if todo.step.action is not Action.ANNOUNCE:
                    break
                seen = await self._announce(key, seen, todo)
        except (Conflict, NotFound, _UnreadError) as problem:
            log.debug("not shown yet: %s", problem, extra={"object": str(key)})
            self.sender.hold(key, _SOON_S if isinstance(problem, Conflict) else _AGAIN_S)
            return False
        name = todo.view_id, todo.part.name
        spent = self._sink.spent
        try:
            learned = await self._calls.make(key, todo)
        except Denied:
            raise
        except Blocked as problem:
            self._note(key, seen, name, todo.part.hash, problem, told=not todo.is_past)
            self.sender.results[type(problem).__name__] += 1
            return False
        finally:
            self._shares.note(key.namespace, self._sink.spent - spent, self._clock.monotonic())
        if self.refusals.lift(key, name):
            self._changed()
        self._learned.setdefault(key, {})[name] = (todo.address, learned)
        await self._write_learned(key, seen)
        return True

    def _is_later(self, key: ObjectKey, part: Part) -> bool:
        """Return whether others are looked at first: the next part is a shared one, and theirs may be their own."""
        if not part.is_shared or key in self._later:
            return False
        self._later.add(key)
        return any(other not in self._later and not self.sender.is_held(other) for other in self._waiting)

    async def _next(self, key: ObjectKey, seen: Seen) -> Todo | None:
        """Return the next call; None if there is none now. Then the object waits until there is, or for its next change."""
        views, waits_s, asks_s = self._overlaid(key, seen.views), math.inf, math.inf
        names = set[tuple[str, str]]()
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
            waits_s = min(waits_s, self._untold_s(key, seen, (an_id, _DETAILS), details.problem))
            parts = self.kind.document(subject, details)
            todo, again_s = self._step(key, an_id, subject, parts)
            if todo is not None:
                return todo
            names |= {(an_id, name) for name in (*(part.name for part in parts), *([_DETAILS] if details.problem else []))}
            waits_s, asks_s = min(waits_s, again_s), min(asks_s, details.again_s if details.again_s is not None else math.inf)
            mark = documents.mark_of(one)
            is_known = details.again_s is None and details.problem is None
            if mark and is_known and view is not None and view.outcome != mark and documents.is_shown(view, parts):
                views = documents.marked(views, an_id, mark, parts)
        if self.refusals.keep(key, names):
            self._changed()
        if key in self._waiting and math.isinf(waits_s):
            # What is still to be found out says nothing about the sink.
            self._waiting[key] = self._clock.monotonic()
        await self._settle(key, seen, views, min(waits_s, asks_s))
        return None

    def _step(self, key: ObjectKey, an_id: str, subject: Subject, parts: Sequence[Part]) -> tuple[Todo | None, float]:
        """Return the next call for a document; if there is none now, in how many seconds there may be one."""
        waits_s, view = math.inf, subject.view
        for part in parts:
            known = documents.part_of(view, part.name)
            below = documents.part_of(view, part.below) if part.below else None
            if part.below and (below is None or below.receipt is None):
                continue
            name, past = (an_id, part.name), is_past(subject.shown) and (known is None or known.receipt is None)
            if past and self.refusals.is_refused(key, name):
                # What was replaced meanwhile is not shown late.
                if self.refusals.hush(key, name):
                    self._changed()
                continue
            held_s = self._held_s(key, name, part.hash)
            if held_s > 0:
                waits_s = min(waits_s, held_s)
                continue
            knowledge = self._calls.known(key, name)
            step = next_step(part, known, knowledge, self._clock.now())
            if step.action is Action.ANNOUNCE and subject.shown.told is not None:
                step = self._in_working_time(subject.environment, step)
            if step.action not in (Action.NOTHING, Action.WAIT):
                return Todo(an_id, subject.address, part, known, step, (below.receipt if below else None) or "", past), waits_s
            waits_s = min(waits_s, step.after_s) if step.after_s is not None else waits_s
        return None, waits_s

    def _untold_s(self, key: ObjectKey, seen: Seen, name: tuple[str, str], problem: Blocked | None) -> float:
        """Note that details are refused. Returns for how long they are not asked for again."""
        if problem is None:
            return math.inf
        if not self._held_s(key, name):
            self._note(key, seen, name, "", problem)
        return self._held_s(key, name)

    def _held_s(self, key: ObjectKey, name: tuple[str, str], content: str = "") -> float:
        return self.refusals.waits_s(key, name, content, self._clock.monotonic())

    def _note(self, key: ObjectKey, seen: Seen, name: tuple[str, str], content: str, problem: Blocked, *, told: bool = True) -> None:
        """Note that the sink refuses something of an object. It works, for it answers."""
        self.sender.answered()
        if key not in self._waiting:
            # It was deleted meanwhile.
            return
        environment = seen.environment.metadata.name if told else ""
        if self.refusals.note(key, environment, name, content, problem, self._clock.monotonic()):
            log.warning("%s refuses %s: %s", self.sender_name, name[1] or "to tell details", problem.message, extra={"object": str(key)})
            self._changed()

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

    async def _announce(self, key: ObjectKey, seen: Seen, todo: Todo) -> Seen:
        """Announce a creation in status. Raises Conflict, NotFound and _UnreadError."""
        part = announced(todo.part, todo.known, self._clock.now())
        views = documents.with_part(self._overlaid(key, seen.views), todo.view_id, todo.address, part)
        after = await self._write(key, seen, views)
        self._learned.pop(key, None)
        self._calls.announced(key, todo)
        return after

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
