"""Reading tasks: a cluster as a whole where that is cheaper, and each service's own wherever the whole does not fit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from ecs_release.domain.ecs.service import Access, Service, Task
from ecs_release.domain.model.errors import Denied, Problem, Retryable
from ecs_release.domain.ports.protocols import Priority
from ecs_release.engine.observation.task_reader import TaskReader
from tests.builders.ecs import deployment, service
from tests.builders.simulated_time import SimulatedClock, run_simulated

ACCESS = Access("111122223333", "eu-west-1")


@dataclass
class FakeTasks:
    """A cluster of services with two tasks each."""

    services: int
    strangers: int = 0
    denied: bool = False
    gone: set[str] = field(default_factory=set)
    pending: set[str] = field(default_factory=set)
    """Those that are PENDING when the whole cluster is described, and RUNNING afterwards."""
    calls: list[str] = field(default_factory=list)

    def ecs(self, _: Access) -> FakeTasks:
        return self

    def _arns(self, name: str) -> list[str]:
        return [f"{name}/{n}" for n in range(2)]

    async def list_cluster_tasks(self, _: str, pages: int) -> list[str] | None:
        arns = [a for n in range(self.services) for a in self._arns(f"s{n}")] + [f"stranger/{n}" for n in range(self.strangers)]
        needed = -(-len(arns) // 100)
        self.calls += ["ListTasks"] * min(needed, pages)
        await asyncio.sleep(1)
        if self.denied:
            raise Denied("no")
        return arns if needed <= pages else None

    async def list_tasks(self, _: str, name: str, **__: Any) -> list[str]:
        self.calls.append("ListTasks")
        return self._arns(name)

    async def describe_tasks(self, _: str, arns: Sequence[str], **__: Any) -> list[Task]:
        self.calls.append("DescribeTasks")
        whole = {a: "PENDING" if a in self.pending and len(arns) > 4 else "RUNNING" for a in arns if a not in self.gone}
        return [Task(a, "td", "ecs-svc/1", status, "RUNNING", service=a.partition("/")[0]) for a, status in whole.items()]


def a_service(number: int, running: int = 2) -> Service:
    return service(deployment(1), name=f"s{number}", running=running, desired=running)


def read(ecs: FakeTasks, batches: list[list[Service]], unknown: int) -> list[dict[str, tuple[Task, ...] | Problem]]:
    async def main() -> list[dict[str, tuple[Task, ...] | Problem]]:
        reader = TaskReader(ecs, SimulatedClock())  # type: ignore[arg-type]
        wanted = {"unknown": lambda: unknown, "priority": Priority.OBSERVATION}
        return await asyncio.gather(*(reader.read(ACCESS, "main", b, first={s.name for s in b}, **wanted) for b in batches))  # type: ignore[arg-type]

    return run_simulated(main())


def test_a_cluster_is_looked_at_once_for_all_that_ask() -> None:
    ecs = FakeTasks(500)
    found = read(ecs, [[a_service(n) for n in range(first, first + 10)] for first in range(0, 500, 10)], unknown=500)

    assert {name: [t.arn for t in tasks] for part in found for name, tasks in part.items()} == {
        f"s{n}": [f"s{n}/0", f"s{n}/1"] for n in range(500)
    }
    assert (ecs.calls.count("ListTasks"), ecs.calls.count("DescribeTasks")) == (10, 10)


def test_few_services_are_asked_for_singly() -> None:
    ecs = FakeTasks(500)
    found = read(ecs, [[a_service(0), a_service(1)]], unknown=2)

    assert [len(t) for t in found[0].values()] == [2, 2]
    assert ecs.calls == ["ListTasks", "ListTasks", "DescribeTasks"]


def test_a_cluster_full_of_strangers_costs_at_most_half_more() -> None:
    ecs = FakeTasks(30, strangers=100_000)
    found = read(ecs, [[a_service(n) for n in range(10)] for _ in range(3)], unknown=30)

    assert all(len(t) == 2 for part in found for t in part.values())
    assert ecs.calls.count("ListTasks") <= 30 + 15


@pytest.mark.parametrize("wrong", ["counts", "gone", "denied", "pending"])
def test_what_the_whole_does_not_tell_is_asked_for(wrong: str) -> None:
    ecs = FakeTasks(
        30, denied=wrong == "denied", gone={"s0/1"} if wrong == "gone" else set(), pending={"s0/1"} if wrong == "pending" else set()
    )
    found = read(ecs, [[a_service(0, running=3 if wrong == "counts" else 2), a_service(1)]], unknown=30)

    assert len(found[0]["s0"]) == (1 if wrong == "gone" else 2), "as its own list tells"
    assert {t.last_status for t in found[0]["s0"]} == {"RUNNING"}
    assert len(found[0]["s1"]) == 2


def test_what_was_read_before_is_not_answered_from_the_whole() -> None:
    async def main() -> list[str]:
        ecs = FakeTasks(30)
        reader = TaskReader(ecs, SimulatedClock())  # type: ignore[arg-type]
        both = [a_service(0), a_service(1)]
        await reader.read(ACCESS, "main", both, first={"s1"}, unknown=lambda: 30, priority=Priority.OBSERVATION)
        return ecs.calls

    assert run_simulated(main()) == ["ListTasks", "DescribeTasks", "ListTasks", "DescribeTasks"], "the whole, then the one that moved"


def test_faults_are_told_of_those_that_they_hit() -> None:
    class Broken(FakeTasks):
        async def list_tasks(self, _: str, name: str, **__: Any) -> list[str]:
            if name == "s1":
                raise Retryable("500")
            return await super().list_tasks(_, name)

    (found,) = read(Broken(3), [[a_service(n) for n in range(3)]], unknown=1)
    assert found["s1"] == Retryable("500")
    assert [len(found[name]) for name in ("s0", "s2")] == [2, 2]  # type: ignore[arg-type]


def test_a_page_of_tasks_that_cannot_be_described_hits_those_on_it() -> None:
    class Broken(FakeTasks):
        def _arns(self, name: str) -> list[str]:
            return [f"{name}/{n}" for n in range(60)]

        async def describe_tasks(self, _: str, arns: Sequence[str], **__: Any) -> list[Task]:
            if "s2/59" in arns:
                raise Denied("no")
            return await super().describe_tasks(_, arns)

    (found,) = read(Broken(3), [[a_service(n, running=60) for n in range(3)]], unknown=1)
    assert isinstance(found["s0"], tuple) and len(found["s0"]) == 60
    assert found["s1"] == found["s2"] == Denied("no"), "the second page holds the rest of s1"
