"""Why a rollout fails: tasks that stopped, and where their logs are."""

from __future__ import annotations

from ecs_release.api.release_status import Evidence
from ecs_release.domain.console import log_stream_link, task_link
from ecs_release.domain.observation import Container, ServiceKey, Task, TaskDefinition
from ecs_release.domain.ports import Ecs

_MOST = 3


async def stopped_tasks(ecs: Ecs, key: ServiceKey) -> list[Task]:
    """Read a service's tasks that stopped lately: ECS keeps them for at least an hour."""
    arns = await ecs.list_tasks(key.cluster, key.service, stopped=True)
    return await ecs.describe_tasks(key.cluster, arns[:100])


def evidence_of(key: ServiceKey, tasks: list[Task], deployment_id: str, revision: TaskDefinition | None) -> tuple[Evidence, ...]:
    """Pick the newest failed tasks of a deployment, and in each the container that tells most."""
    failed = [t for t in tasks if t.started_by == deployment_id and (t.stop_code != "ServiceSchedulerInitiated" or _failed(t))]
    failed.sort(key=lambda t: t.stopped_at.timestamp() if t.stopped_at else 0.0, reverse=True)
    return tuple(_evidence(key, task, revision) for task in failed[:_MOST])


def _failed(task: Task) -> Container | None:
    """Return the container that failed: by exit code, else by reason."""
    by_code = next((c for c in task.containers if c.exit_code not in (None, 0)), None)
    return by_code or next((c for c in task.containers if c.reason), None)


def _evidence(key: ServiceKey, task: Task, revision: TaskDefinition | None) -> Evidence:
    container = _failed(task)
    group, stream, region = _log_of(task, container, revision, key.region) if container and revision else ("", "", "")
    return Evidence(
        task=task.arn,
        container=container.name if container else None,
        exit_code=container.exit_code if container else None,
        reason=((container.reason if container else "") or task.stopped_reason)[:1024] or None,
        stop_code=task.stop_code or None,
        log_group=group or None,
        log_stream=stream or None,
        link=log_stream_link(region, group, stream) if stream else task_link(key, task.arn),
    )


def _log_of(task: Task, container: Container, revision: TaskDefinition, region: str) -> tuple[str, str, str]:
    """Name the log stream of the awslogs driver: prefix/container/task id (ECS developer guide, "awslogs log driver options")."""
    definition = next((c for c in revision.containers if c.get("name") == container.name), {})
    log = definition.get("logConfiguration") or {}
    options = log.get("options") or {}
    group, prefix = options.get("awslogs-group", ""), options.get("awslogs-stream-prefix", "")
    if log.get("logDriver") != "awslogs" or not group or not prefix:
        return "", "", ""
    return group, f"{prefix}/{container.name}/{task.arn.rpartition('/')[2]}", options.get("awslogs-region", region)
