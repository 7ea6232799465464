"""The keyed queue, in simulated time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecs_release.engine.runtime.work_queue import Share, WorkQueue
from tests.builders.simulated_time import SimulatedClock, run_simulated


def new_queue(group: Callable[[str], str] = lambda key: key[0]) -> WorkQueue[str]:
    """Keys are in the group of their first letter; in a name such as `a/x0`, `a/x` is the member."""
    return WorkQueue(SimulatedClock(), lambda key: Share(group(key), key[:3] if "/" in key else ""))


@asynccontextmanager
async def working(queue: WorkQueue[str], handle: Callable[[str], Awaitable[None]], workers: int = 4):  # type: ignore[no-untyped-def]
    task = asyncio.create_task(queue.run(handle, workers))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def now() -> float:
    return asyncio.get_running_loop().time()


class Log:
    """A handler that remembers who was worked on when."""

    def __init__(self, takes_s: float = 0.0) -> None:
        self.takes_s = takes_s
        self.starts: list[tuple[str, float]] = []

    async def __call__(self, key: str) -> None:
        self.starts.append((key, round(now(), 2)))
        await asyncio.sleep(self.takes_s)


def test_a_key_is_there_once_and_the_earlier_time_wins() -> None:
    async def main() -> None:
        queue, log = new_queue(), Log()
        queue.add("a", 50)
        queue.add("a", 10)
        queue.add("a", 30)
        queue.add("b", 20)
        queue.add("b")
        queue.add("b", 5)
        assert len(queue) == 2
        assert queue.ready == 1
        async with working(queue, log):
            await asyncio.sleep(100)
        assert log.starts == [("b", 0), ("a", 10)]

    run_simulated(main())


def test_a_key_added_while_it_is_worked_on_is_worked_on_once_more_after_that() -> None:
    async def main() -> None:
        queue, log = new_queue(), Log(takes_s=5)
        async with working(queue, log):
            queue.add("a")
            await asyncio.sleep(1)
            queue.add("a")
            queue.add("a")
            queue.add("a", 2)
            await asyncio.sleep(100)
        assert log.starts == [("a", 0), ("a", 5)]

    run_simulated(main())


def test_a_pass_may_have_itself_called_later() -> None:
    async def main() -> None:
        queue = new_queue()
        starts: list[float] = []

        async def handle(key: str) -> None:
            starts.append(now())
            if len(starts) < 4:
                queue.add(key, 60)

        async with working(queue, handle):
            queue.add("a")
            await asyncio.sleep(1000)
        assert [round(s) for s in starts] == [0, 60, 120, 180]
        assert len(queue) == 0

    run_simulated(main())


def test_a_time_that_was_overtaken_does_not_count_any_more() -> None:
    async def main() -> None:
        queue, log = new_queue(), Log()
        async with working(queue, log):
            queue.add("a", 10)
            queue.add("a")
            await asyncio.sleep(1)
            queue.add("a", 60)
            await asyncio.sleep(100)
        assert log.starts == [("a", 0), ("a", 61)]

    run_simulated(main())


def test_failures_are_repeated_ever_later_and_a_success_begins_anew(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        queue = new_queue()
        starts: list[float] = []

        async def handle(key: str) -> None:
            starts.append(now())
            if len(starts) != 12:
                raise ValueError("no")

        async with working(queue, handle):
            queue.add("a")
            await asyncio.sleep(3000)
            assert len(starts) == 12
            queue.add("a")
            await asyncio.sleep(1.5)
        pauses = [b - a for a, b in pairwise(starts)]
        for pause, meant in zip(pauses[:11], [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300], strict=True):
            assert 0.8 * meant <= pause <= 1.2 * meant + 0.01
        assert pauses[-1] <= 1.2 + 0.01

    run_simulated(main())
    assert "pass over a failed (3 times in a row)" in caplog.text


def test_a_failing_pass_that_makes_its_own_news_is_no_busy_loop() -> None:
    async def main() -> None:
        queue = new_queue()
        passes = 0

        async def handle(key: str) -> None:
            nonlocal passes
            passes += 1
            queue.add(key)
            raise ValueError("no")

        async with working(queue, handle):
            queue.add("a")
            await asyncio.sleep(100)
        assert 80 <= passes <= 126

    run_simulated(main())


def test_news_after_a_failure_does_not_wait_for_the_backoff() -> None:
    async def main() -> None:
        queue, starts = new_queue(), []

        async def handle(key: str) -> None:
            starts.append(round(now(), 1))
            if len(starts) <= 9:
                raise ValueError("no")

        async with working(queue, handle):
            queue.add("a")
            await asyncio.sleep(320)
            seen = len(starts)
            assert seen == 9
            queue.add("a")
            await asyncio.sleep(0.1)
        assert len(starts) == 10

    run_simulated(main())


def test_a_forgotten_key_is_not_worked_on_any_more() -> None:
    async def main() -> None:
        queue = new_queue()
        starts: list[str] = []

        async def handle(key: str) -> None:
            starts.append(key)
            await asyncio.sleep(1)
            raise ValueError("no")

        async with working(queue, handle):
            for key, after in (("a", 0.0), ("b", 5.0), ("c", 0.0)):
                queue.add(key, after)
            queue.forget("c")
            await asyncio.sleep(0.5)
            queue.add("a")
            queue.forget("a")
            queue.forget("b")
            await asyncio.sleep(1000)
        assert starts == ["a"]
        assert len(queue) == 0

    run_simulated(main())


def test_a_key_forgotten_and_made_again_during_a_pass_is_worked_on() -> None:
    async def main() -> None:
        queue, log = new_queue(), Log(takes_s=2)
        async with working(queue, log):
            queue.add("a")
            await asyncio.sleep(1)
            queue.forget("a")
            queue.add("a")
            await asyncio.sleep(100)
        assert log.starts == [("a", 0), ("a", 2)]

    run_simulated(main())


def test_a_key_whose_group_changes_while_it_waits_is_still_there_once() -> None:
    async def main() -> None:
        groups = {"x": "one"}
        queue = new_queue(lambda key: groups[key])
        busy: Counter[str] = Counter()

        async def handle(key: str) -> None:
            busy[key] += 1
            assert busy[key] == 1
            await asyncio.sleep(1)
            busy[key] -= 1

        queue.add("x")
        groups["x"] = "two"
        queue.add("x")
        assert queue.ready == 1
        async with working(queue, handle):
            await asyncio.sleep(10)

    run_simulated(main())


def test_groups_take_turns() -> None:
    async def main() -> None:
        queue, log = new_queue(), Log(takes_s=1)
        for n in range(50):
            queue.add(f"a{n}")
        queue.add("b0")
        queue.add("b1")
        async with working(queue, log, workers=1):
            await asyncio.sleep(10)
        assert [key for key, _ in log.starts[:5]] == ["a0", "b0", "a1", "b1", "a2"]

    run_simulated(main())


def test_members_of_a_group_take_turns_and_a_group_of_many_gets_no_more_turns_than_others() -> None:
    async def main() -> None:
        queue, log = new_queue(), Log(takes_s=1)
        for n in range(1500):
            queue.add(f"a/x{n}")
        for key in ("a/y0", "a/y1", "a/z0", "b/x0", "b/x1", "b/x2", "b/x3"):
            queue.add(key)
        async with working(queue, log, workers=1):
            await asyncio.sleep(10)
        assert [key for key, _ in log.starts[:9]] == ["a/x0", "b/x0", "a/y0", "b/x1", "a/z0", "b/x2", "a/x1", "b/x3", "a/y1"]

    run_simulated(main())


@pytest.mark.parametrize(("workers", "stuck"), [(2, 1), (3, 1), (4, 1), (16, 1), (16, 2), (32, 1), (32, 3)])
def test_stuck_members_leave_a_worker_to_the_others_of_their_group(workers: int, stuck: int) -> None:
    async def main() -> None:
        queue = new_queue()
        done: list[str] = []

        async def handle(key: str) -> None:
            await asyncio.sleep(10_000 if key[2] != "z" else 1)
            done.append(key)

        for member in "wxy"[:stuck]:
            for n in range(100):
                queue.add(f"a/{member}{n}")
        async with working(queue, handle, workers=workers):
            await asyncio.sleep(1)
            for n in range(5):
                queue.add(f"a/z{n}")
            await asyncio.sleep(20)
            assert len(done) == 5, "another member of the group"
            if workers > 2:
                queue.add("b/z0")
                await asyncio.sleep(20)
                assert done[-1] == "b/z0", "another group"

    run_simulated(main())


@pytest.mark.parametrize("stuck_groups", [1, 2, 4])
def test_stuck_groups_leave_a_worker_to_the_others(stuck_groups: int) -> None:
    async def main() -> None:
        queue = new_queue()
        done: list[tuple[str, float]] = []

        async def handle(key: str) -> None:
            await asyncio.sleep(10_000 if key[0] != "z" else 1)
            done.append((key, now()))

        for group in "abcdefgh"[:stuck_groups]:
            for n in range(100):
                queue.add(f"{group}{n}")
        async with working(queue, handle, workers=16):
            await asyncio.sleep(1)
            for n in range(5):
                queue.add(f"z{n}")
            await asyncio.sleep(20)
            assert len(done) == 5
            assert queue.oldest_s >= 20
            assert queue.working > 16 // 2

    run_simulated(main())


def test_a_key_that_is_added_again_waits_in_the_turn_of_its_new_group() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(SimulatedClock(), lambda key: Share(groups[key]))
        groups, log = {f"k{n}": "a" for n in range(100)}, Log(takes_s=1)
        for key in groups:
            queue.add(key)
        groups["k99"] = "b"
        queue.add("k99")
        assert len(queue) == 100
        async with working(queue, log, workers=1):
            await asyncio.sleep(1000)
        starts = [key for key, _ in log.starts]
        assert starts[:2] == ["k0", "k99"] and sorted(starts) == sorted(groups)

    run_simulated(main())


def test_a_group_may_have_few_workers() -> None:
    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(SimulatedClock(), lambda key: Share(key[0], key), {"a": 2})
        log = Log(takes_s=100)
        for n in range(100):
            queue.add(f"a{n}")
        async with working(queue, log, workers=16):
            await asyncio.sleep(1)
            assert queue.working == 2
            queue.add("b")
            await asyncio.sleep(150)
            assert "b" in [key for key, _ in log.starts] and len(log.starts) == 5

    run_simulated(main())


def test_a_lone_group_gets_most_workers_and_a_lone_worker_works() -> None:
    async def main() -> None:
        queue, log = new_queue(), Log(takes_s=100)
        for n in range(100):
            queue.add(f"a{n}")
        async with working(queue, log, workers=16):
            await asyncio.sleep(1)
            assert queue.working == 10
        lone = new_queue()
        log = Log()
        lone.add("a")
        async with working(lone, log, workers=1):
            await asyncio.sleep(1)
        assert log.starts == [("a", round(log.starts[0][1], 2))]

    run_simulated(main())


def test_at_the_end_passes_under_way_are_finished_up_to_a_deadline() -> None:
    async def main() -> None:
        queue = new_queue()
        ended: list[str] = []

        async def handle(key: str) -> None:
            try:
                await asyncio.sleep(5 if key == "quick" else 1000)
                ended.append(key)
            except asyncio.CancelledError:
                ended.append(f"{key} cut short")
                raise

        task = asyncio.create_task(queue.run(handle, 4))
        for key in ("quick", "slow"):
            queue.add(key)
        await asyncio.sleep(1)
        begun = now()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == ["quick", "slow cut short"]
        assert now() - begun == pytest.approx(10, abs=0.1)

    run_simulated(main())


# What somebody may do to the queue: (seconds to wait before it, key, what).
_STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0, 0.3, 2.0, 30.0]),
        st.sampled_from([f"{group}{n}" for group in "ab" for n in range(3)]),
        st.sampled_from(["add", "add", "later", "forget", "fail"]),
    ),
    max_size=40,
)


@given(steps=_STEPS, workers=st.integers(1, 4), takes_s=st.sampled_from([0.0, 0.5, 3.0]))
@settings(max_examples=150, deadline=None)
def test_never_two_workers_a_key_and_no_key_lost(steps: list[tuple[float, str, str]], workers: int, takes_s: float) -> None:
    """After every add that was not forgotten there is a pass that begins later (a retry where it fails), and then quiet."""

    async def main() -> None:
        queue = new_queue()
        busy: Counter[str] = Counter()
        wanted: set[str] = set()
        to_fail: set[str] = set()

        async def handle(key: str) -> None:
            wanted.discard(key)
            busy[key] += 1
            assert busy[key] == 1, "two workers on one key"
            assert busy.total() <= workers
            try:
                await asyncio.sleep(takes_s)
                if key in to_fail:
                    to_fail.discard(key)
                    wanted.add(key)
                    raise ValueError("no")
            finally:
                busy[key] -= 1

        async with working(queue, handle, workers) as task:
            for wait_s, key, what in steps:
                await asyncio.sleep(wait_s)
                if what == "forget":
                    queue.forget(key)
                    wanted.discard(key)
                    to_fail.discard(key)
                    continue
                if what == "fail":
                    to_fail.add(key)
                queue.add(key, 20.0 if what == "later" else 0.0)
                wanted.add(key)
            await asyncio.sleep(2000)
            assert not task.done()
            assert wanted == set()
            assert (len(queue), queue.working, queue.oldest_s) == (0, 0, 0)
            assert not queue._failures
            assert not queue._again
            assert not queue._forgotten

    run_simulated(main())
