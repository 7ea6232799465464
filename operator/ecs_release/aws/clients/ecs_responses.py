"""Parses responses of ECS into the domain's records."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from ecs_release.aws.sessions.fields import Fields, UnreadableError
from ecs_release.aws.sessions.partial_failures import name_of, problem_of_failure, raise_unread
from ecs_release.domain.ecs.service import (
    COMPLETED,
    DAEMON,
    FAILED,
    IN_PROGRESS,
    PRIMARY,
    ROLLING,
    Container,
    Deployment,
    Hook,
    ProtectedTask,
    Service,
    ServiceDeployment,
    Task,
)
from ecs_release.domain.model.errors import BrokenAnswer
from ecs_release.domain.ports.protocols import ServicesAnswer, StartedDeployment

# Messages of service events (Amazon ECS developer guide, "Amazon ECS service event messages"; the circuit breaker's names the deployment).
_FAILED = re.compile(r"\(deployment (?P<id>ecs-svc/[0-9]+)\) deployment failed")
_OF_SERVICE = "service:"
_SERVICE_STATUSES = ("ACTIVE", "DRAINING", "INACTIVE")
_DEPLOYMENT_STATUSES = (PRIMARY, "ACTIVE", "INACTIVE")
_ROLLOUT_STATES = (COMPLETED, FAILED, IN_PROGRESS)
"""What decisions rest on: a service with another one is not read, rather than misread (ECS API reference, Service and Deployment)."""


def aws_time(answer: Fields) -> datetime:
    """Return AWS's time: the response's Date header, in whole seconds; our time if there is none."""
    date = answer.part("ResponseMetadata").part("HTTPHeaders").text("date")
    try:
        return parsedate_to_datetime(date) if date else datetime.now(UTC)
    except (TypeError, ValueError):
        return datetime.now(UTC)


def page_of(name: str) -> Callable[[Any], tuple[list[str], str]]:
    """Return a function that reads a page of a list of texts: the texts, and the token of the next page, empty if there is none."""

    def parse(raw: Any) -> tuple[list[str], str]:
        answer = Fields(raw)
        return answer.texts(name, needed=True), answer.text("nextToken")

    return parse


def parse_services(raw: Any, names: Collection[str]) -> ServicesAnswer:
    """Read DescribeServices. A service that cannot be read, or of which the answer says nothing, is unread, and the others are not."""
    answer, action = Fields(raw), "ecs:DescribeServices"
    failures = {name_of(f.raw): problem_of_failure(f.raw, action) for f in answer.parts("failures")}
    unread = {name: problem for name, problem in failures.items() if problem is not None}
    found: dict[str, Service] = {}
    for one in answer.needed_parts("services"):
        # Without a name it may be any of them.
        name = one.text("serviceName", None)
        try:
            found[name] = parse_service(one)
        except UnreadableError as error:
            unread[name] = BrokenAnswer(f"{action} on {name}: the answer cannot be read: {error}")
    for name in set(names) - found.keys() - failures.keys() - unread.keys():
        unread[name] = BrokenAnswer(f"{action} on {name}: the answer says neither what it is nor that it is missing")
    return ServicesAnswer({n: s for n, s in found.items() if s.status != "INACTIVE"}, aws_time(answer), unread)


def parse_tasks(raw: Any) -> list[Task]:
    """Read DescribeTasks. Raises Problem if AWS could not describe one for another reason than that it is gone."""
    answer = Fields(raw)
    raise_unread([f.raw for f in answer.parts("failures")], "ecs:DescribeTasks")
    return [parse_task(one) for one in answer.needed_parts("tasks")]


def parse_started(raw: Any) -> StartedDeployment:
    """Read UpdateService: the PRIMARY deployment is what the call has started."""
    answer = Fields(raw)
    deployments = [parse_deployment(one) for one in answer.needed_part("service").parts("deployments")]
    primary = next((d for d in deployments if d.status == PRIMARY), None)
    if primary is None:
        raise UnreadableError("it holds no PRIMARY deployment")
    return StartedDeployment(primary.id, primary.task_definition, aws_time(answer), answer.part("ResponseMetadata").text("RequestId"))


def parse_deployment_arns(raw: Any) -> dict[str, str]:
    """Read ListServiceDeployments: ARNs by the number of their target service revision, the newest of each."""
    found: dict[str, str] = {}
    for brief in Fields(raw).parts("serviceDeployments"):
        found.setdefault(brief.text("targetServiceRevisionArn").rpartition("/")[2], brief.text("serviceDeploymentArn", None))
    return found


def parse_service_deployments(raw: Any) -> dict[str, ServiceDeployment]:
    """Read DescribeServiceDeployments, by ARN."""
    return {d.arn: d for d in map(parse_service_deployment, Fields(raw).parts("serviceDeployments"))}


def parse_service(raw: Fields) -> Service:
    """Read one service of DescribeServices."""
    configuration = raw.part("deploymentConfiguration")
    scheduling = raw.text("schedulingStrategy", "REPLICA")
    breaker, alarms = configuration.part("deploymentCircuitBreaker"), configuration.part("alarms")
    broken, alarmed = breaker.flag("enable"), alarms.flag("enable")
    events = raw.parts("events")
    failed = {m["id"] for e in events if (m := _FAILED.search(e.text("message")))}
    return Service(
        arn=raw.text("serviceArn", None),
        name=raw.text("serviceName"),
        status=_once(raw.one_of("status", _SERVICE_STATUSES, "")),
        created_at=raw.time("createdAt"),
        task_definition=_once(raw.text("taskDefinition")),
        controller=raw.part("deploymentController").text("type", "ECS"),
        desired=raw.count("desiredCount"),
        running=raw.count("runningCount"),
        pending=raw.count("pendingCount"),
        deployments=tuple(parse_deployment(d) for d in raw.parts("deployments")),
        minimum_healthy_percent=configuration.count("minimumHealthyPercent", 0 if scheduling == DAEMON else 100),
        circuit_breaker=broken or alarmed,
        rollback=(broken and breaker.flag("rollback")) or (alarmed and alarms.flag("rollback")),
        failed_deployments=frozenset(failed),
        newest_event=events[0].text("id") if events else "",
        last_event=events[0].text("message") if events else "",
        resource_management=raw.text("resourceManagementType"),
        strategy=configuration.text("strategy", ROLLING),
        scheduling=scheduling,
        alarms=alarmed,
        hooked=bool(configuration.parts("lifecycleHooks")),
        **_bakes(configuration),
    )


def _bakes(configuration: Fields) -> dict[str, Any]:
    """Read the bake times; the defaults are those in botocore's LinearConfiguration and CanaryConfiguration."""
    strategy = configuration.text("strategy", ROLLING)
    bakes: dict[str, Any] = {"bake_s": 60.0 * (configuration.number("bakeTimeInMinutes") or 0)}
    if strategy == "LINEAR":
        linear = configuration.part("linearConfiguration")
        # No bake after the step that reaches 100 %.
        steps = math.ceil(100 / max(3.0, linear.number("stepPercent") or 10.0)) - 1
        return bakes | {"steps": steps, "step_bake_s": 60.0 * _or(linear.number("stepBakeTimeInMinutes"), 6)}
    if strategy == "CANARY":
        canary = configuration.part("canaryConfiguration")
        return bakes | {"steps": 1, "step_bake_s": 60.0 * _or(canary.number("canaryBakeTimeInMinutes"), 10)}
    return bakes


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def parse_deployment(raw: Fields) -> Deployment:
    """Read one deployment of a service."""
    state = raw.one_of("rolloutState", _ROLLOUT_STATES, "")
    return Deployment(
        id=_once(raw.text("id", None)),
        status=_once(raw.one_of("status", _DEPLOYMENT_STATUSES, "")),
        task_definition=_once(raw.text("taskDefinition")),
        desired=raw.count("desiredCount"),
        pending=raw.count("pendingCount"),
        running=raw.count("runningCount"),
        failed_tasks=raw.count("failedTasks"),
        created_at=raw.time("createdAt") or datetime.fromtimestamp(0, UTC),
        rollout_state=state or None,
        rollout_state_reason=raw.text("rolloutStateReason"),
    )


def _once(text: str) -> str:
    """Intern a string: thousands of tasks with equal strings are kept."""
    return sys.intern(text)


def parse_task(raw: Fields) -> Task:
    """Read one task. Containers that ECS itself adds (GuardDuty's) may have no image."""
    group = raw.text("group")
    return Task(
        arn=raw.text("taskArn", None),
        service=_once(group.removeprefix(_OF_SERVICE)) if group.startswith(_OF_SERVICE) else "",
        task_definition=_once(raw.text("taskDefinitionArn")),
        started_by=_once(raw.text("startedBy")),
        last_status=_once(raw.text("lastStatus")),
        desired_status=_once(raw.text("desiredStatus")),
        containers=tuple(
            Container(
                name=_once(c.text("name")),
                image=_once(c.text("image")),
                digest=_once(c.text("imageDigest")),
                last_status=_once(c.text("lastStatus")),
                exit_code=c.integer("exitCode"),
                reason=c.text("reason"),
            )
            for c in raw.parts("containers")
        ),
        stopped_reason=raw.text("stoppedReason"),
        stop_code=raw.text("stopCode"),
        created_at=raw.time("createdAt"),
        stopped_at=raw.time("stoppedAt"),
    )


def parse_service_deployment(raw: Fields) -> ServiceDeployment:
    """Read one service deployment of DescribeServiceDeployments."""
    return ServiceDeployment(
        arn=raw.text("serviceDeploymentArn", None),
        status=raw.text("status"),
        status_reason=raw.text("statusReason"),
        stage=raw.text("lifecycleStage"),
        rollback_reason=raw.part("rollback").text("reason"),
        triggered_alarms=tuple(raw.part("alarms").texts("triggeredAlarmNames")),
        breaker=raw.part("deploymentCircuitBreaker").text("status"),
        traffic=_percentage(raw.part("targetServiceRevision").number("requestedProductionTrafficWeight")),
        hooks=tuple(parse_hook(h) for h in raw.parts("lifecycleHookDetails")),
    )


def _percentage(value: float | None) -> float | None:
    """Return a percentage; None if it is none: a status that brought it within bounds would show what ECS has not said."""
    return value if value is not None and 0 <= value <= 100 else None


def parse_hook(raw: Fields) -> Hook:
    """Read one of a service deployment's lifecycleHookDetails."""
    return Hook(
        id=raw.text("hookId"),
        status=raw.text("status"),
        target_type=raw.text("targetType"),
        target_arn=raw.text("targetArn"),
        expires_at=raw.time("expiresAt"),
        timeout_action=raw.text("timeoutAction"),
    )


def parse_protection(answer: Any) -> list[ProtectedTask]:
    """Read the response of GetTaskProtection: it lists tasks without protection, too."""
    listed = Fields(answer).parts("protectedTasks")
    return [ProtectedTask(p.text("taskArn"), p.time("expirationDate")) for p in listed if p.flag("protectionEnabled")]
