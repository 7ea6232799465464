"""ECS's answers about service deployments and service revisions."""

from __future__ import annotations

from typing import Any

from tests.aws_simulator.clock import as_time
from tests.aws_simulator.ecs.service import Service
from tests.aws_simulator.ecs.states import Deployment, ServiceDeployment
from tests.aws_simulator.ecs.views import revision_arn


def brief(service: Service, record: ServiceDeployment, now: float) -> dict[str, Any]:
    """Show a service deployment as ListServiceDeployments does."""
    view: dict[str, Any] = {
        "serviceDeploymentArn": record.arn,
        "serviceArn": service.arn,
        "clusterArn": service.cluster_arn,
        "createdAt": as_time(record.created),
        "targetServiceRevisionArn": revision_arn(service, record.deployment),
        "status": record.status_at(now),
    }
    if record.started <= now:
        view["startedAt"] = as_time(record.started)
    if record.reason:
        view["statusReason"] = record.reason
    if record.finished is not None and record.finished <= now:
        view["finishedAt"] = as_time(record.finished)
    return view


def full(service: Service, record: ServiceDeployment, now: float) -> dict[str, Any]:
    """Show a service deployment as DescribeServiceDeployments does."""
    view = brief(service, record, now)
    del view["targetServiceRevisionArn"]
    finished = record.finished is not None and record.finished <= now
    view |= {
        "updatedAt": as_time(record.finished if finished and record.finished else record.rollback_at or record.started),
        "sourceServiceRevisions": [_revision_counts(service, n) for n in record.sources],
        "targetServiceRevision": _revision_counts(service, record.deployment),
        "deploymentConfiguration": {"strategy": "ROLLING", **(service.settings.get("deploymentConfiguration") or {})},
        "deploymentCircuitBreaker": {"status": record.breaker, "failureCount": _failures(service, record), "threshold": record.threshold},
    }
    if view["status"] == "STOPPED" and record.finished is not None:
        view["stoppedAt"] = as_time(record.finished)
    if record.rollback_to is not None and record.rollback_at is not None and record.rollback_at <= now:
        view["rollback"] = {
            "reason": record.rollback_reason,
            "startedAt": as_time(record.rollback_at),
            "serviceRevisionArn": revision_arn(service, record.rollback_to),
        }
    return view


def _failures(service: Service, record: ServiceDeployment) -> int:
    deployment = service.revisions.get(record.deployment)
    return deployment.breaker_failures if record.breaker == "MONITORING" and deployment else record.failures


def _revision_counts(service: Service, number: int) -> dict[str, Any]:
    mine = [t for t in service.tasks if t.deployment == f"ecs-svc/{number}"]
    primary = service.primary
    wanted = service.desired if primary is not None and primary.number == number else sum(t.alive and not t.leaving for t in mine)
    return {
        "arn": revision_arn(service, number),
        "requestedTaskCount": wanted,
        "runningTaskCount": sum(t.status == "RUNNING" for t in mine),
        "pendingTaskCount": sum(t.pending for t in mine),
    }


def revision(service: Service, deployment: Deployment) -> dict[str, Any]:
    """Show a service revision. An image that was not resolved (desiredCount 0, a failed pull) has no digest."""
    settings = service.settings
    optional = ("capacityProviderStrategy", "platformVersion", "networkConfiguration", "loadBalancers", "serviceRegistries")
    view = {
        "serviceRevisionArn": revision_arn(service, deployment.number),
        "serviceArn": service.arn,
        "clusterArn": service.cluster_arn,
        "taskDefinition": deployment.task_definition,
        "createdAt": as_time(deployment.created),
        "containerImages": [
            {"containerName": name, "image": image} | ({"imageDigest": d} if (d := deployment.digests.get(image)) else {})
            for name, image in deployment.containers
        ],
        **{k: settings[k] for k in optional if settings.get(k)},
    }
    if not settings.get("capacityProviderStrategy"):
        view["launchType"] = settings.get("launchType", "EC2")
    return view
