"""An observer, and ECS as it reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ecs_release.domain.ecs.service import Access, ServiceKey, Task
from ecs_release.domain.model.errors import Denied, Problem
from ecs_release.domain.ports.protocols import ServicesAnswer
from ecs_release.engine.observation.observer import Observer
from ecs_release.engine.runtime.settings import EngineSettings
from tests.builders.ecs import NOW, deployment, service
from tests.builders.simulated_time import SimulatedClock

ACCESS = Access("111122223333", "eu-west-1")


@dataclass
class FakeServices:
    """ECS that answers for every service, but for those that may not be read."""

    denied: set[str] = field(default_factory=set)
    broken: Exception | None = None
    calls: list[list[str]] = field(default_factory=list)
    account_problem: Problem | None = None
    rolls: bool = False
    lists: int = 0
    untold: dict[str, Exception] = field(default_factory=dict)
    """Services whose tasks cannot be listed."""

    def ecs(self, _: Access) -> FakeServices:
        return self

    async def caller(self, _: Access) -> str:
        if self.account_problem is not None:
            raise self.account_problem
        return "arn:aws:sts::111122223333:assumed-role/r/s"

    async def describe_services(self, cluster: str, names: Sequence[str], **_: Any) -> ServicesAnswer:
        self.calls.append(list(names))
        await asyncio.sleep(0.05)
        if self.broken is not None:
            raise self.broken
        if self.denied & set(names):
            raise Denied("ecs:DescribeServices: no")
        rolling = deployment(2, state="IN_PROGRESS", running=len(self.calls)) if self.rolls else deployment(1)
        return ServicesAnswer({name: service(rolling, name=name, arn=f"arn/{name}", running=2) for name in names}, NOW)

    async def list_tasks(self, _: str, name: str, **__: Any) -> list[str]:
        self.lists += 1
        if name in self.untold:
            raise self.untold[name]
        return ["a", "b"]

    async def list_cluster_tasks(self, *_: Any, **__: Any) -> None:
        return None

    async def describe_tasks(self, _: str, arns: Sequence[str], **__: Any) -> list[Task]:
        return [Task(a, "td", "ecs-svc/1", "RUNNING", "RUNNING") for a in arns]


def service_key(number: int, cluster: str = "main") -> ServiceKey:
    return ServiceKey("111122223333", "eu-west-1", cluster, f"s{number:02}")


def observer(aws: FakeServices, services: int = 25, **more: Any) -> tuple[Observer, list[ServiceKey]]:
    changed: list[ServiceKey] = []
    made = Observer(
        "prod", aws, SimulatedClock(), EngineSettings(), changed=changed.append, swept=lambda _: None, **more  # type: ignore[arg-type]
    )  # fmt: skip
    made.set_targets(ACCESS, {service_key(n): ACCESS for n in range(services)})
    return made, changed
