"""Namespaces that refuse the operator are left out of the watch, and taken in again, while the others go on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from ecs_release.domain.model.errors import Denied, Problem, Retryable
from ecs_release.domain.model.namespaces import Namespaces
from ecs_release.engine.watch.namespace_access import NamespaceAccess
from tests.builders.simulated_time import run_simulated

INTERVAL_S = 60.0


@dataclass
class Doors:
    """An API server that refuses what the test says: some namespaces, or everything."""

    closed: set[str] = field(default_factory=set)
    fault: Problem | None = None

    async def count(self, _: str) -> int:
        if self.fault:
            raise self.fault
        return 0

    async def refusal(self, namespace: str) -> str:
        await asyncio.sleep(0.1)
        return "forbidden" if namespace in self.closed else ""


@dataclass
class Watch:
    """A watch that remembers where it was begun, and breaks where it is refused, as kopf does."""

    doors: Doors
    namespaces: Namespaces
    begun: list[tuple[str, ...]] = field(default_factory=list)

    async def __call__(self, end: asyncio.Event) -> None:
        self.begun.append(self.namespaces.open)
        if self.doors.closed & set(self.namespaces.open):
            raise PermissionError("forbidden")
        await end.wait()


@dataclass
class Guarded:
    doors: Doors
    namespaces: Namespaces
    watch: Watch
    reach: NamespaceAccess
    stop: asyncio.Event
    forgotten: list[frozenset[str]]


def guarded(*closed: str, watched: tuple[str, ...] = ("shop", "pay")) -> Guarded:
    doors, namespaces, forgotten = Doors(set(closed)), Namespaces(watched), list[frozenset[str]]()
    reach = NamespaceAccess(doors, namespaces, lambda: forgotten.append(namespaces.left_out), INTERVAL_S)
    return Guarded(doors, namespaces, Watch(doors, namespaces), reach, asyncio.Event(), forgotten)


def watching(test: Callable[[Guarded, asyncio.Task[None]], Awaitable[None]], made: Callable[[], Guarded]) -> None:
    async def main() -> None:
        made_one = made()
        task = asyncio.create_task(made_one.reach.watch(made_one.watch, made_one.stop))
        await asyncio.sleep(10)
        await test(made_one, task)
        made_one.stop.set()
        await asyncio.wait_for(task, 5)

    run_simulated(main())


def test_one_that_is_not_there_at_the_start_is_left_out_until_it_comes(caplog: pytest.LogCaptureFixture) -> None:
    async def test(w: Guarded, _: asyncio.Task[None]) -> None:
        await asyncio.sleep(10 * INTERVAL_S)
        assert w.watch.begun == [("shop",)]
        w.doors.closed.clear()
        await asyncio.sleep(INTERVAL_S + 1)
        assert w.watch.begun == [("shop",), ("shop", "pay")]

    caplog.set_level("INFO")
    watching(test, lambda: guarded("pay"))
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("WARNING", "namespace pay is left out until it may be looked into: forbidden"),
        ("INFO", "namespace pay may be looked into again: it is taken in"),
    ]


def test_one_that_goes_is_left_out_at_the_second_look() -> None:
    """Its Role may go before its Releases: what the watch still tells of them is heard."""

    async def test(w: Guarded, _: asyncio.Task[None]) -> None:
        w.doors.closed.add("pay")
        await asyncio.sleep(INTERVAL_S + 1)
        assert "pay" in w.namespaces and not w.forgotten
        await asyncio.sleep(INTERVAL_S)
        assert "pay" not in w.namespaces and "shop" in w.namespaces
        assert w.forgotten == [frozenset(["pay"])]
        assert w.watch.begun == [("shop", "pay"), ("shop",)]

    watching(test, guarded)


def test_one_that_is_refused_for_a_moment_stays() -> None:
    async def test(w: Guarded, _: asyncio.Task[None]) -> None:
        for _ in range(5):
            w.doors.closed.add("pay")
            await asyncio.sleep(INTERVAL_S + 1)
            w.doors.closed.clear()
            await asyncio.sleep(INTERVAL_S + 1)
        assert w.watch.begun == [("shop", "pay")]

    watching(test, guarded)


def test_a_watch_that_breaks_there_is_begun_anew_elsewhere() -> None:
    """At once, and it is no break that the supervisor counts."""

    async def test(w: Guarded, _: asyncio.Task[None]) -> None:
        async def refused(end: asyncio.Event) -> None:
            w.doors.closed.add("pay")
            await w.watch(end)

        other = asyncio.create_task(w.reach.watch(refused, w.stop))
        await asyncio.sleep(5)
        assert w.watch.begun[-2:] == [("shop", "pay"), ("shop",)] and not other.done()

    watching(test, guarded)


@pytest.mark.parametrize("watched", [("shop", "pay"), ()])
def test_a_watch_that_breaks_otherwise_breaks(watched: tuple[str, ...]) -> None:
    async def main() -> None:
        w = guarded(watched=watched)

        async def broken(_: asyncio.Event) -> None:
            raise OSError("gone")

        with pytest.raises(OSError, match="gone"):
            await w.reach.watch(broken, w.stop)

    run_simulated(main())


def test_a_watch_that_ends_by_itself_is_the_supervisors() -> None:
    async def main() -> None:
        w = guarded()

        async def ends(_: asyncio.Event) -> None:
            return None

        await asyncio.wait_for(w.reach.watch(ends, w.stop), 5)

    run_simulated(main())


@pytest.mark.parametrize("fault", [Denied("who are you?"), Retryable("down")])
def test_what_is_refused_everywhere_is_no_matter_of_a_namespace(fault: Problem) -> None:
    async def main() -> None:
        w = guarded("shop", "pay")
        w.doors.fault = fault
        assert await w.reach.look(at_once=True) is False
        assert w.namespaces.open == ("shop", "pay") and not w.forgotten

    run_simulated(main())


def test_all_may_be_left_out() -> None:
    async def test(w: Guarded, _: asyncio.Task[None]) -> None:
        assert w.namespaces.is_empty and w.watch.begun == [()]
        w.doors.closed.clear()
        await asyncio.sleep(INTERVAL_S + 1)
        assert not w.namespaces.is_empty and w.watch.begun == [(), ("shop", "pay")]

    watching(test, lambda: guarded("shop", "pay"))


@pytest.mark.parametrize(
    ("watched", "left_out", "known"), [((), (), True), (("a",), (), True), (("a",), ("a",), False), (("b",), (), False)]
)
def test_what_is_known(watched: tuple[str, ...], left_out: tuple[str, ...], known: bool) -> None:
    namespaces = Namespaces(watched)
    namespaces.left_out = frozenset(left_out)
    assert ("a" in namespaces) is known
