"""Listening: whatever comes is counted and deleted, whatever fails is tried again, and nobody else is held up."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from ecs_release.domain.ecs.events import AwsEvent
from ecs_release.domain.ecs.service import Access
from ecs_release.domain.model.errors import Denied, Retryable
from ecs_release.domain.ports.protocols import Message
from ecs_release.engine.observation.event_listener import EventListener
from ecs_release.engine.observation.observed_service import ObservedService
from tests.builders.fake_observation import FakeServices, service_key
from tests.builders.fake_observation import observer as an_observer
from tests.builders.simulated_time import SimulatedClock, run_simulated

ACCESS = Access("111122223333", "eu-west-1")
URL = "https://sqs.eu-west-1.amazonaws.com/111122223333/events"


def a_message(number: int, body: str | None = None) -> Message:
    event = {
        "detail-type": "ECS Service Action", "account": "111122223333", "region": "eu-west-1",
        "resources": [f"arn:aws:ecs:eu-west-1:111122223333:service/main/s{number}"], "detail": {},
    }  # fmt: skip
    return Message(json.dumps(event) if body is None else body, f"handle {number}")


@dataclass
class FakeQueue:
    """A queue whose messages are there until they are deleted."""

    messages: list[Message] = field(default_factory=list)
    problem: Exception | None = None
    asked: int = 0

    def event_queue(self, *_: object) -> FakeQueue:
        return self

    async def receive(self) -> list[Message]:
        self.asked += 1
        if self.problem is not None:
            raise self.problem
        await asyncio.sleep(0.1 if self.messages else 10)
        return self.messages[:10]

    async def delete(self, messages: Sequence[Message]) -> None:
        self.messages = [m for m in self.messages if m not in messages]


def listening(queue: FakeQueue, heard: list[AwsEvent], troubled: list[str] | None = None) -> EventListener:
    troubles = troubled if troubled is not None else []
    return EventListener(queue, SimulatedClock(), lambda event, _: heard.append(event), troubles.append)  # type: ignore[arg-type]


def test_all_that_comes_is_handed_on_and_deleted(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[AwsEvent] = []
    queue = FakeQueue(
        [a_message(1), a_message(2, "poison"), a_message(3, "poison"), a_message(4, '{"detail-type": "x", "detail": 1}'), a_message(5)]
    )

    async def main() -> dict[str, int]:
        made = listening(queue, heard)
        made.set_queues({URL: ACCESS})
        await asyncio.sleep(5)
        return dict(made.readers[0].messages)

    with caplog.at_level(logging.WARNING):
        counted = run_simulated(main())
    assert [h.service for h in heard] == ["s1", "s5"]
    assert counted == {"ECS Service Action": 2, "malformed": 2, "unknown": 1}
    assert queue.messages == []
    assert len([r for r in caplog.records if "malformed" in r.message]) == 1, "logged once a kind"


def test_one_that_cannot_be_taken_in_stops_nothing() -> None:
    queue, heard = FakeQueue([a_message(1), a_message(2)]), list[str]()

    def hear(event: AwsEvent, url: str) -> None:
        assert url == URL
        heard.append(event.service)
        if event.service == "s1":
            raise KeyError("a bug of ours")

    async def main() -> None:
        made = EventListener(queue, SimulatedClock(), hear, lambda _: None)  # type: ignore[arg-type]
        made.set_queues({URL: ACCESS})
        await asyncio.sleep(5)

    run_simulated(main())
    assert (heard, queue.messages) == (["s1", "s2"], [])


@pytest.mark.parametrize("problem", [Denied("no"), Retryable("500"), KeyError("a bug of ours")])
def test_a_queue_that_fails_is_tried_ever_more_slowly_and_heard_again(problem: Exception) -> None:
    heard: list[AwsEvent] = []
    troubled: list[str] = []
    queue = FakeQueue([a_message(1)], problem)

    async def main() -> None:
        made = listening(queue, heard, troubled)
        made.set_queues({URL: ACCESS})
        await asyncio.sleep(600)
        assert queue.asked <= 6 + 600 / 60
        queue.problem = None
        await asyncio.sleep(61)
        assert made.problem(URL) is None

    run_simulated(main())
    assert [h.service for h in heard] == ["s1"]
    assert troubled == ([] if isinstance(problem, KeyError) else [URL, URL])


@pytest.mark.parametrize("problem", [Denied("no"), Retryable("500"), KeyError("a bug of ours")])
def test_how_long_messages_wait_is_not_said_while_nobody_can_tell(problem: Exception) -> None:
    clock = SimulatedClock()
    queue = FakeQueue()

    async def main() -> list[float | None]:
        made = EventListener(queue, clock, lambda *_: None, lambda _: None)  # type: ignore[arg-type]
        made.set_queues({URL: ACCESS})
        (listener,) = made.readers
        ages = [listener.oldest_age_s]
        await asyncio.sleep(11)
        ages.append(listener.oldest_age_s)
        queue.messages = [replace(a_message(1), sent_at=clock.now() - timedelta(seconds=100))]
        await asyncio.sleep(12)
        ages.append(round(listener.oldest_age_s or 0, -1))
        queue.problem = problem
        await asyncio.sleep(20)
        ages.append(listener.oldest_age_s)
        queue.problem = None
        await asyncio.sleep(80)
        return [*ages, listener.oldest_age_s]

    assert run_simulated(main()) == [None, 0.0, 110.0, None, 0.0]


def test_queues_that_nobody_names_any_more_are_left() -> None:
    queue = FakeQueue()

    async def main() -> None:
        made = listening(queue, [])
        made.set_queues({URL: ACCESS})
        await asyncio.sleep(25)
        made.set_queues({URL: ACCESS})
        assert len(made.readers) == 1
        made.set_queues({})
        before = queue.asked
        await asyncio.sleep(60)
        assert (made.readers, queue.asked) == ((), before)

    run_simulated(main())


def test_a_storm_of_events_is_a_look_a_second() -> None:
    aws = FakeServices()

    async def main() -> int:
        made, _ = an_observer(aws, 1)
        task = asyncio.create_task(made.run())
        await asyncio.sleep(61)
        before = len(aws.calls)
        for _ in range(1000):
            made.event_received(service_key(0), tasks=True, author=None)
            made.event_received(service_key(7), tasks=True, author=None)
            await asyncio.sleep(0.01)
        task.cancel()
        return len(aws.calls) - before

    assert 7 <= run_simulated(main()) <= 11


def test_an_event_is_looked_at_at_once() -> None:
    watched = ObservedService(service_key(0), ACCESS, due=1000.0)
    assert watched.note_event(500.0, tasks=False)
    assert watched.due - 500.0 <= timedelta(milliseconds=200).total_seconds()
