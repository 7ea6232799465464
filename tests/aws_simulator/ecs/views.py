"""ECS's answers: what DescribeServices and the others show of the simulation."""

from __future__ import annotations

from typing import Any

from tests.aws_simulator.clock import as_time
from tests.aws_simulator.ecs.rollout import SimDeployment, SimService, SimServiceDeployment, SimTask
from tests.aws_simulator.world import WORLD

_ECHOED = (
    "loadBalancers", "serviceRegistries", "launchType", "capacityProviderStrategy", "platformVersion", "networkConfiguration", "roleArn",
    "placementConstraints", "placementStrategy", "healthCheckGracePeriodSeconds", "propagateTags", "enableECSManagedTags",
    "enableExecuteCommand", "deploymentController", "schedulingStrategy", "availabilityZoneRebalancing",
)  # fmt: skip


def service_view(service: SimService) -> dict[str, Any]:
    """Show a service."""
    running = [t for t in service.tasks if t.status == "RUNNING"]
    pending = [t for t in service.tasks if t.status in ("PROVISIONING", "PENDING", "ACTIVATING")]
    primary = service.primary
    configuration = {"maximumPercent": 200, "minimumHealthyPercent": 100, **(service.settings.get("deploymentConfiguration") or {})}
    view: dict[str, Any] = {
        "serviceArn": service.arn,
        "serviceName": service.name,
        "clusterArn": service.cluster_arn,
        "status": service.status,
        "desiredCount": service.desired,
        "runningCount": len(running),
        "pendingCount": len(pending),
        "deploymentConfiguration": configuration,
        "createdAt": as_time(service.created),
        "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": "ECS"},
        "events": [{**e, "createdAt": as_time(e["createdAt"])} for e in service.events],
        **{k: service.settings[k] for k in _ECHOED if service.settings.get(k) is not None},
    }
    if view["deploymentController"]["type"] != "ECS":
        view["taskDefinition"] = service.settings["taskDefinition"]
        view["deployments"] = []
        return view
    view["taskDefinition"] = primary.task_definition if primary else service.settings["taskDefinition"]
    view["deployments"] = [_deployment_view(service, d) for d in service.deployments]
    return view


def _deployment_view(service: SimService, deployment: SimDeployment) -> dict[str, Any]:
    mine = [t for t in service.tasks if t.deployment == deployment.id and t.alive]
    view: dict[str, Any] = {
        "id": deployment.id,
        "status": deployment.status,
        "taskDefinition": deployment.task_definition,
        "desiredCount": service.desired if deployment.status == "PRIMARY" else 0,
        "pendingCount": sum(t.status in ("PROVISIONING", "PENDING", "ACTIVATING") for t in mine),
        "runningCount": sum(t.status == "RUNNING" for t in mine),
        "failedTasks": deployment.failed_tasks,
        "createdAt": as_time(deployment.created),
        "updatedAt": as_time(deployment.updated),
    }
    if WORLD.switches.rollout_state:
        view |= {"rolloutState": deployment.state, "rolloutStateReason": deployment.reason}
    return view


def task_view(task: SimTask, service: str, cluster_arn: str) -> dict[str, Any]:
    """Show a task."""
    view: dict[str, Any] = {
        "taskArn": task.arn,
        "clusterArn": cluster_arn,
        "taskDefinitionArn": task.task_definition,
        "group": f"service:{service}",
        "startedBy": task.deployment,
        "lastStatus": task.status,
        "desiredStatus": task.desired,
        "launchType": "FARGATE",
        "healthStatus": "UNKNOWN",
        "createdAt": as_time(task.created),
        "version": task.version,
        "containers": [_container_view(task, c) for c in task.containers],
    }
    if task.started is not None:
        view["startedAt"] = as_time(task.started)
    if task.stop_code:
        view |= {"stopCode": task.stop_code, "stoppedReason": task.stopped_reason}
    if task.stopped is not None:
        view["stoppedAt"] = as_time(task.stopped)
    return view


def _container_view(task: SimTask, container: Any) -> dict[str, Any]:
    image = container.image
    if WORLD.switches.image_with_digest and container.digest and "@" not in image:
        image = f"{image}@{container.digest}"
    view: dict[str, Any] = {
        "containerArn": f"{task.arn.replace(':task/', ':container/')}/{container.name}",
        "taskArn": task.arn,
        "name": container.name,
        "image": image,
        "lastStatus": task.status,
    }
    if container.digest and task.started is not None:
        view["imageDigest"] = container.digest
    if container.exit_code is not None and task.status == "STOPPED":
        view["exitCode"] = container.exit_code
    if container.reason:
        view["reason"] = container.reason
    return view


def revision_arn(service: SimService, number: int) -> str:
    """Name a service revision: its number is the deployment's."""
    cluster = service.cluster_arn.rpartition("/")[2]
    return f"{service.arn.split(':service/')[0]}:service-revision/{cluster}/{service.name}/{number}"


def record_brief(service: SimService, record: SimServiceDeployment) -> dict[str, Any]:
    """Show a service deployment as ListServiceDeployments does."""
    view: dict[str, Any] = {
        "serviceDeploymentArn": record.arn,
        "serviceArn": service.arn,
        "clusterArn": service.cluster_arn,
        "createdAt": as_time(record.created),
        "startedAt": as_time(record.created),
        "targetServiceRevisionArn": revision_arn(service, record.deployment),
        "status": record.status,
        "statusReason": record.reason,
    }
    if record.finished is not None:
        view["finishedAt"] = as_time(record.finished)
    return view


def record_view(service: SimService, record: SimServiceDeployment) -> dict[str, Any]:
    """Show a service deployment as DescribeServiceDeployments does."""
    view = record_brief(service, record)
    del view["targetServiceRevisionArn"]
    running = sum(t.deployment == f"ecs-svc/{record.deployment}" and t.status == "RUNNING" for t in service.tasks)
    view |= {
        "sourceServiceRevisions": [{"arn": revision_arn(service, n)} for n in record.sources],
        "targetServiceRevision": {
            "arn": revision_arn(service, record.deployment),
            "requestedTaskCount": service.desired,
            "runningTaskCount": running,
            "pendingTaskCount": 0,
        },
        "deploymentConfiguration": {"strategy": "ROLLING", **(service.settings.get("deploymentConfiguration") or {})},
        "deploymentCircuitBreaker": {"status": record.breaker, "failureCount": record.failures, "threshold": service.threshold},
    }
    if record.rollback_to is not None and record.rollback_at is not None:
        view["rollback"] = {
            "reason": record.rollback_reason,
            "startedAt": as_time(record.rollback_at),
            "serviceRevisionArn": revision_arn(service, record.rollback_to),
        }
    return view


def revision_view(service: SimService, deployment: SimDeployment, names: dict[str, str]) -> dict[str, Any]:
    """Show a service revision. `names` maps images to container names."""
    return {
        "serviceRevisionArn": revision_arn(service, deployment.number),
        "serviceArn": service.arn,
        "clusterArn": service.cluster_arn,
        "taskDefinition": deployment.task_definition,
        "createdAt": as_time(deployment.created),
        "containerImages": [
            {"containerName": names.get(image, ""), "image": image, **({"imageDigest": digest} if digest else {})}
            for image, digest in deployment.digests.items()
        ],
    }
