"""What is pressing does not wait for a sweep's backlog: rollouts first, then what events tell of, on the one rate that all share."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from ecs_release.aws.sessions.pacing import Bucket, Rate, RateLimiter
from ecs_release.domain.ecs.service import Access, ServiceKey, Task
from ecs_release.domain.ports.protocols import Priority, ServicesAnswer
from ecs_release.engine.observation.observed_service import ObservedService
from ecs_release.engine.observation.observer import Observer
from ecs_release.engine.runtime.settings import EngineSettings
from tests.builders.ecs import NOW, deployment, service
from tests.builders.simulated_time import SimulatedClock, run_simulated

ACCESS = Access("111122223333", "eu-west-1")
CALL_S = 0.2


@dataclass
class PacedAws:
    """ECS behind two limiters, as the adapter has them: service reads, and reads of tasks. Each service runs one task."""

    services: RateLimiter
    tasks: RateLimiter
    reads: list[tuple[float, Priority, tuple[str, ...]]] = field(default_factory=list)
    lists: Counter[Priority] = field(default_factory=Counter)

    def ecs(self, _: Access) -> PacedAws:
        return self

    async def caller(self, _: Access) -> str:
        return "arn:aws:sts::111122223333:assumed-role/r/s"

    async def describe_services(self, cluster: str, names: Sequence[str], *, priority: Priority = Priority.OBSERVATION) -> ServicesAnswer:
        await self.services.acquire(priority, "DescribeServices")
        self.reads.append((asyncio.get_running_loop().time(), priority, tuple(names)))
        await asyncio.sleep(CALL_S)
        return ServicesAnswer(
            {n: service(deployment(1, running=1), name=n, arn=f"arn/{cluster}/{n}", desired=1, running=1) for n in names}, NOW
        )

    async def list_tasks(self, _: str, name: str, *, priority: Priority = Priority.OBSERVATION, **__: Any) -> list[str]:
        await self.tasks.acquire(priority, "ListTasks")
        self.lists[priority] += 1
        return [name]

    async def list_cluster_tasks(self, *_: Any, **__: Any) -> list[str]:
        return []

    async def describe_tasks(self, _: str, arns: Sequence[str], *, priority: Priority = Priority.OBSERVATION) -> list[Task]:
        await self.tasks.acquire(priority, "DescribeTasks")
        return [Task(a, "td", "ecs-svc/1", "RUNNING", "RUNNING", service=a) for a in arns]

    def read_after(self, at: float, name: str) -> float:
        """Return how many seconds after a moment a service was read."""
        return next(time for time, _, names in self.reads if time >= at and name in names) - at


def key(number: int, cluster: str = "main") -> ServiceKey:
    return ServiceKey("111122223333", "eu-west-1", cluster, f"s{number:04}")


def swept(
    body: Callable[[Observer, PacedAws], Coroutine[Any, Any, None]],
    keys: Sequence[ServiceKey],
    per_s: float = 10.0,
    tasks_per_s: float = 10.0,
) -> PacedAws:
    """Observe services that were all seen once, and call `body` a second into a sweep."""

    async def main() -> PacedAws:
        clock = SimulatedClock()
        limiters = [RateLimiter(Bucket(Rate(r, r), 1.0, 0.0), clock, 60) for r in (per_s, tasks_per_s)]
        aws = PacedAws(*limiters)
        made = Observer("prod", aws, clock, EngineSettings(), changed=lambda _: None, swept=lambda _: None)  # type: ignore[arg-type]
        made.interval_s = 1200.0
        made.set_targets(ACCESS, dict.fromkeys(keys, ACCESS))
        task = asyncio.create_task(made.run())
        await asyncio.sleep(1000)
        assert all((w := made.observed(k)) is not None and w.look is not None for k in keys)
        moment = min(w.due for k in keys if (w := made.observed(k)))
        await asyncio.sleep(moment + 1 - clock.monotonic())
        aws.reads.clear()
        aws.lists.clear()
        await body(made, aws)
        task.cancel()
        return aws

    return run_simulated(main())


@pytest.mark.parametrize("cluster", ["main", "other"])
@pytest.mark.parametrize("per_s", [10.0, 1.0])
def test_what_an_event_tells_of_is_read_at_once_whatever_a_sweep_has_before_it(cluster: str, per_s: float) -> None:
    """5,000 services fall due at the same moment, and are read in 500 calls: 50 s at the half of AWS's rate that is ours."""
    count = 5000 if per_s == 10 else 500
    told = key(count - 1, cluster)

    async def body(made: Observer, aws: PacedAws) -> None:
        begun = made._clock.monotonic()
        made.event_received(told, tasks=True, author=None)
        await asyncio.sleep(10)
        assert aws.read_after(begun, told.service) <= 2 / min(1.0, per_s / 2)
        assert [names for _, priority, names in aws.reads if priority == Priority.EVENT] == [(told.service,)]
        assert aws.lists == {Priority.EVENT: 1}

    swept(body, [*(key(n) for n in range(count - 1)), told], per_s)


def test_a_sweep_costs_what_it_costs_and_no_more_with_an_event_in_it() -> None:
    async def body(made: Observer, aws: PacedAws) -> None:
        made.event_received(key(999), tasks=True, author=None)
        await asyncio.sleep(60)
        assert len(aws.reads) <= 100 + 1

    swept(body, [key(n) for n in range(1000)])


def test_rollouts_go_before_events_and_events_before_the_sweep() -> None:
    """One call a second for all: what is asked for has the next turn, a service that moves the one after it, then what was heard of."""

    async def body(made: Observer, aws: PacedAws) -> None:
        begun = made._clock.monotonic()
        made.event_received(key(480), tasks=False, author=None)
        made.set_fast(key(490, "moves"), fast=True)
        await made.look(key(495, "asked"))
        await asyncio.sleep(5)
        first = [(priority, names[0]) for time, priority, names in aws.reads if time >= begun and priority != Priority.OBSERVATION]
        assert first[:3] == [(Priority.ROLLOUT, "s0495"), (Priority.ROLLOUT, "s0490"), (Priority.EVENT, "s0480")]

    swept(body, [*(key(n) for n in range(490)), key(490, "moves"), key(495, "asked")], 1.0)


def test_a_storm_of_events_never_holds_up_a_rollout() -> None:
    """Every service has news every second, and the tasks of each are to be read: the rate of ListTasks is used up."""

    async def body(made: Observer, aws: PacedAws) -> None:
        async def storm() -> None:
            while True:
                for number in range(1, 1000):
                    made.event_received(key(number), tasks=True, author=None)
                await asyncio.sleep(1)

        raging = asyncio.create_task(storm())
        await asyncio.sleep(5)
        made.set_fast(key(0), fast=True)
        for _ in range(10):
            begun = made._clock.monotonic()
            await made.look(key(0), tasks=True)
            assert made._clock.monotonic() - begun <= 1.5
        raging.cancel()

    swept(body, [key(n) for n in range(1000)])


def test_what_was_heard_of_longest_is_read_first_however_many_events_there_are() -> None:
    async def body(made: Observer, aws: PacedAws) -> None:
        begun = made._clock.monotonic()
        while made._clock.monotonic() < begun + 60:
            for number in range(500):
                made.event_received(key(number), tasks=False, author=None)
            await asyncio.sleep(1)
        seen = Counter(name for _, priority, names in aws.reads if priority == Priority.EVENT for name in names)
        assert len(seen) == 500
        assert max(seen.values()) - min(seen.values()) <= 1

    swept(body, [key(n) for n in range(500)])


def test_a_backlog_costs_the_loop_no_turns() -> None:
    """While all batches wait for their turns there is nothing to do: the loop must not look for it a hundred times a second."""

    async def body(made: Observer, aws: PacedAws) -> None:
        for number in range(40):
            made.event_received(key(number, f"c{number % 8}"), tasks=True, author=None)
        looks, turn = Counter[str](), made._schedule.due_batches

        def counted(*given: Any) -> Any:
            looks["turns"] += 1
            return turn(*given)

        made._schedule.due_batches = counted  # type: ignore[method-assign]
        await asyncio.sleep(20)
        assert looks["turns"] <= 3 * len(aws.reads) + 20

    swept(body, [*(key(n, f"c{n % 8}") for n in range(40)), *(key(n) for n in range(100, 300))], 1.0)


def test_the_loop_is_woken_for_an_event_though_the_service_was_due_before() -> None:
    watched = ObservedService(key(0), ACCESS, due=5.0)
    assert watched.note_event(10.0, tasks=False), "it is more pressing now"
    assert not watched.note_event(10.0, tasks=False)
