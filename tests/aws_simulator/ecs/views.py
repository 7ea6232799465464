"""ECS's answers about services and tasks: what DescribeServices and DescribeTasks show of the simulation."""

from __future__ import annotations

from typing import Any

from tests.aws_simulator.clock import as_time
from tests.aws_simulator.ecs.service import Service
from tests.aws_simulator.ecs.stages import requested
from tests.aws_simulator.ecs.states import Container, Deployment, Task
from tests.aws_simulator.world import WORLD

_ECHOED = (
    "loadBalancers", "serviceRegistries", "capacityProviderStrategy", "platformVersion", "networkConfiguration", "roleArn",
    "placementConstraints", "placementStrategy", "healthCheckGracePeriodSeconds", "propagateTags", "enableECSManagedTags",
    "enableExecuteCommand", "deploymentController", "schedulingStrategy", "availabilityZoneRebalancing",
)  # fmt: skip
_OF_DEPLOYMENT = (
    "capacityProviderStrategy", "platformVersion", "networkConfiguration", "serviceConnectConfiguration", "volumeConfigurations",
    "vpcLatticeConfigurations",
)  # fmt: skip


def service_view(service: Service, *, tags: bool = False) -> dict[str, Any]:
    """Show a service. `launchType` is left out where a capacity provider strategy is used; a foreign controller's has no deployments."""
    bounds, settings = service.bounds, service.settings
    configuration = {
        "maximumPercent": bounds.maximum_percent,
        "minimumHealthyPercent": bounds.minimum_healthy_percent,
        **(settings.get("deploymentConfiguration") or {}),
    }
    view: dict[str, Any] = {
        "serviceArn": service.arn,
        "serviceName": service.name,
        "clusterArn": service.cluster_arn,
        "status": service.status,
        "desiredCount": service.desired,
        "runningCount": sum(t.status == "RUNNING" for t in service.tasks),
        "pendingCount": sum(t.pending for t in service.tasks),
        "taskDefinition": service.primary.task_definition if service.primary else settings["taskDefinition"],
        "deploymentConfiguration": configuration,
        "createdAt": as_time(service.created),
        "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": "ECS"},
        "resourceManagementType": "ECS" if service.arn in WORLD.switches.express_services else "CUSTOMER",
        "loadBalancers": [],
        "serviceRegistries": [],
        "placementConstraints": [],
        "placementStrategy": [],
        "events": [] if WORLD.switches.hide_events else [{**e, "createdAt": as_time(e["createdAt"])} for e in service.voice.events],
        "deployments": [_deployment_view(service, d) for d in service.deployments],
        **{k: settings[k] for k in _ECHOED if settings.get(k) is not None},
        **_launch_type(service),
        **_current_revisions(service),
    }
    if service.controller != "ECS":
        view |= {"deployments": [], "taskSets": [_task_set_view(service, d) for d in service.deployments]}
    return view | ({"tags": service.tags} if tags else {})


def _launch_type(service: Service) -> dict[str, str]:
    return {} if service.settings.get("capacityProviderStrategy") else {"launchType": service.settings.get("launchType", "EC2")}


def _current_revisions(service: Service) -> dict[str, Any]:
    if service.controller != "ECS" or not WORLD.switches.service_deployments:
        return {}
    shown = [
        {"arn": revision_arn(service, d.number), "requestedTaskCount": requested(service, d), **_counts(service, d, "TaskCount")}
        for d in service.deployments
        if d.status != "INACTIVE"
    ]
    record = next((r for r in service.records.all if r.finished is None), None)
    return {"currentServiceRevisions": shown} | ({"currentServiceDeployment": record.arn} if record else {})


def _counts(service: Service, deployment: Deployment, suffix: str) -> dict[str, int]:
    mine = [t for t in service.tasks if t.deployment == deployment.id]
    return {f"running{suffix}": sum(t.status == "RUNNING" for t in mine), f"pending{suffix}": sum(t.pending for t in mine)}


def _deployment_view(service: Service, deployment: Deployment) -> dict[str, Any]:
    view: dict[str, Any] = {
        "id": deployment.id,
        "status": deployment.status,
        "taskDefinition": deployment.task_definition,
        "desiredCount": requested(service, deployment),
        "failedTasks": deployment.failed_tasks,
        "createdAt": as_time(deployment.created),
        "updatedAt": as_time(deployment.updated),
        **_counts(service, deployment, "Count"),
        **{k: service.settings[k] for k in _OF_DEPLOYMENT if service.settings.get(k) is not None},
        **_launch_type(service),
    }
    if WORLD.switches.rollout_state:
        view |= {"rolloutState": deployment.state, "rolloutStateReason": deployment.reason}
    return view


def _task_set_view(service: Service, deployment: Deployment) -> dict[str, Any]:
    """Show what CodeDeploy deploys (API reference, TaskSet): no rollout state, but whether it is stable."""
    stable = deployment.state == "COMPLETED" and service.steady
    return {
        "id": deployment.id,
        "taskSetArn": f"{service.arn.replace(':service/', ':task-set/')}/{deployment.id}",
        "serviceArn": service.arn,
        "clusterArn": service.cluster_arn,
        "status": deployment.status,
        "taskDefinition": deployment.task_definition,
        "computedDesiredCount": requested(service, deployment),
        "createdAt": as_time(deployment.created),
        "updatedAt": as_time(deployment.updated),
        "scale": {"value": 100.0 if deployment.status == "PRIMARY" else 0.0, "unit": "PERCENT"},
        "stabilityStatus": "STEADY_STATE" if stable else "STABILIZING",
        "stabilityStatusAt": as_time(deployment.updated),
        **_counts(service, deployment, "Count"),
        **_launch_type(service),
    }


def started_by(service: Service, task: Task) -> str:
    """Return what a task says that it was started by."""
    return service.name if WORLD.switches.started_by_service else task.deployment


def task_view(service: Service, task: Task) -> dict[str, Any]:
    """Show a task."""
    containers = [_container_view(service, task, c) for c in task.containers]
    if WORLD.switches.guardduty_sidecar:
        containers.append(_guardduty_view(service, task))
    view: dict[str, Any] = {
        "taskArn": task.arn,
        "clusterArn": service.cluster_arn,
        "taskDefinitionArn": task.task_definition,
        "group": f"service:{service.name}",
        "startedBy": started_by(service, task),
        "lastStatus": task.status,
        "desiredStatus": task.desired,
        "healthStatus": _health(task, any(c.has_health_check for c in task.containers)),
        "connectivity": "CONNECTED" if task.started is not None else "DISCONNECTED",
        "createdAt": as_time(task.created),
        "version": task.version,
        "containers": containers,
        "attachments": [],
        "attributes": [],
        "tags": [],
        **_launch_type(service),
    }
    times = {"startedAt": task.started, "stoppingAt": task.stopping, "stoppedAt": task.stopped}
    view |= {name: as_time(at) for name, at in times.items() if at is not None}
    if task.stop_code:
        view |= {"stopCode": task.stop_code, "stoppedReason": task.stopped_reason}
    return view


def _health(task: Task, checked: bool) -> str:
    if not checked or (task.status != "RUNNING" and not task.failed_check):
        return "UNKNOWN"
    if task.healthy:
        return "HEALTHY"
    bad = task.failed_check or any(not c.behaviour.healthy for c in task.containers if c.essential)
    return "UNHEALTHY" if bad else "UNKNOWN"


def _container_status(task: Task, container: Container) -> str:
    if container.exit_code is not None or task.status in ("STOPPED", "DEPROVISIONING"):
        return "STOPPED"
    return "PENDING" if task.started is None else "RUNNING"


def _container_view(service: Service, task: Task, container: Container) -> dict[str, Any]:
    switches, image = WORLD.switches, container.image
    if switches.image_with_digest and container.digest and "@" not in image:
        image = f"{image}@{container.digest}"
    view: dict[str, Any] = {
        "containerArn": f"{task.arn.replace(':task/', ':container/')}/{container.name}",
        "taskArn": task.arn,
        "name": container.name,
        "image": image,
        "lastStatus": _container_status(task, container),
        "healthStatus": _health(task, container.has_health_check),
        "networkInterfaces": [],
        "cpu": "0",
    }
    if container.digest and task.started is not None:
        view["runtimeId"] = f"{task.id}-{sum(container.name.encode())}"
        platforms = service.world.images.platforms_of(container.image, container.digest) if switches.platform_digests else ()
        view["imageDigest"] = platforms[0] if platforms else container.digest
    if container.exit_code is not None and view["lastStatus"] == "STOPPED":
        view["exitCode"] = container.exit_code
    if container.reason:
        view["reason"] = container.reason
    return view


def _guardduty_view(service: Service, task: Task) -> dict[str, Any]:
    """A sidecar that Amazon GuardDuty adds by itself: it has no `image`."""
    return {
        "containerArn": f"{task.arn.replace(':task/', ':container/')}/guardduty",
        "taskArn": task.arn,
        "name": f"aws-guardduty-agent-{service.name[:8]}",
        "lastStatus": "STOPPED" if not task.alive else "RUNNING" if task.started is not None else "PENDING",
        "networkInterfaces": [],
        "healthStatus": "UNKNOWN",
    }


def revision_arn(service: Service, number: int) -> str:
    """Name a service revision: its number is the deployment's."""
    return f"{service.arn.replace(':service/', ':service-revision/')}/{number}"
