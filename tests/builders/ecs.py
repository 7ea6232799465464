"""What ECS shows: services, deployments, tasks and task definitions of one service, web."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from ecs_release.domain.ecs.service import Container, Deployment, Service, Task, TaskDefinition

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
OLD, NEW, OTHER = ("sha256:" + c * 64 for c in "abc")
ARN = "arn:aws:ecs:eu-west-1:111122223333"
REGISTRY_HOST = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"


def revision(number: int) -> str:
    return f"{ARN}:task-definition/web:{number}"


def task_definition(
    number: int, digest: str = OLD, *, status: str = "ACTIVE", tags: dict[str, str] | None = None, **more: Any
) -> TaskDefinition:
    """A revision of one container, whose image is named by digest, by `:` and a tag, or by neither."""
    image = f"{REGISTRY_HOST}/shop/web{'@' if digest.startswith('sha256:') else ''}{digest}"
    content = {"family": "web", "containerDefinitions": [{"name": "app", "image": image}]} | more.pop("content", {})
    return TaskDefinition(revision(number), "web", number, status, content, tags or {}, **more)


def deployment(number: int, *, status: str = "PRIMARY", state: str | None = "COMPLETED", age_s: float = 60, **more: Any) -> Deployment:
    facts: dict[str, Any] = {
        "id": f"ecs-svc/{number}", "status": status, "task_definition": revision(number), "desired": 2, "pending": 0, "running": 2,
        "failed_tasks": 0, "created_at": NOW - timedelta(seconds=age_s), "rollout_state": state,
    }  # fmt: skip
    return Deployment(**facts | more)


def task(number: int, digest: str = NEW, *, status: str = "RUNNING", container: str = "app") -> Task:
    return Task(
        f"{ARN}:task/main/{number}-{digest[7:8]}",
        revision(number),
        f"ecs-svc/{number}",
        status,
        status,
        (Container(container, "", digest),),
    )


def service(*deployments: Deployment, tasks: tuple[Task, ...] = (), **more: Any) -> Service:
    primary = next((d for d in deployments if d.status == "PRIMARY"), None)
    facts: dict[str, Any] = {
        "arn": f"{ARN}:service/main/web", "name": "web", "status": "ACTIVE", "created_at": NOW - timedelta(days=1),
        "task_definition": primary.task_definition if primary else revision(1), "controller": "ECS",
        "desired": 2, "running": sum(t.last_status == "RUNNING" for t in tasks), "pending": 0, "deployments": deployments, "tasks": tasks,
    }  # fmt: skip
    return Service(**facts | more)
