"""ECS as one Release's reconciler reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ecs_release.domain.ecs.service import ProtectedTask, ServiceDeployment, Task, TaskDefinition
from ecs_release.domain.model.errors import Denied
from tests.builders.ecs import NOW

SCALING = ServiceDeployment("arn:sd", "IN_PROGRESS", stage="SCALE_UP")


@dataclass
class FakeEcs:
    """ECS that counts what it is asked for."""

    told: ServiceDeployment | None = SCALING
    deployments: list[str] = field(default_factory=list)
    protections: list[tuple[str, ...]] = field(default_factory=list)
    stopped: list[Task] = field(default_factory=list)
    listed: int = 0

    async def service_deployment(self, cluster: str, service_arn: str, deployment_id: str) -> ServiceDeployment | None:
        self.deployments.append(deployment_id)
        return self.told

    async def protected_tasks(self, cluster: str, arns: Sequence[str]) -> list[ProtectedTask]:
        self.protections.append(tuple(arns))
        return [ProtectedTask(arns[0], NOW)]

    async def list_stopped_tasks(self, cluster: str, *, service: str = "", deployment_id: str = "") -> list[str]:
        self.listed += bool(service) or any(t.started_by == deployment_id for t in self.stopped)
        return [t.arn for t in self.stopped if deployment_id in ("", t.started_by)]

    async def describe_tasks(self, cluster: str, arns: Sequence[str]) -> list[Task]:
        return self.stopped

    async def describe_task_definition(self, arn: str) -> TaskDefinition:
        raise Denied("ecs:DescribeTaskDefinition: no policy allows it")
