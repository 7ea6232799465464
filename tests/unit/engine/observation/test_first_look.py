"""The first look at thousands of services: a whole cluster's tasks are read at once, and go on moving meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from ecs_release.domain.ecs.service import Access, ServiceKey, Task
from ecs_release.domain.ports.protocols import ServicesAnswer
from ecs_release.engine.observation.observer import Observer
from ecs_release.engine.runtime.settings import EngineSettings
from tests.builders.ecs import NOW, deployment, service
from tests.builders.simulated_time import SimulatedClock, run_simulated

ACCESS = Access("111122223333", "eu-west-1")
CALL_S, COUNT = 1.0, 200


@dataclass
class Moving:
    """A cluster of services with a task each, which starts at some moment, and may be replaced by another at a later one.

    What DescribeTasks tells is `lag_s` behind what DescribeServices tells: ECS promises no more than that they agree in the end.
    """

    starts_at: dict[str, float] = field(default_factory=dict)
    replaced_at: dict[str, float] = field(default_factory=dict)
    lag_s: float = 0.0
    whole: int = 0
    singly: list[str] = field(default_factory=list)

    def ecs(self, _: Access) -> Moving:
        return self

    async def caller(self, _: Access) -> str:
        return "arn:aws:sts::111122223333:assumed-role/r/s"

    def _runs(self, name: str, now: float) -> bool:
        return now >= self.starts_at.get(name, 0.0)

    def _task(self, name: str, now: float) -> str:
        return f"{name}/{2 if now >= self.replaced_at.get(name, float('inf')) else 1}"

    async def describe_services(self, _: str, names: Sequence[str], **__: Any) -> ServicesAnswer:
        await asyncio.sleep(CALL_S)
        now = asyncio.get_running_loop().time()
        found = {}
        for name in names:
            runs = self._runs(name, now)
            event = self._task(name, now)
            found[name] = replace(
                service(deployment(1, running=int(runs)), name=name, arn=name, desired=1),
                running=runs,
                pending=not runs,
                newest_event=event,
            )
        return ServicesAnswer(found, NOW)

    async def list_cluster_tasks(self, *_: Any, **__: Any) -> list[str]:
        self.whole += 1
        return [self._task(f"s{n:03}", asyncio.get_running_loop().time()) for n in range(COUNT)]

    async def list_tasks(self, _: str, name: str, **__: Any) -> list[str]:
        self.singly.append(name)
        return [self._task(name, asyncio.get_running_loop().time())]

    async def describe_tasks(self, _: str, arns: Sequence[str], **__: Any) -> list[Task]:
        at = asyncio.get_running_loop().time() - self.lag_s
        status = {a: "RUNNING" if self._runs(a.partition("/")[0], at) else "PENDING" for a in arns}
        await asyncio.sleep(CALL_S)
        return [Task(a, "td", "ecs-svc/1", status[a], "RUNNING", service=a.partition("/")[0]) for a in arns]


def key(number: int, cluster: str = "main") -> ServiceKey:
    return ServiceKey("111122223333", "eu-west-1", cluster, f"s{number:03}")


def observed(aws: Moving, seconds: float, *also: ServiceKey) -> Observer:
    async def main() -> Observer:
        made = Observer("prod", aws, SimulatedClock(), EngineSettings(), changed=lambda _: None, swept=lambda _: None)  # type: ignore[arg-type]
        made.set_targets(ACCESS, dict.fromkeys([*also, *(key(n) for n in range(COUNT))], ACCESS))
        task = asyncio.create_task(made.run())
        await asyncio.sleep(seconds)
        task.cancel()
        return made

    return run_simulated(main())


def running(made: Observer) -> set[int]:
    looks = [w.look for w in made._services.values() if w.look is not None and w.look.service is not None]
    assert len(looks) == COUNT
    return {len(look.service.running_tasks) - look.service.running for look in looks if look.service is not None}


@pytest.mark.parametrize("starts_s", [2.0, 3.5, 5.0])
def test_a_task_that_starts_between_the_cluster_s_list_and_the_service_s_look_is_not_remembered_as_pending(starts_s: float) -> None:
    """Otherwise nothing would seem to run, with nothing moving that would have it looked at again: the Release would deploy (law 7)."""
    aws = Moving(starts_at={f"s{n:03}": starts_s for n in range(0, COUNT, 3)})
    assert running(observed(aws, 30)) == {0}
    assert aws.whole == 1


def test_tasks_that_lag_behind_their_service_are_read_again_until_they_agree() -> None:
    aws = Moving(starts_at={"s007": 2.5}, lag_s=5.0)
    made = observed(aws, 130)
    assert running(made) == {0}
    assert aws.singly.count("s007") <= 3


def test_what_was_read_before_is_not_answered_with_the_cluster_s_list() -> None:
    """A minute old at most is well for what nothing is known of; what has moved since was moved by other tasks than those."""
    aws = Moving(replaced_at={"s000": 20.0})

    async def main() -> None:
        made = Observer("prod", aws, SimulatedClock(), EngineSettings(), changed=lambda _: None, swept=lambda _: None)  # type: ignore[arg-type]
        made.set_targets(ACCESS, {key(n): ACCESS for n in range(COUNT)})
        task = asyncio.create_task(made.run())
        await asyncio.sleep(19)
        assert aws.singly == []
        await made.look(key(1), tasks=True)
        assert aws.singly == ["s001"], "whoever asks for the tasks wants them as they are now"
        await asyncio.sleep(5)
        look = await made.look(key(0))
        assert look.service is not None and [t.arn for t in look.service.tasks] == ["s000/2"]
        task.cancel()

    run_simulated(main())


def test_another_cluster_s_unknown_services_are_no_reason_to_read_a_whole_cluster() -> None:
    """One service in a cluster of somebody else's thousands: a list of its own is one call."""
    aws = Moving()
    lonely = ServiceKey("111122223333", "eu-west-1", "huge", "s999")
    listed: list[str] = []
    whole = aws.list_cluster_tasks

    async def noted(cluster: str, **named: Any) -> list[str]:
        listed.append(cluster)
        return await whole(cluster, **named)

    aws.list_cluster_tasks = noted  # type: ignore[method-assign,assignment]
    observed(aws, 30, lonely)
    assert listed == ["main"]
    assert aws.singly == ["s999"]
