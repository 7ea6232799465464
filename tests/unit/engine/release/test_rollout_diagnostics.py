"""What is read to explain a rollout, and when: nothing more for a plain rolling one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ecs.service import Access, ProtectedTask, Service, ServiceDeployment, Task, TaskDefinition
from ecs_release.domain.model.errors import Denied
from ecs_release.domain.verification.health import HealthRules
from ecs_release.engine.observation.observed_service import Watched
from ecs_release.engine.release.memory import Memory
from ecs_release.engine.release.rollout_diagnostics import explain
from tests.builders.ecs import NOW, OLD, deployment, service, task
from tests.unit.domain.test_under_way import BOTH, KEY, facts

SCALING = ServiceDeployment("arn:sd", "IN_PROGRESS", stage="SCALE_UP")
PLAIN = replace(BOTH, strategy="ROLLING")


@dataclass
class FakeEcs:
    """ECS that counts what it is asked for."""

    told: ServiceDeployment | None = SCALING
    deployments: list[str] = field(default_factory=list)
    protections: list[tuple[str, ...]] = field(default_factory=list)
    stopped: list[Task] = field(default_factory=list)
    listed: int = 0

    async def service_deployment(self, service_arn: str, deployment_id: str) -> ServiceDeployment | None:
        self.deployments.append(deployment_id)
        return self.told

    async def protected_tasks(self, cluster: str, arns: Sequence[str]) -> list[ProtectedTask]:
        self.protections.append(tuple(arns))
        return [ProtectedTask(arns[0], NOW)]

    async def list_tasks(self, cluster: str, service: str, *, stopped: bool = False) -> list[str]:
        assert stopped
        self.listed += 1
        return [t.arn for t in self.stopped]

    async def describe_tasks(self, cluster: str, arns: Sequence[str]) -> list[Task]:
        return self.stopped

    async def describe_task_definition(self, arn: str) -> TaskDefinition:
        raise Denied("ecs:DescribeTaskDefinition: no policy allows it")


async def explained(ecs: FakeEcs, given: Facts, memory: Memory | None = None, *, known: bool = True) -> Facts:
    status = given.status
    assert status.rollout is not None and given.target is not None
    rollout = status.rollout.model_copy(update={"service_deployment_arn": "arn:sd" if known else None})
    release = given.release.model_copy(update={"status": status.model_copy(update={"rollout": rollout})})
    return await explain(ecs, given.target, replace(given, release=release), memory or Memory(NOW))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seen", "known", "calls"),
    [
        (PLAIN, True, 0),
        (PLAIN, False, 1),
        (BOTH, True, 1),
        (replace(BOTH, strategy="CANARY"), True, 1),
        (replace(PLAIN, hooked=True), True, 1),
    ],
)
async def test_stages_are_read_on_each_look_where_there_are_any(seen: Service, known: bool, calls: int) -> None:
    ecs = FakeEcs()
    given = await explained(ecs, facts(seen), known=known)
    assert len(ecs.deployments) == calls
    assert (given.explained is not None) is bool(calls)


@pytest.mark.parametrize(("later_s", "stands"), [(5, True), (59, True), (61, False)])
async def test_what_was_told_a_moment_ago_stands(later_s: float, stands: bool) -> None:
    ecs, memory = FakeEcs(), Memory(NOW)
    await explained(ecs, facts(), memory)
    ecs.told = None
    again = await explained(ecs, replace(facts(), now=NOW + timedelta(seconds=later_s)), memory)
    assert (again.explained is not None) is stands


async def test_protection_is_asked_of_once_a_minute_and_only_while_nothing_moves() -> None:
    ecs, memory = FakeEcs(), Memory(NOW)
    moments = {0: (), 100: (), 125: ("once",), 150: ("once",), 180: ("once",), 190: ("once", "again")}
    for later_s, asked in moments.items():
        given = await explained(ecs, replace(facts(PLAIN, idle_s=0), now=NOW + timedelta(seconds=later_s)), memory)
        assert len(ecs.protections) == len(asked), later_s
        assert bool(given.protected) is bool(asked)
    moved = await explained(
        ecs, replace(facts(PLAIN, idle_s=0), now=NOW + timedelta(seconds=300), patient_from=NOW + timedelta(seconds=290)), memory
    )
    assert moved.protected == ()
    assert ecs.protections[0] == (task(1, OLD).arn, task(1, OLD).arn)


async def test_stopped_tasks_are_read_where_nothing_moves_though_ecs_counts_no_failure() -> None:
    """Its count begins anew with each task that comes up: one that crashes then is never counted."""
    crashed = replace(task(2), stop_code="EssentialContainerExited", stopped_reason="Essential container in task exited")
    ecs, memory = FakeEcs(stopped=[crashed]), Memory(NOW)
    given = facts(PLAIN, idle_s=0)
    third_s = given.deadline.total_seconds() / 3
    for thirds, listed in {0.9: 0, 1.1: 1, 1.5: 1, 2.1: 2, 3.0: 3}.items():
        found = await explained(ecs, replace(given, now=NOW + timedelta(seconds=thirds * third_s)), memory)
        assert ecs.listed == listed, thirds
        assert [e.task for e in found.evidence] == ([crashed.arn] if listed else [])


async def test_nobody_asks_where_no_old_task_runs() -> None:
    ecs = FakeEcs()
    await explained(ecs, facts(service(deployment(2, state="IN_PROGRESS"), tasks=(task(2),)), idle_s=1000))
    assert ecs.protections == []


@pytest.mark.parametrize(
    ("state", "strategy", "calls"), [("IN_PROGRESS", "CANARY", 1), ("IN_PROGRESS", "ROLLING", 0), ("COMPLETED", "CANARY", 0)]
)
async def test_the_stage_of_somebody_elses_deployment_is_read_where_it_is_in_the_way(state: str, strategy: str, calls: int) -> None:
    ecs, given = FakeEcs(), facts(service(deployment(3, state=state), strategy=strategy))
    status = given.status.model_copy(update={"rollout": None})
    found = await explain(ecs, given.target, replace(given, release=given.release.model_copy(update={"status": status})), Memory(NOW))  # type: ignore[arg-type]
    assert ecs.deployments == ["ecs-svc/3"] * calls
    assert (found.foreign is not None) is bool(calls)
    assert found.explained is None


def look(watched: Watched, seen: Service, now: datetime = NOW) -> bool:
    return watched.accept(seen, now, now, HealthRules())


@pytest.mark.parametrize(("fast", "seen", "news"), [(True, BOTH, True), (False, BOTH, False), (True, PLAIN, False)])
def test_a_look_at_a_rollout_with_stages_is_news(fast: bool, seen: Service, news: bool) -> None:
    """A stage changes without DescribeServices showing it."""
    watched = Watched(KEY, Access("111122223333", "eu-west-1"), fast=fast)
    assert look(watched, seen)
    assert look(watched, seen) is news


async def test_who_asked_for_a_look_needs_no_news_of_it() -> None:
    import asyncio

    watched = Watched(KEY, Access("111122223333", "eu-west-1"), fast=True)
    look(watched, BOTH)
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    watched.answering.append(future)
    assert look(watched, BOTH) is False
    assert future.done()
