"""What a service says of itself: its `events`, newest first and 100 at most, and what goes to EventBridge.

Amazon ECS developer guide, "Amazon ECS service deployment state change events" and "Amazon ECS service action events".
"""

from __future__ import annotations

import random
import uuid
from collections import deque
from collections.abc import Callable
from typing import Any

from tests.aws_simulator.ecs.states import Deployment, Hook, Task

Emit = Callable[[str, str, dict[str, Any], float], None]
"""Sends an event: its detail-type, the resource's ARN, its detail, and when it happened."""
TaskView = Callable[[Task], dict[str, Any]]
_EVENTS_KEPT = 100


class Announcer:
    """The voice of one service."""

    def __init__(self, service_arn: str, name: str, cluster_arn: str, emit: Emit, task_view: TaskView, chance: random.Random) -> None:
        """`task_view` shows a task as DescribeTasks does; `chance` makes ids. `written` are the events as JSON, of the state named."""
        self.events: deque[dict[str, Any]] = deque(maxlen=_EVENTS_KEPT)
        self.written: tuple[tuple[str, int], str] | None = None
        self._arn, self._name, self._cluster_arn = service_arn, name, cluster_arn
        self._emit, self._task_view, self._chance = emit, task_view, chance

    def say(self, message: str, now: float) -> None:
        """Add a service event."""
        event_id = str(uuid.UUID(int=self._chance.getrandbits(128)))
        self.events.appendleft({"id": event_id, "createdAt": now, "message": f"(service {self._name}) {message}"})

    def deployment(self, deployment: Deployment, name: str, now: float, *, error: bool = False) -> None:
        """Send ECS Deployment State Change."""
        detail = {"eventType": "ERROR" if error else "INFO", "eventName": name, "deploymentId": deployment.id, "reason": deployment.reason}
        self._emit("ECS Deployment State Change", self._arn, detail, now)

    def hook(self, hook: Hook, name: str, deployment_arn: str, now: float) -> None:
        """Send ECS Hook State Change ("Amazon ECS service deployment hook state change events")."""
        detail = {
            "eventType": "INFO", "eventName": name, "hookId": hook.id, "hookType": hook.target_type, "lifecycleStage": hook.stage,
            "clusterArn": self._cluster_arn, "serviceArn": self._arn, "serviceDeploymentArn": deployment_arn,
        }  # fmt: skip
        self._emit("ECS Hook State Change", deployment_arn, {**detail, "expiresAt": hook.expires, "updatedAt": now}, now)

    def action(self, name: str, now: float, level: str = "INFO", **more: Any) -> None:
        """Send ECS Service Action."""
        detail = {"eventType": level, "eventName": name, "clusterArn": self._cluster_arn, **more}
        self._emit("ECS Service Action", self._arn, detail, now)

    def task(self, task: Task, now: float) -> None:
        """Send ECS Task State Change. Its detail shows no health, as AWS's does not."""
        self._emit("ECS Task State Change", task.arn, {"updatedAt": now, **self._task_view(task)}, now)
