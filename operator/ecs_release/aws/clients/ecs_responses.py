"""ECS's answers as slim facts."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from ecs_release.domain.ecs.service import DAEMON, ROLLING, Container, Deployment, Hook, ProtectedTask, Service, ServiceDeployment, Task

# Texts of service events (Amazon ECS developer guide, "Amazon ECS service event messages"; the circuit breaker's names the deployment).
_FAILED = re.compile(r"\(deployment (?P<id>ecs-svc/[0-9]+)\) deployment failed")
_OF_SERVICE = "service:"


def aws_time(answer: Mapping[str, Any]) -> datetime:
    """Return AWS's clock: the answer's Date header, in whole seconds; ours where there is none."""
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return parsedate_to_datetime(date) if date else datetime.now(UTC)
    except (TypeError, ValueError):
        return datetime.now(UTC)


def parse_service(raw: Mapping[str, Any]) -> Service:
    """Read one service of DescribeServices."""
    configuration = raw.get("deploymentConfiguration") or {}
    scheduling = raw.get("schedulingStrategy", "REPLICA")
    breaker = configuration.get("deploymentCircuitBreaker") or {}
    alarms = configuration.get("alarms") or {}
    events = raw.get("events") or []
    failed = {m["id"] for e in events if (m := _FAILED.search(e.get("message", "")))}
    return Service(
        arn=raw["serviceArn"],
        name=raw.get("serviceName", ""),
        status=_once(raw.get("status", "")),
        created_at=raw.get("createdAt"),
        task_definition=_once(raw.get("taskDefinition", "")),
        controller=(raw.get("deploymentController") or {}).get("type", "ECS"),
        desired=raw.get("desiredCount", 0),
        running=raw.get("runningCount", 0),
        pending=raw.get("pendingCount", 0),
        deployments=tuple(parse_deployment(d) for d in raw.get("deployments") or ()),
        minimum_healthy_percent=configuration.get("minimumHealthyPercent", 0 if scheduling == DAEMON else 100),
        circuit_breaker=bool(breaker.get("enable") or alarms.get("enable")),
        rollback=bool((breaker.get("enable") and breaker.get("rollback")) or (alarms.get("enable") and alarms.get("rollback"))),
        failed_deployments=frozenset(failed),
        newest_event=events[0].get("id", "") if events else "",
        last_event=events[0].get("message", "") if events else "",
        resource_management=raw.get("resourceManagementType", ""),
        strategy=configuration.get("strategy", ROLLING),
        scheduling=scheduling,
        alarms=bool(alarms.get("enable")),
        hooked=bool(configuration.get("lifecycleHooks")),
        **_bakes(configuration),
    )


def _bakes(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Read how long ECS waits on purpose; what is not given has the default of botocore's LinearConfiguration and CanaryConfiguration."""
    strategy = configuration.get("strategy", ROLLING)
    bakes: dict[str, Any] = {"bake_s": 60.0 * (configuration.get("bakeTimeInMinutes") or 0)}
    if strategy == "LINEAR":
        linear = configuration.get("linearConfiguration") or {}
        # No bake after the step that reaches 100 %.
        steps = math.ceil(100 / max(3.0, linear.get("stepPercent", 10.0))) - 1
        return bakes | {"steps": steps, "step_bake_s": 60.0 * linear.get("stepBakeTimeInMinutes", 6)}
    if strategy == "CANARY":
        canary = configuration.get("canaryConfiguration") or {}
        return bakes | {"steps": 1, "step_bake_s": 60.0 * canary.get("canaryBakeTimeInMinutes", 10)}
    return bakes


def parse_deployment(raw: Mapping[str, Any]) -> Deployment:
    """Read one deployment of a service."""
    return Deployment(
        id=_once(raw["id"]),
        status=_once(raw.get("status", "")),
        task_definition=_once(raw.get("taskDefinition", "")),
        desired=raw.get("desiredCount", 0),
        pending=raw.get("pendingCount", 0),
        running=raw.get("runningCount", 0),
        failed_tasks=raw.get("failedTasks", 0),
        created_at=raw.get("createdAt") or datetime.fromtimestamp(0, UTC),
        rollout_state=raw.get("rolloutState"),
        rollout_state_reason=raw.get("rolloutStateReason", ""),
    )


def _once(text: str) -> str:
    """Keep one string for all tasks that show it: thousands of them are remembered."""
    return sys.intern(text)


def parse_task(raw: Mapping[str, Any]) -> Task:
    """Read one task. Containers that ECS itself adds (GuardDuty's) may have no image."""
    group = raw.get("group", "")
    return Task(
        arn=raw["taskArn"],
        service=_once(group.removeprefix(_OF_SERVICE)) if group.startswith(_OF_SERVICE) else "",
        task_definition=_once(raw.get("taskDefinitionArn", "")),
        started_by=_once(raw.get("startedBy", "")),
        last_status=_once(raw.get("lastStatus", "")),
        desired_status=_once(raw.get("desiredStatus", "")),
        containers=tuple(
            Container(
                name=_once(c.get("name", "")),
                image=_once(c.get("image", "")),
                digest=_once(c.get("imageDigest", "")),
                last_status=_once(c.get("lastStatus", "")),
                exit_code=c.get("exitCode"),
                reason=c.get("reason", ""),
            )
            for c in raw.get("containers") or ()
        ),
        stopped_reason=raw.get("stoppedReason", ""),
        stop_code=raw.get("stopCode", ""),
        created_at=raw.get("createdAt"),
        stopped_at=raw.get("stoppedAt"),
    )


def parse_service_deployment(raw: Mapping[str, Any]) -> ServiceDeployment:
    """Read one service deployment of DescribeServiceDeployments."""
    rollback = raw.get("rollback") or {}
    alarms = raw.get("alarms") or {}
    return ServiceDeployment(
        arn=raw["serviceDeploymentArn"],
        status=raw.get("status", ""),
        status_reason=raw.get("statusReason", ""),
        stage=raw.get("lifecycleStage", ""),
        rollback_reason=rollback.get("reason", ""),
        triggered_alarms=tuple(alarms.get("triggeredAlarmNames") or ()),
        traffic=(raw.get("targetServiceRevision") or {}).get("requestedProductionTrafficWeight"),
        hooks=tuple(parse_hook(h) for h in raw.get("lifecycleHookDetails") or ()),
    )


def parse_hook(raw: Mapping[str, Any]) -> Hook:
    """Read one of a service deployment's lifecycleHookDetails."""
    return Hook(
        id=raw.get("hookId", ""),
        status=raw.get("status", ""),
        target_type=raw.get("targetType", ""),
        target_arn=raw.get("targetArn", ""),
        expires_at=raw.get("expiresAt"),
        timeout_action=raw.get("timeoutAction", ""),
    )


def parse_protection(answer: Mapping[str, Any]) -> list[ProtectedTask]:
    """Read GetTaskProtection's answer: it lists tasks without protection, too."""
    listed = answer.get("protectedTasks") or ()
    return [ProtectedTask(p.get("taskArn", ""), p.get("expirationDate")) for p in listed if p.get("protectionEnabled")]
