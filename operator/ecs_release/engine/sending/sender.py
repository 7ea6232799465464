"""Sends what waits for one sink, in tasks of its own: a sink that fails delays no other, and what it refuses nothing else."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Generic, Protocol, TypeVar

from ecs_release.api.conditions import Reason
from ecs_release.domain.model.errors import Blocked, Denied, Problem, Retryable, Throttled
from ecs_release.domain.ports.protocols import Clock

log = logging.getLogger(__name__)

Key = TypeVar("Key", bound=Hashable)

_FIRST_PAUSE_S, _LAST_PAUSE_S = 1.0, 60.0
_LONGEST_S = 3600.0
"""A sink may ask us to wait for so long."""
_LASTS_S = 10.0
"""A temporary fault is reported once it has lasted this long, so that a sink that fails now and then changes no condition."""


class Backlog(Protocol[Key]):
    """What waits for a sink, by key: what has one key is sent one by one, in the backlog's order.

    Of a log entries wait, each of which the sink takes once; of a view the keys of documents that the sink does not show yet.
    """

    @property
    def since_s(self) -> float:
        """When the oldest of what waits began to wait, by the monotonic clock."""

    def next_key(self, is_free: Callable[[Key], bool]) -> Key | None:
        """Return the free key whose turn it is; None if nothing is to be sent of any."""

    async def send(self, key: Key) -> bool:
        """Send what is next of a key. Returns whether the sink accepted anything: False if nothing was left to send.

        Raises Problem: if it is Blocked, and not Denied, the sink refused this, else the sink fails.
        """


@dataclass(slots=True)
class _Hold:
    """A key that is not sent before a time. `problem` is why the sink refuses it, if it does."""

    until_s: float = 0.0
    pause_s: float = _FIRST_PAUSE_S
    problem: Problem | None = None


class Sender(Generic[Key]):
    """Sends a backlog to one sink, again after faults: after 1 s, then 2 s, up to once a minute."""

    def __init__(
        self, name: str, backlog: Backlog[Key], clock: Clock, changed: Callable[[Key | None], None], *,
        deadline_s: float, tasks: int = 1, refill: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:  # fmt: skip
        """`name` is the sink's, for people. `changed` is called if it fails or works again (None), and with a key that it begins to refuse.

        At most `tasks` keys are sent at once, and each send ends within `deadline_s`. `refill` is called when nothing can be sent, to bring
        in what did not fit into the backlog; it returns whether something may be sent now, and does not raise Problem.
        """
        self._name = name
        self._backlog = backlog
        self._clock = clock
        self._changed = changed
        self._tasks = tasks
        self._deadline_s = deadline_s
        self._refill = refill
        self._busy: set[Key] = set()
        self._holds: dict[Key, _Hold] = {}
        self._news = asyncio.Event()
        self._closed_until_s, self._is_refusal = 0.0, False
        self._pause_s, self._failing_since_s, self._accepted_s = _FIRST_PAUSE_S, math.inf, -math.inf
        self.problem: Problem | None = None
        """Why the sink fails, if it does."""
        self.results: defaultdict[str, int] = defaultdict(int)
        """Number of sends by result: `ok`, the problem's class, or `error` (a defect of ours)."""

    @property
    def has_accepted(self) -> bool:
        """Whether the sink has accepted anything yet."""
        return math.isfinite(self._accepted_s)

    @property
    def is_failing(self) -> bool:
        """Whether the latest send failed, and not by what was sent."""
        return self.problem is not None or math.isfinite(self._failing_since_s)

    @property
    def oldest_s(self) -> float:
        """How many seconds the oldest of what waits has waited."""
        return max(0.0, self._clock.monotonic() - self._backlog.since_s)

    def is_busy(self, key: Key) -> bool:
        """Return whether something of a key is being sent."""
        return key in self._busy

    def is_held(self, key: Key) -> bool:
        """Return whether a key waits, because the sink refused it or by `hold`."""
        return key in self._holds and self._holds[key].until_s > self._clock.monotonic()

    def problem_of(self, key: Key) -> Problem | None:
        """Return why a key cannot be sent."""
        return (self._holds[key].problem if key in self._holds else None) or self.problem

    def wake(self) -> None:
        """Look into the backlog: something was added. If all that waited before was refused, that says nothing about this."""
        if self._is_refusal:
            self._closed_until_s = 0.0
        self._news.set()

    def hold(self, key: Key, pause_s: float) -> None:
        """Send nothing of a key for some time."""
        self._holds.setdefault(key, _Hold()).until_s = self._clock.monotonic() + pause_s

    def hasten(self, key: Key, pause_s: float) -> None:
        """Hold a key for no longer than this."""
        if key in self._holds:
            self._holds[key].until_s = min(self._holds[key].until_s, self._clock.monotonic() + pause_s)

    def answered(self) -> None:
        """Note that the sink works, though it has accepted nothing: a backlog keeps what is refused itself."""
        self._pause_s, self._failing_since_s = _FIRST_PAUSE_S, math.inf
        self._open()
        self._set_problem(None)

    def forget(self, key: Key) -> None:
        """Forget a key of which nothing waits any more."""
        self._holds.pop(key, None)

    def forget_all(self) -> None:
        """Forget what was refused: the backlog was emptied."""
        self._holds.clear()

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._tasks):
                group.create_task(self._keep_sending())

    async def call_until_accepted(self, call: Callable[[], Awaitable[bool]]) -> None:
        """Make a call to the sink that precedes all others, with the same deadline, pauses and reports."""
        while not await self._attempt(call, None):
            pause_s = max(0.0, self._closed_until_s - self._clock.monotonic())
            await asyncio.sleep(pause_s)

    async def _keep_sending(self) -> None:
        while True:
            key = await self._next()
            try:
                if await self._attempt(partial(self._backlog.send, key), key):
                    self.results["ok"] += 1
            finally:
                self._busy.discard(key)
                self._news.set()

    async def _next(self) -> Key:
        """Wait for a key that can be sent, and reserve it."""
        while True:
            now = self._clock.monotonic()
            wakes_s = self._closed_until_s - now
            if wakes_s <= 0:
                # If all was refused: what was not tried yet tells whether it is the sink that fails.
                key = self._backlog.next_key(self._is_untried if self._is_refusal else self._is_free)
                if key is None and self._refill is not None and await self._refill():
                    continue
                key = key if key is not None else self._backlog.next_key(self._is_free)
                if key is not None:
                    self._busy.add(key)
                    return key
                wakes_s = min((hold.until_s for hold in self._holds.values() if hold.until_s > now), default=math.inf) - now
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(wakes_s if math.isfinite(wakes_s) else None):
                    await self._news.wait()

    def _is_free(self, key: Key) -> bool:
        return key not in self._busy and not self.is_held(key)

    def _is_untried(self, key: Key) -> bool:
        return key not in self._busy and key not in self._holds

    async def _attempt(self, call: Callable[[], Awaitable[bool]], key: Key | None) -> bool:
        """Make one call, and note what became of it. Returns whether the sink accepted anything."""
        begun_s = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._deadline_s):
                accepted = await call()
        except (Problem, TimeoutError) as error:
            problem = error if isinstance(error, Problem) else Retryable(f"no answer of {self._name} within {self._deadline_s:.0f} s")
            self._failed(key, problem, begun_s, type(error).__name__)
            return False
        except Exception as error:
            log.exception("a defect in sending to %s", self._name, extra={"object": str(key)})
            problem = Blocked(Reason.REJECTED_BY_AWS, f"an entry cannot be written: {type(error).__name__}: {error}; see the log")
            self._failed(key, problem, begun_s, "error")
            return False
        if accepted:
            self._succeeded(key)
        return accepted

    def _succeeded(self, key: Key | None) -> None:
        is_first = not self.has_accepted
        self._pause_s, self._failing_since_s, self._accepted_s = _FIRST_PAUSE_S, math.inf, self._clock.monotonic()
        self._open()
        if key is not None:
            self._holds.pop(key, None)
        if self.problem is not None:
            # What was refused meanwhile may have been refused for the same cause.
            for hold in self._holds.values():
                hold.until_s = 0.0 if hold.problem is not None else hold.until_s
        self._set_problem(None, is_first=is_first)

    def _failed(self, key: Key | None, problem: Problem, begun_s: float, result: str) -> None:
        if key is not None:
            self.results[result] += 1
            if isinstance(problem, Blocked) and not isinstance(problem, Denied):
                self._refused(key, problem)
                return
        self._failing_since_s = min(begun_s, self._failing_since_s)
        lasts_s = self._clock.monotonic() - self._failing_since_s
        if self.problem is not None or lasts_s >= _LASTS_S or not isinstance(problem, Retryable):
            self._set_problem(problem)
        self._close(is_refusal=False, at_least_s=problem.after_s if isinstance(problem, Throttled) else 0.0)

    def _refused(self, key: Key, problem: Problem) -> None:
        """Hold one key back. If there is nothing but what was refused, and nothing was accepted meanwhile, it is the sink that fails."""
        hold = self._holds.setdefault(key, _Hold())
        is_first, hold.problem = hold.problem is None, problem
        hold.until_s, hold.pause_s = self._clock.monotonic() + hold.pause_s, min(_LAST_PAUSE_S, 2 * hold.pause_s)
        if is_first:
            log.warning("%s refuses an entry: %s", self._name, problem.message, extra={"object": str(key)})
        if self._accepted_s < self._backlog.since_s and self._backlog.next_key(lambda other: other not in self._holds) is None:
            self._set_problem(problem)
            self._close(is_refusal=True)
        if is_first:
            self._changed(key)

    def _close(self, *, is_refusal: bool, at_least_s: float = 0.0) -> None:
        """Send nothing for a while, each time longer. What is sent at once fails together, and counts as one failure."""
        now = self._clock.monotonic()
        if now >= self._closed_until_s:
            self._closed_until_s, self._is_refusal = now + max(self._pause_s, min(at_least_s, _LONGEST_S)), is_refusal
            self._pause_s = min(_LAST_PAUSE_S, 2 * self._pause_s)

    def _open(self) -> None:
        self._closed_until_s, self._is_refusal = 0.0, False

    def _set_problem(self, problem: Problem | None, *, is_first: bool = False) -> None:
        """Set why the sink fails, if it does. Only another reason is news: the text of an error may differ each time."""
        was = self.problem
        if (was.reason if was else "") == (problem.reason if problem else "") and not is_first:
            return
        self.problem = problem
        if problem is not None:
            log.warning("cannot send to %s: %s", self._name, problem.message)
        elif was is not None:
            log.info("%s accepts entries again", self._name)
        self._changed(None)
