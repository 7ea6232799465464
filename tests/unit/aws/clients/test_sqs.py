"""How long an event queue is waited at: all have their turn in about ten seconds, however many there are."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from ecs_release.aws.clients.sqs import BotoEventQueue
from ecs_release.aws.sessions.threads import Threads
from ecs_release.domain.ecs.service import Access

ACCESS = Access("111122223333", "eu-west-1")
URL = "https://sqs.eu-west-1.amazonaws.com/111122223333/events"


class FakeCaller:
    """Notes how long it is asked to wait."""

    def __init__(self) -> None:
        self.waits: list[int] = []

    async def call(self, *_: Any, parameters: dict[str, Any], parse: Any, **__: Any) -> Any:
        self.waits.append(parameters["WaitTimeSeconds"])
        return parse({})


@pytest.mark.parametrize(("load", "wait_s"), [(0.0, 10), (0.5, 10), (1.0, 10), (1.2, 8), (2.0, 5), (10.0, 1), (100.0, 1)])
async def test_polls_get_shorter_where_queues_take_turns(load: float, wait_s: int) -> None:
    caller = FakeCaller()
    assert await BotoEventQueue(caller, ACCESS, URL, lambda: load).receive() == []  # type: ignore[arg-type]
    assert caller.waits == [wait_s]


async def test_the_load_is_what_is_under_way_and_what_waits_for_a_thread() -> None:
    threads, go = Threads(2), threading.Event()
    calls = [asyncio.create_task(threads.call(go.wait, 10)) for _ in range(5)]
    await asyncio.sleep(0)
    assert threads.load == 2.5
    calls[4].cancel()
    go.set()
    await asyncio.wait(calls)
    assert threads.load == 0
    threads.close()
