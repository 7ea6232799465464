"""When a remote is asked, in simulated time: rounds, pauses after failures, and who waits for whom."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from ecs_release.commits_service.bindings import Location
from ecs_release.commits_service.clone import Clone, FetchError
from ecs_release.commits_service.config import Limits
from ecs_release.commits_service.fetching import Fetching, Want
from ecs_release.commits_service.git import Settings
from ecs_release.commits_service.slots import FetchSlots, QuerySlots
from ecs_release.domain.model.lru import Lru
from ecs_release.domain.ports.commits import UnknownReason
from tests.builders.simulated_time import run_simulated

MAIN = Want("main", is_branch=True)
LIMITS = Limits(answer_seconds=15, interval_seconds=10)


class FakeClone:
    """Takes `seconds` for each fetch, and fails as it is told."""

    def __init__(self) -> None:
        self.fetches: list[tuple[float, str]] = []
        self.fails: dict[str, UnknownReason] = {}
        self.seconds = 1.0
        self.there: set[str] = set()
        self.made = 0
        self.deleted = 0
        self.size = 0
        self.damaged = False

    async def exists(self) -> bool:
        return self.made > self.deleted

    async def create(self) -> None:
        self.made += 1

    async def delete(self) -> None:
        self.deleted = self.made

    async def present(self, hashes: list[str]) -> set[str]:
        return self.there & set(hashes)

    async def fetch_branch(self, name: str, settings: Settings, deadline_s: float, *_: Any) -> str:
        self.fetches.append((asyncio.get_running_loop().time(), name))
        await asyncio.sleep(min(self.seconds, deadline_s))
        if self.seconds > deadline_s:
            raise FetchError(UnknownReason.UNREADABLE, f"{name} took too long")
        if name in self.fails:
            raise FetchError(self.fails[name], f"{name} fails")
        return f"tip of {name}"

    fetch_commit = fetch_branch

    async def is_whole(self, tip: str) -> bool:
        return not self.damaged

    async def maintain(self, *_: Any) -> None:
        """Nothing to do."""


def fetching(clone: FakeClone, slots: FetchSlots | None = None) -> Fetching:
    async def settings() -> Settings:
        return ()

    its = slots or FetchSlots(["git.example.com"], 4)
    return Fetching(
        cast("Clone", clone), Location("git.example.com", "x"), settings, its, LIMITS, lambda _: "", lambda *_: None
    )  # fmt: skip


def commit(number: int) -> Want:
    return Want(f"{number:040x}", is_branch=False)


def test_rounds_begin_ten_seconds_apart() -> None:
    async def scenario() -> None:
        clone = FakeClone()
        made = fetching(clone)
        for _ in range(3):
            assert await made.fetch([MAIN]) == {}
        assert [at for at, _ in clone.fetches] == [0, 10, 20]
        branch = made.branch("main")
        assert branch is not None and (branch.begun, branch.ended) == (20, 21)

    run_simulated(scenario())


def test_who_asks_during_a_fetch_gets_one_that_begins_later() -> None:
    async def scenario() -> None:
        clone = FakeClone()
        clone.seconds = 5
        made = fetching(clone)
        first = asyncio.create_task(made.fetch([MAIN]))
        await asyncio.sleep(3)
        await asyncio.gather(*(made.fetch([MAIN]) for _ in range(50)))
        await first
        assert [at for at, _ in clone.fetches] == [0, 10]

    run_simulated(scenario())


def test_nobody_waits_for_long() -> None:
    async def scenario() -> None:
        clone = FakeClone()
        clone.seconds = 100
        made = fetching(clone)
        failed = await made.fetch([MAIN])
        assert failed[MAIN].reason is UnknownReason.PENDING and asyncio.get_running_loop().time() == 15
        await asyncio.sleep(100)
        assert made.branch("main") is not None and made.idle, "it went on"

    run_simulated(scenario())


def test_a_commit_that_is_unknown_keeps_nobody_else_waiting() -> None:
    async def scenario() -> None:
        clone = FakeClone()
        clone.fails = {commit(n).name: UnknownReason.COMMIT_NOT_FOUND for n in range(3)}
        made = fetching(clone)
        failed = await made.fetch([commit(0), commit(1), commit(9), MAIN])
        assert {w: e.reason for w, e in failed.items()} == dict.fromkeys([commit(0), commit(1)], UnknownReason.COMMIT_NOT_FOUND)
        assert clone.fetches[0][1] == "main", "branches first: most commits come with them"
        asked = len(clone.fetches)
        assert commit(0) in await made.fetch([commit(0)])
        assert len(clone.fetches) == asked, "not asked for again at once"
        await asyncio.sleep(60)
        await made.fetch([commit(0)])
        assert len(clone.fetches) == asked + 1

    run_simulated(scenario())


def test_what_came_with_the_branch_is_not_fetched_by_name() -> None:
    async def scenario() -> None:
        clone = FakeClone()
        clone.there = {commit(1).name}
        assert await fetching(clone).fetch([commit(1), MAIN]) == {}
        assert [name for _, name in clone.fetches] == ["main"]

    run_simulated(scenario())


def test_pauses_grow_after_failures() -> None:
    async def scenario() -> None:
        clone = FakeClone()
        clone.fails = {"main": UnknownReason.UNREADABLE}
        made = fetching(clone)
        until = 0.0
        while asyncio.get_running_loop().time() < 3000:
            failed = await made.fetch([MAIN])
            assert failed[MAIN].reason is UnknownReason.UNREADABLE
            await asyncio.sleep(1)
        until = [b - a for (a, _), (b, _) in zip(clone.fetches, clone.fetches[1:], strict=False)]
        assert [round(pause / 10) for pause in until[:5]] == [1, 2, 4, 8, 16] and max(until) < 310
        clone.fails = {}
        await asyncio.sleep(400)
        assert await made.fetch([MAIN]) == {}
        assert await made.fetch([MAIN]) == {}
        assert clone.fetches[-1][0] - clone.fetches[-2][0] == 10, "the pause is over"

    run_simulated(scenario())


@pytest.mark.parametrize("damaged", [True, False])
def test_a_damaged_clone_is_made_anew_after_a_failure_and_no_other(damaged: bool) -> None:
    async def scenario() -> None:
        clone = FakeClone()
        made = fetching(clone)
        await made.fetch([MAIN])
        clone.damaged, clone.fails = damaged, {"main": UnknownReason.UNREADABLE}
        await made.fetch([MAIN])
        clone.fails = {}
        await asyncio.sleep(60)
        assert await made.fetch([MAIN]) == {}
        assert clone.made == (2 if damaged else 1)

    run_simulated(scenario())


def test_all_who_wait_learn_of_a_failure() -> None:
    async def scenario() -> None:
        clone = FakeClone()
        clone.fails = {"main": UnknownReason.UNREADABLE}
        made = fetching(clone)
        found = await asyncio.gather(made.fetch([MAIN]), made.fetch([commit(1), commit(2)]))
        assert [len(f) for f in found] == [1, 2]
        assert "tried again in" in str((await made.fetch([MAIN]))[MAIN])

    run_simulated(scenario())


def test_what_is_too_large_is_deleted_and_rests_for_an_hour() -> None:
    async def scenario() -> None:
        clone = FakeClone()
        clone.fails = {"main": UnknownReason.TOO_LARGE}
        made = fetching(clone)
        assert (await made.fetch([MAIN]))[MAIN].reason is UnknownReason.TOO_LARGE
        assert clone.deleted == 1
        await asyncio.sleep(3500)
        await made.fetch([MAIN])
        assert len(clone.fetches) == 1
        await asyncio.sleep(200)
        await made.fetch([MAIN])
        assert len(clone.fetches) == 2

    run_simulated(scenario())


def test_one_commit_that_is_too_large_takes_nothing_from_others() -> None:
    async def scenario() -> None:
        clone = FakeClone()
        clone.fails = {commit(1).name: UnknownReason.TOO_LARGE}
        made = fetching(clone)
        failed = await made.fetch([MAIN, commit(1)])
        assert list(failed) == [commit(1)] and clone.deleted == 0
        assert await made.fetch([MAIN]) == {}

    run_simulated(scenario())


def test_the_queue_is_bounded() -> None:
    async def scenario() -> None:
        clone = FakeClone()
        made = fetching(clone)
        failed = await made.fetch([commit(n) for n in range(100)])
        reasons = [e.reason for e in failed.values()]
        assert reasons.count(UnknownReason.BUSY) == 36

    run_simulated(scenario())


def test_a_clone_that_is_lost_or_distrusted_is_made_anew() -> None:
    async def scenario() -> None:
        clone = FakeClone()
        made = fetching(clone)
        await made.fetch([MAIN])
        await made.fetch([MAIN])
        assert clone.made == 1
        clone.deleted = 1
        await made.fetch([MAIN])
        made.distrust()
        await made.fetch([MAIN])
        assert clone.made == 3

    run_simulated(scenario())


def test_first_fetches_that_hang_leave_slots_to_others() -> None:
    async def scenario() -> None:
        slots = FetchSlots(["git.example.com"], 4)
        known = FakeClone()
        made = fetching(known, slots)
        await made.fetch([MAIN])
        hanging = [FakeClone() for _ in range(6)]
        for clone in hanging:
            clone.seconds = 10_000
        waiting = [asyncio.create_task(fetching(clone, slots).fetch([MAIN])) for clone in hanging]
        await asyncio.sleep(1)
        assert len([c for c in hanging if c.fetches]) == 2
        begun = asyncio.get_running_loop().time()
        assert await made.fetch([MAIN]) == {}
        assert asyncio.get_running_loop().time() - begun <= 11
        assert all(f[MAIN].reason is UnknownReason.PENDING for f in await asyncio.gather(*waiting))

    run_simulated(scenario())


async def held_up_s(known: Fetching) -> float:
    """Return how long a fetch has waited beyond its turn; it takes a second."""
    begun = asyncio.get_running_loop().time()
    assert await known.fetch([MAIN]) == {}
    return asyncio.get_running_loop().time() - begun - 1


def test_known_repositories_that_begin_to_hang_leave_slots_to_others() -> None:
    """They are more than there are slots: each has a quick one for five seconds, and from then on waits among the slow."""

    async def scenario() -> None:
        slots = FetchSlots(["git.example.com"], 4)
        clones = [FakeClone() for _ in range(6)]
        made = [fetching(clone, slots) for clone in clones]
        for one in (*made, *made):
            assert await one.fetch([MAIN]) == {}
        await asyncio.sleep(60)
        for clone in clones[:5]:
            clone.seconds = 10_000
        waiting = [asyncio.create_task(one.fetch([MAIN])) for one in made[:5]]
        await asyncio.sleep(0.1)
        assert await held_up_s(made[5]) <= 5
        told = await asyncio.gather(*waiting)
        assert all(f[MAIN].reason is UnknownReason.PENDING for f in told)
        await asyncio.sleep(10)
        assert await held_up_s(made[5]) == 0
        await asyncio.sleep(10)
        assert await held_up_s(made[5]) == 0

    run_simulated(scenario())


def test_a_fetch_that_is_not_quick_goes_on_among_the_slow_by_itself() -> None:
    async def scenario() -> None:
        clone = FakeClone()
        made = fetching(clone)
        await made.fetch([MAIN])
        await asyncio.sleep(60)
        clone.seconds = 40
        begun = asyncio.get_running_loop().time()
        assert (await made.fetch([MAIN]))[MAIN].reason is UnknownReason.PENDING
        assert asyncio.get_running_loop().time() == begun + 5
        await asyncio.sleep(100)
        branch = made.branch("main")
        assert branch is not None and (branch.begun, branch.ended) == (begun + 10, begun + 50) and made.idle
        # It is known to be slow, until it is quick.
        await made.fetch([MAIN])
        await asyncio.sleep(100)
        assert len(clone.fetches) == 4
        clone.seconds = 1
        assert await made.fetch([MAIN]) == {}

    run_simulated(scenario())


def test_hosts_do_not_share_slots() -> None:
    async def scenario() -> None:
        slots = FetchSlots(["a", "b"], 2)
        async with slots.take("a", slow=True), slots.take("a", slow=False), slots.take("b", slow=True):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1), slots.take("a", slow=False):
                    pass

    run_simulated(scenario())


def test_a_repository_has_two_queries_at_a_time() -> None:
    async def scenario() -> None:
        slots, own, other = QuerySlots(8), asyncio.Semaphore(2), asyncio.Semaphore(2)
        async with slots.take(own), slots.take(own), slots.take(other):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1), slots.take(own):
                    pass

    run_simulated(scenario())


def test_memory_is_bounded() -> None:
    entries: Lru[int, int] = Lru(3)
    for number in range(4):
        entries.put(number, number)
        entries.get(0)
    assert [entries.get(n) for n in range(4)] == [0, None, 2, 3] and len(entries) == 3
