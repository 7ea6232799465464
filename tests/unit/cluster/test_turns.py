"""Whose request goes next."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from ecs_release.cluster.turns import Turns
from tests.builders.simulated_time import run_simulated


class Requests:
    """Requests that take a second each; remembers how many went at once, and in which order they were done."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.under_way: list[str] = []
        self.most = 0
        self.done: list[str] = []

    async def send(self, namespace: str) -> None:
        async with self.turns.turn(namespace):
            self.under_way.append(namespace)
            self.most = max(self.most, len(self.under_way))
            await asyncio.sleep(1)
            self.under_way.remove(namespace)
        self.done.append(namespace)


async def _all(*calls: Coroutine[Any, Any, None]) -> None:
    await asyncio.gather(*calls)


def test_so_many_go_at_once_and_fewer_of_one_namespace() -> None:
    async def main() -> None:
        one, several = Requests(Turns(4, 2, 60)), Requests(Turns(4, 2, 60))
        await _all(*(one.send("a") for _ in range(9)))
        await _all(*(several.send(name) for name in "aaaabbbbcccc"))
        assert (one.most, several.most) == (2, 4)
        assert len(one.done) == 9 and len(several.done) == 12

    run_simulated(main())


def test_one_waits_for_none_of_another_namespace_that_has_many() -> None:
    async def main() -> None:
        requests, loop = Requests(Turns(4, 2, 60)), asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            group.create_task(_all(*(requests.send("many") for _ in range(20))))
            await asyncio.sleep(0.5)
            begun = loop.time()
            await requests.send("one")
            assert loop.time() - begun == pytest.approx(1)

    run_simulated(main())


def test_those_that_wait_take_turns_by_namespace() -> None:
    async def main() -> None:
        requests = Requests(Turns(1, 1, 60))
        await _all(*(requests.send(name) for name in "aaaabc"))
        assert "".join(requests.done) == "aabcaa"

    run_simulated(main())


def test_who_gives_up_takes_no_turn_with_him() -> None:
    async def main() -> None:
        requests = Requests(Turns(1, 1, 1.5))
        outcomes = await asyncio.gather(*(requests.send("a") for _ in range(3)), return_exceptions=True)
        assert [type(o) for o in outcomes] == [type(None), type(None), TimeoutError]
        waiting = [asyncio.create_task(requests.send("a")) for _ in range(3)]
        await asyncio.sleep(0.5)
        waiting[1].cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert requests.done == ["a"] * 4
        await requests.send("b")
        assert requests.turns._waiting == {} and not +requests.turns._held

    run_simulated(main())


def test_a_turn_that_comes_as_its_caller_is_cancelled_goes_to_the_next() -> None:
    async def main() -> None:
        turns = Turns(1, 1, 60)
        first = turns.turn("a")
        await first.__aenter__()
        requests = Requests(turns)
        late, next_one = asyncio.create_task(requests.send("a")), asyncio.create_task(requests.send("b"))
        await asyncio.sleep(0)
        await first.__aexit__(None, None, None)
        late.cancel()
        await asyncio.gather(late, next_one, return_exceptions=True)
        assert requests.done == ["b"]

    run_simulated(main())
