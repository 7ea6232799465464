"""ECS's answers about service deployments and service revisions."""

from __future__ import annotations

from typing import Any

from tests.aws_simulator.clock import as_time
from tests.aws_simulator.ecs.service import Service
from tests.aws_simulator.ecs.stages import requested
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
        "sourceServiceRevisions": [_revision_counts(service, record, n) for n in record.sources],
        "targetServiceRevision": _revision_counts(service, record, record.deployment),
        "deploymentConfiguration": {"strategy": "ROLLING", **_configuration(service, record)},
        "deploymentCircuitBreaker": {"status": record.breaker, "failureCount": _failures(service, record), "threshold": record.threshold},
        "alarms": {"status": record.alarms, "alarmNames": record.alarm_names, "triggeredAlarmNames": record.triggered},
        **_stage(service, record, now),
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


def _configuration(service: Service, record: ServiceDeployment) -> dict[str, Any]:
    deployment = service.revisions.get(record.deployment)
    if deployment is not None and deployment.shift is not None:
        return deployment.shift.configuration
    return dict(service.settings.get("deploymentConfiguration") or {})


def _failures(service: Service, record: ServiceDeployment) -> int:
    deployment = service.revisions.get(record.deployment)
    return deployment.breaker_failures if record.breaker == "MONITORING" and deployment else record.failures


def _revision_counts(service: Service, record: ServiceDeployment, number: int) -> dict[str, Any]:
    mine = [t for t in service.tasks if t.deployment == f"ecs-svc/{number}"]
    deployment = service.revisions.get(number)
    return {
        "arn": revision_arn(service, number),
        "requestedTaskCount": requested(service, deployment) if deployment is not None else 0,
        "runningTaskCount": sum(t.status == "RUNNING" for t in mine),
        "pendingTaskCount": sum(t.pending for t in mine),
        **_weights(service, record, number),
    }


def _weights(service: Service, record: ServiceDeployment, number: int) -> dict[str, float]:
    """Show the shares of traffic where it is shifted. The old revision has no test traffic."""
    deployment = service.revisions.get(record.deployment)
    shift = deployment.shift if deployment is not None else None
    if shift is None:
        return {}
    if number == record.deployment:
        return {"requestedProductionTrafficWeight": shift.production, "requestedTestTrafficWeight": shift.test}
    share = round(100.0 - shift.production, 1) if number == shift.source else 0.0
    return {"requestedProductionTrafficWeight": share, "requestedTestTrafficWeight": 0.0}


def _stage(service: Service, record: ServiceDeployment, now: float) -> dict[str, Any]:
    deployment = service.revisions.get(record.deployment)
    shift = deployment.shift if deployment is not None else None
    if shift is None or now < record.started or not shift.stage:
        return {}
    hooks = [
        {
            "hookId": h.id,
            "targetType": h.target_type,
            "status": h.status,
            "expiresAt": as_time(h.expires),
            "timeoutAction": h.timeout_action,
        }
        | ({"targetArn": h.target_arn} if h.target_arn else {})
        for h in shift.hooks
    ]
    return {"lifecycleStage": shift.stage, "lifecycleHookDetails": hooks}


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
