"""All operations of the simulated ECS, where moto looks for them."""

from __future__ import annotations

from tests.aws_simulator.ecs.service_actions import ServiceActions
from tests.aws_simulator.ecs.service_deployment_actions import ServiceDeploymentActions
from tests.aws_simulator.ecs.task_actions import TaskActions
from tests.aws_simulator.ecs.task_definition_actions import TaskDefinitionActions


class SimulatedEcsResponse(TaskDefinitionActions, ServiceActions, TaskActions, ServiceDeploymentActions):
    """What is not in these is moto's."""
