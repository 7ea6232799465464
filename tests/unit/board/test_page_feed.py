"""Pages of one object are loaded anew when it has changed, not oftener than four times a second, and by nobody else."""

from __future__ import annotations

import asyncio
from collections import Counter

from ecs_release.board.page_feed import PageFeed
from ecs_release.pages.board_page import Age
from tests.builders.simulated_time import run_simulated
from tests.unit.cli.kubectl.objects import NOW

RELOAD = b"event: reload\ndata: {}\n\n"


class World:
    def __init__(self) -> None:
        self.versions: Counter[str] = Counter()
        self.feed: PageFeed[str] = PageFeed(lambda topic: str(self.versions[topic]))

    def change(self, topic: str) -> None:
        self.versions[topic] += 1
        self.feed.wake()


async def received(subscription: object) -> bytes:
    try:
        async with asyncio.timeout(1):
            return await subscription.next()  # type: ignore[attr-defined]
    except TimeoutError:
        return b""


def test_a_change_is_told_to_those_who_look_at_it_alone() -> None:
    async def run() -> None:
        world = World()
        task = asyncio.create_task(world.feed.run())
        async with (
            world.feed.subscribed("web", "0") as web,
            world.feed.subscribed("web", "0") as too,
            world.feed.subscribed("mail", "0") as mail,
        ):
            world.change("web")
            assert [await received(one) for one in (web, too, mail)] == [RELOAD, RELOAD, b""]
            world.feed.wake()
            assert await received(web) == b""
            world.feed.tell(Age(fresh=False, as_of=NOW))
            assert b"event: state" in await received(mail)
        assert not world.feed._groups and not world.feed._sent
        task.cancel()

    run_simulated(run())


def test_a_page_that_is_older_is_loaded_anew_at_once() -> None:
    async def run() -> None:
        world = World()
        world.change("web")
        for position, expected in (("1", b""), ("0", RELOAD), ("", RELOAD), ("9" * 8000, RELOAD)):
            async with world.feed.subscribed("web", position) as late:
                assert await received(late) == expected, position

    run_simulated(run())


def test_at_most_four_flushes_a_second() -> None:
    async def run() -> None:
        world = World()
        task = asyncio.create_task(world.feed.run())
        count = 0
        async with world.feed.subscribed("web", "0") as subscription:
            end = asyncio.get_running_loop().time() + 2
            while asyncio.get_running_loop().time() < end:
                world.change("web")
                await asyncio.sleep(0.01)
                if subscription.waiting:
                    count += (await subscription.next()).count(RELOAD)
        assert 6 <= count <= 9
        task.cancel()

    run_simulated(run())
