"""Sending: what one sink fails to take delays that sink, and what it refuses delays what is about the same object; whatever the sink is."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from ecs_release.domain.model.errors import Blocked, Denied, Problem, Retryable
from ecs_release.engine.sending.sender import Sender
from tests.builders.simulated_time import SimulatedClock, run_simulated

DOWN, REFUSED = Retryable("no route"), Blocked("RejectedByAWS", "too long")


class Sink:
    """What is accepted, by whom it is asked and when. `refuses` are keys that it does not take, `problem` is why it takes nothing."""

    def __init__(self, *refuses: str, problem: Exception | None = None, takes_s: float = 0.01) -> None:
        self.refuses, self.problem, self.takes_s = set(refuses), problem, takes_s
        self.accepted: list[tuple[str, str]] = []
        self.asked: list[tuple[float, str]] = []
        self.at_once = 0
        self._now = 0

    async def take(self, key: str, what: str) -> None:
        self.asked.append((asyncio.get_running_loop().time(), key))
        self._now += 1
        self.at_once = max(self.at_once, self._now)
        try:
            await asyncio.sleep(self.takes_s)
            if self.problem is not None:
                raise self.problem
            if key in self.refuses:
                raise REFUSED
            self.accepted.append((key, what))
        finally:
            self._now -= 1


class Log:
    """A backlog of entries, each of which is sent once, in order for each key."""

    def __init__(self, sink: Sink, *, tasks: int = 1) -> None:
        self.sink = sink
        self.waiting: OrderedDict[str, list[str]] = OrderedDict()
        self.clock = SimulatedClock()
        self.begun_s: dict[str, float] = {}
        self.changes: list[str | None] = []
        self.sender: Sender[str] = Sender("the sink", self, self.clock, self.changes.append, tasks=tasks, deadline_s=30)

    @property
    def since_s(self) -> float:
        return min((self.begun_s[key] for key in self.waiting), default=float("inf"))

    def add(self, key: str, *entries: str) -> None:
        self.begun_s.setdefault(key, self.clock.monotonic())
        self.waiting.setdefault(key, []).extend(entries)
        self.sender.wake()

    def next_key(self, is_free: Callable[[str], bool]) -> str | None:
        return next(filter(is_free, self.waiting), None)

    async def send(self, key: str) -> bool:
        await self.sink.take(key, self.waiting[key][0])
        self.waiting[key].pop(0)
        if not self.waiting[key]:
            del self.waiting[key], self.begun_s[key]
        return True


class View:
    """A backlog of keys: the sink shows the latest document of each, and skips those in between."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.documents: dict[str, str] = {}
        self.shown: dict[str, str] = {}
        self.sender: Sender[str] = Sender("the view", self, SimulatedClock(), lambda _: None, deadline_s=30)

    since_s = 0.0

    def render(self, key: str, document: str) -> None:
        self.documents[key] = document
        self.sender.wake()

    def next_key(self, is_free: Callable[[str], bool]) -> str | None:
        return next((key for key, document in self.documents.items() if is_free(key) and self.shown.get(key) != document), None)

    async def send(self, key: str) -> bool:
        document = self.documents[key]
        await self.sink.take(key, document)
        self.shown[key] = document
        return True


@asynccontextmanager
async def running(sender: Sender[str]) -> AsyncIterator[None]:
    task = asyncio.create_task(sender.run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_one_key_is_sent_in_order_and_several_at_once() -> None:
    async def main() -> None:
        sink = Sink(takes_s=1)
        log = Log(sink, tasks=4)
        async with running(log.sender):
            for key in "abcdef":
                log.add(key, "1", "2", "3")
            await asyncio.sleep(60)
        assert sink.at_once == 4
        assert {key: [what for k, what in sink.accepted if k == key] for key in "abcdef"} == {key: ["1", "2", "3"] for key in "abcdef"}
        assert log.sender.results == {"ok": 18}

    run_simulated(main())


@pytest.mark.parametrize(("problem", "after_s"), [(DOWN, 10), (Denied("not authorized"), 0)])
def test_a_fault_delays_all_each_time_longer_and_is_told_when_it_lasts(problem: Problem, after_s: float) -> None:
    async def main() -> None:
        sink = Sink(problem=problem)
        log = Log(sink, tasks=3)
        async with running(log.sender):
            for key in "abc":
                log.add(key, "1")
            await asyncio.sleep(after_s)
            assert log.sender.problem is None or not after_s
            await asyncio.sleep(300)
            assert log.sender.problem == problem and log.sender.problem_of("a") == problem
            assert log.changes == [None], "once"
            rounds = sorted({round(at) for at, _ in sink.asked})
            assert [b - a for a, b in pairwise(rounds)][:9] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
            sink.problem = None
            await asyncio.sleep(61)
            assert len(sink.accepted) == 3 and log.sender.problem is None and log.changes == [None, None]

    run_simulated(main())


def test_one_that_does_not_answer_has_a_deadline() -> None:
    async def main() -> None:
        sink = Sink(takes_s=1e6)
        log = Log(sink)
        async with running(log.sender):
            log.add("a", "1")
            await asyncio.sleep(60)
            assert log.sender.problem == Retryable("no answer of the sink within 30 s")
            sink.takes_s = 0.01
            await asyncio.sleep(60)
            assert sink.accepted == [("a", "1")]

    run_simulated(main())


def test_what_is_refused_delays_its_key_only() -> None:
    async def main() -> None:
        sink = Sink("odd")
        log = Log(sink)
        async with running(log.sender):
            log.add("odd", "1", "2")
            log.add("a", "1")
            await asyncio.sleep(5)
            assert sink.accepted == [("a", "1")] and log.sender.problem is None
            assert log.sender.problem_of("odd") == REFUSED and log.sender.problem_of("a") is None
            for nth in range(2, 10):
                log.add("a", str(nth))
                await asyncio.sleep(0.1)
                assert sink.accepted[-1] == ("a", str(nth)), "at once"
            await asyncio.sleep(600)
            asked = [at for at, key in sink.asked if key == "odd"]
            assert [round(b - a) for a, b in pairwise(asked)][-3:] == [60, 60, 60]
            sink.refuses.clear()
            await asyncio.sleep(61)
            assert sink.accepted[-2:] == [("odd", "1"), ("odd", "2")]
            assert log.changes == ["odd", None], "one is refused, and the first was accepted"

    run_simulated(main())


def test_where_everything_is_refused_the_sink_fails_and_what_is_new_is_tried_at_once() -> None:
    async def main() -> None:
        sink = Sink(*(str(n) for n in range(30)))
        log = Log(sink)
        async with running(log.sender):
            for n in range(30):
                log.add(str(n), "1")
            await asyncio.sleep(300)
            assert log.sender.problem == REFUSED
            asked = len(sink.asked)
            await asyncio.sleep(600)
            assert len(sink.asked) - asked == 10, "once a minute in all"
            log.add("a", "1")
            await asyncio.sleep(1)
            assert ("a", "1") in sink.accepted and log.sender.problem is None
            assert not log.sender.problem_of("a")
            log.add("b", "1")
            await asyncio.sleep(1)
            assert ("b", "1") in sink.accepted

    run_simulated(main())


def test_a_defect_delays_its_key_and_is_told_of_it(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        sink = Sink()
        log = Log(sink)
        async with running(log.sender):
            log.add("a", "1")
            await asyncio.sleep(1)
            sink.problem = TypeError("a defect")
            log.add("b", "1")
            await asyncio.sleep(0.5)
            told = log.sender.problem_of("b")
            assert told is not None and "TypeError: a defect" in told.message
            sink.problem = None
            log.add("c", "1")
            await asyncio.sleep(0.1)
            assert sink.accepted[1] == ("c", "1")
            await asyncio.sleep(60)
            assert sink.accepted[-1] == ("b", "1") and log.sender.results["error"] == 1 and log.sender.problem is None

    run_simulated(main())
    assert "a defect in sending to the sink" in caplog.text


def test_a_view_shows_the_latest_and_skips_what_was_between() -> None:
    async def main() -> None:
        sink = Sink(takes_s=1)
        view = View(sink)
        async with running(view.sender):
            for nth in range(5):
                for key in ("set-1", "set-2"):
                    view.render(key, f"state {nth}")
                await asyncio.sleep(0.3)
            await asyncio.sleep(10)
            assert view.shown == {"set-1": "state 4", "set-2": "state 4"}
            assert len(sink.accepted) < 10 and sorted(sink.accepted[-2:]) == [("set-1", "state 4"), ("set-2", "state 4")]
            asked = len(sink.asked)
            view.render("set-1", "state 4")
            await asyncio.sleep(60)
            assert len(sink.asked) == asked, "nothing is sent that is shown"

    run_simulated(main())
