"""What is made outside of the event loop: once, a few at a time, and no more than can wait."""

from __future__ import annotations

import asyncio
import threading

import pytest

from ecs_release.board.making import BusyError, Making

_WAIT_S = 60


async def test_it_is_made_once_for_all_who_ask_and_not_by_the_event_loop() -> None:
    making: Making[str, str] = Making(4)
    threads: list[int] = []
    go_on = threading.Event()

    def make() -> str:
        threads.append(threading.get_ident())
        assert go_on.wait(_WAIT_S)
        return "page"

    asked = [asyncio.create_task(making.get("key", lambda: make)) for _ in range(10)]
    await asyncio.sleep(0)
    asked[0].cancel()
    go_on.set()
    assert (await asyncio.gather(*asked, return_exceptions=True))[1:] == ["page"] * 9, "whoever asked first may leave"
    assert len(threads) == 1 and threads[0] != threading.get_ident()
    assert await making.get("key", lambda: make) == "page"
    assert len(threads) == 1


async def test_what_cannot_be_made_is_told_to_all_and_made_again() -> None:
    making: Making[str, str] = Making(4)

    def fail() -> str:
        raise ValueError("no")

    results = await asyncio.gather(*(making.get("key", lambda: fail) for _ in range(3)), return_exceptions=True)
    assert [str(r) for r in results] == ["no"] * 3
    assert await making.get("key", lambda: lambda: "page") == "page"


async def test_few_are_made_at_a_time_and_not_all_may_wait() -> None:
    making: Making[int, int] = Making(4)
    go_on, running, most = threading.Event(), list[int](), list[int]()

    def make(number: int) -> int:
        running.append(number)
        most.append(len(running))
        assert go_on.wait(_WAIT_S)
        running.remove(number)
        return number

    tasks = [asyncio.create_task(making.get(n, lambda n=n: lambda: make(n))) for n in range(64)]  # type: ignore[misc]
    await asyncio.sleep(0)
    with pytest.raises(BusyError):
        await making.get(64, lambda: lambda: 64)
    go_on.set()
    assert await asyncio.gather(*tasks) == list(range(64))
    assert max(most) <= 2
    assert await making.get(64, lambda: lambda: 64) == 64
