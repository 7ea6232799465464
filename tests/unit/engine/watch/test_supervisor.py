"""The supervisor, in simulated time: restarts of the watch, waiting for CRDs, and ghosts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress

import pytest

from ecs_release.api.names import PROJECT, RELEASE
from ecs_release.domain.model.errors import Conflict, Denied, NotFound, Problem, Retryable
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.watch.supervisor import WatchBroken, keep_running, sweep_ghosts, sweep_once, until_served, until_synced
from tests.builders.simulated_time import SimulatedClock, run_simulated

WEB, API = ("shop", "web", "1"), ("shop", "api", "2")


def now() -> float:
    return asyncio.get_running_loop().time()


class FakeCluster:
    """Lists what the test says, as the port does; `fault` is raised at the end of the first page."""

    def __init__(self) -> None:
        self.objects: dict[str, list[tuple[str, str, str]]] = {RELEASE: [], PROJECT: []}
        self.fault: Exception | None = None
        self.listed = 0

    async def count(self, kind: str) -> int:
        await asyncio.sleep(0.1)
        if self.fault:
            raise self.fault
        return len(self.objects[kind])

    async def names(self, kind: str) -> AsyncIterator[tuple[str, str, str]]:
        self.listed += 1
        for found in list(self.objects[kind])[:1]:
            yield found
        await asyncio.sleep(0.1)
        if self.fault:
            raise self.fault
        for found in list(self.objects[kind])[1:]:
            yield found


class FakeStore:
    def __init__(self, *known: tuple[str, str, str]) -> None:
        self.objects = {RELEASE: set(known), PROJECT: set()}

    def count(self, kind: str) -> int:
        return len(self.objects[kind])

    def known(self, kind: str) -> Iterable[tuple[str, str, str]]:
        return list(self.objects[kind])


def test_a_watch_that_breaks_is_begun_again_after_growing_pauses() -> None:
    async def main() -> None:
        stop, starts = asyncio.Event(), []

        async def watch() -> None:
            starts.append(now())
            if len(starts) == 6:
                await stop.wait()
            elif len(starts) == 2:
                return
            else:
                raise OSError("gone")

        task = asyncio.create_task(keep_running(watch, stop, SimulatedClock()))
        await asyncio.sleep(100)
        assert not task.done()
        stop.set()
        await task
        assert [round(s) for s in starts] == [0, 1, 3, 7, 15, 31]

    run_simulated(main())


def test_after_ten_breaks_in_ten_minutes_it_gives_up() -> None:
    async def main() -> None:
        breaks = 0

        async def watch() -> None:
            nonlocal breaks
            breaks += 1
            raise OSError("gone")

        with pytest.raises(WatchBroken, match="broke 10 times within 600 s"):
            await keep_running(watch, asyncio.Event(), SimulatedClock())
        assert breaks == 10
        assert now() < 600

    run_simulated(main())


def test_breaks_that_are_far_apart_never_add_up() -> None:
    async def main() -> None:
        stop, starts = asyncio.Event(), 0

        async def watch() -> None:
            nonlocal starts
            starts += 1
            await asyncio.sleep(300)
            raise OSError("gone")

        task = asyncio.create_task(keep_running(watch, stop, SimulatedClock()))
        await asyncio.sleep(300 * 100)
        assert not task.done()
        assert starts > 90
        task.cancel()

    run_simulated(main())


@pytest.mark.parametrize("at_s", [0.5, 2.0])
def test_it_stops_during_a_watch_and_during_a_pause(at_s: float) -> None:
    async def main() -> None:
        stop = asyncio.Event()

        async def watch() -> None:
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await stop.wait()
            raise OSError("gone")

        task = asyncio.create_task(keep_running(watch, stop, SimulatedClock()))
        await asyncio.sleep(at_s)
        stop.set()
        await task
        assert now() == pytest.approx(at_s, abs=0.01)

    run_simulated(main())


def test_what_is_gone_is_forgotten_and_what_is_there_is_not() -> None:
    async def main() -> None:
        cluster = FakeCluster()
        cluster.objects[RELEASE] = [("shop", "stays", "1"), ("shop", "again", "3")]
        store = FakeStore(("shop", "stays", "1"), ("shop", "again", "2"), ("shop", "goes", "4"))
        forgotten: set[tuple[ObjectKey, str]] = set()

        await sweep_once(cluster, store, RELEASE, lambda key, uid: forgotten.add((key, uid)))  # type: ignore[arg-type]

        assert forgotten == {(ObjectKey(RELEASE, "shop", "again"), "2"), (ObjectKey(RELEASE, "shop", "goes"), "4")}

    run_simulated(main())


def test_what_is_made_while_it_is_listed_is_no_ghost() -> None:
    async def main() -> None:
        cluster, store, forgotten = FakeCluster(), FakeStore(("shop", "old", "1")), []
        cluster.objects[RELEASE] = [("shop", "old", "1")]
        sweep = asyncio.create_task(sweep_once(cluster, store, RELEASE, lambda key, _: forgotten.append(key)))  # type: ignore[arg-type]
        await asyncio.sleep(0.05)
        store.objects[RELEASE].add(("shop", "new", "2"))
        await sweep
        assert forgotten == []

    run_simulated(main())


@pytest.mark.parametrize("fault", [Retryable("no answer"), Problem("X", "y"), NotFound("gone"), Conflict("?")])
def test_a_list_that_breaks_off_forgets_nothing_and_the_sweep_goes_on(fault: Exception) -> None:
    async def main() -> None:
        cluster, store, forgotten = FakeCluster(), FakeStore(("shop", "goes", "1")), []
        cluster.fault = fault
        task = asyncio.create_task(
            sweep_ghosts(cluster, store, [RELEASE, PROJECT], lambda key, _: forgotten.append(str(key)), 600)  # type: ignore[arg-type]
        )
        await asyncio.sleep(900)
        assert cluster.listed == 2
        assert forgotten == []
        cluster.fault = None
        await asyncio.sleep(600)
        assert forgotten == ["shop/goes"]
        assert not task.done()
        task.cancel()

    run_simulated(main())


def test_a_watch_that_stays_blind_ends_the_process() -> None:
    async def main() -> None:
        cluster, store = FakeCluster(), FakeStore(("shop", "old", "1"))
        cluster.objects[RELEASE] = [("shop", "old", "1"), ("shop", "new", "2")]
        task = asyncio.create_task(sweep_ghosts(cluster, store, [RELEASE], lambda *_: None, 600))  # type: ignore[arg-type]
        await asyncio.sleep(900)
        store.objects[RELEASE].add(("shop", "new", "2"))
        await asyncio.sleep(600)
        assert not task.done()
        cluster.objects[RELEASE].append(("shop", "unseen", "3"))
        with pytest.raises(WatchBroken, match="has not told of 1 Releases"):
            await task
        assert now() == pytest.approx(2400, abs=10)

    run_simulated(main())


def test_it_waits_for_the_crds_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        cluster = FakeCluster()
        cluster.fault = Retryable("apply the CRDs")
        task = asyncio.create_task(until_served(cluster, [RELEASE, PROJECT], asyncio.Event()))  # type: ignore[arg-type]
        await asyncio.sleep(600)
        assert not task.done()
        cluster.fault = None
        assert await task
        assert now() < 610

    run_simulated(main())
    assert [r.getMessage() for r in caplog.records] == ["waiting to watch Releases: apply the CRDs"]


def test_waiting_for_the_crds_ends_when_told_to_stop() -> None:
    async def main() -> None:
        cluster, stop = FakeCluster(), asyncio.Event()
        cluster.fault = Retryable("apply the CRDs")
        task = asyncio.create_task(until_served(cluster, [RELEASE], stop))  # type: ignore[arg-type]
        await asyncio.sleep(7)
        stop.set()
        assert await task is False
        assert now() < 8

    run_simulated(main())


def told(cluster: FakeCluster, store: FakeStore) -> asyncio.Task[None]:
    return asyncio.create_task(until_synced(cluster, store, [RELEASE, PROJECT], SimulatedClock(), 60, 5))  # type: ignore[arg-type]


def test_it_waits_until_the_watch_has_told_of_all_that_is_there() -> None:
    async def main() -> None:
        cluster, store = FakeCluster(), FakeStore(WEB)
        cluster.objects[RELEASE] = [WEB, API]
        task = told(cluster, store)
        await asyncio.sleep(30)
        assert not task.done()
        # Deleted before the watch has listed it.
        cluster.objects[RELEASE] = [WEB]
        await asyncio.wait_for(task, 1)

    run_simulated(main())


def test_a_watch_that_does_not_tell_is_not_waited_for_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        cluster, store = FakeCluster(), FakeStore()
        cluster.objects[RELEASE] = [WEB]
        await told(cluster, store)
        assert now() == pytest.approx(60, abs=1)

    run_simulated(main())
    assert [r.getMessage() for r in caplog.records] == ["the watch has not told of 1 Releases: going on without"]


def test_time_in_which_nothing_can_be_counted_is_not_the_watchs() -> None:
    """An API server that is down tells the watch nothing either: to go on then would judge Releases without their Environments."""

    async def main() -> None:
        cluster, store = FakeCluster(), FakeStore()
        cluster.objects[RELEASE] = [WEB]
        cluster.fault = Retryable("down")
        task = told(cluster, store)
        await asyncio.sleep(300)
        cluster.fault = None
        await asyncio.sleep(50)
        assert not task.done()
        store.objects[RELEASE] = {WEB}
        await asyncio.wait_for(task, 1)

    run_simulated(main())


@pytest.mark.parametrize("fault", [Retryable("down"), Denied("a namespace that is left out in a moment")])
def test_an_api_server_that_does_not_answer_is_asked_again(fault: Problem) -> None:
    async def main() -> None:
        cluster, store = FakeCluster(), FakeStore()
        cluster.fault = fault
        task = told(cluster, store)
        await asyncio.sleep(300)
        assert not task.done()
        cluster.fault = None
        await asyncio.wait_for(task, 6)

    run_simulated(main())
