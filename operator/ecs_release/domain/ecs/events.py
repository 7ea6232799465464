"""EventBridge's events: which service to look at, who changed it, which repository has a new image.

Events are lost, doubled and late: they are hints where to look, and no fact is taken from them. Shapes: Amazon ECS developer guide,
"Amazon ECS events"; Amazon ECR user guide, "Sample events from Amazon ECR"; AWS CloudTrail user guide, "CloudTrail userIdentity element".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ecs_release.domain.ecs.interventions import CONTINUE, STOP
from ecs_release.domain.model.unicode import well_formed

DEPLOYMENT, ACTION, TASK = "ECS Deployment State Change", "ECS Service Action", "ECS Task State Change"
HOOK = "ECS Hook State Change"
IMAGE, CALL = "ECR Image Action", "AWS API Call via CloudTrail"
ANSWERED, STOPPED = "ContinueServiceDeployment", "StopServiceDeployment"
CALLS = ("UpdateService", "RegisterTaskDefinition", "PutImage", ANSWERED, STOPPED)
MALFORMED, UNKNOWN = "malformed", "unknown"
_SERVICE_GROUP = "service:"
# As long as a status may hold them (`api.release_status.ChangedBy`), and as an id may be.
_ARN, _USER_AGENT, _ID = 2048, 1024, 256
_DEPLOYMENT_ARN = "service-deployment/"
# What makes UpdateService start a deployment (botocore's documentation of UpdateService): scaling does not change who deployed.
_DEPLOYING = frozenset(
    {"taskDefinition", "networkConfiguration", "platformVersion", "loadBalancers", "serviceRegistries", "serviceConnectConfiguration",
     "volumeConfigurations", "vpcLatticeConfigurations"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Author:
    """Who started a deployment, by CloudTrail. `deployment` is its id, empty if the event has none."""

    arn: str
    user_agent: str
    time: datetime
    deployment: str = ""


@dataclass(frozen=True, slots=True)
class Instruction:
    """That somebody had ECS go on with a service deployment (its ARN), go back or stop, by CloudTrail.

    `action` is CONTINUE, ROLLBACK or STOP, `hook` the lifecycle hook that was answered; empty if the deployment was stopped.
    """

    deployment: str
    action: str
    hook: str
    arn: str
    user_agent: str
    time: datetime


@dataclass(frozen=True, slots=True)
class AwsEvent:
    """An event, parsed. `kind` is its detail-type, or `malformed`, or `unknown`: those have no other field.

    `cluster` is empty if the event does not name it; `tasks` is whether tasks have started or stopped; `family` has a new revision.
    """

    kind: str
    account: str = ""
    region: str = ""
    cluster: str = ""
    service: str = ""
    tasks: bool = False
    repository: str = ""
    family: str = ""
    author: Author | None = None
    instruction: Instruction | None = None


def parse_event(body: str) -> AwsEvent:
    """Parse a message of the queue, whatever is in it. Never raises."""
    try:
        event = json.loads(body)
        kind, detail = event["detail-type"], event["detail"]
        reader = _READERS.get(kind)
        if reader is None:
            return AwsEvent(UNKNOWN)
        return reader(AwsEvent(kind, _text(event["account"]), _text(event["region"])), event, dict(detail))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError):
        return AwsEvent(MALFORMED)


def started_by(author: Author, deployment_id: str, created: datetime) -> bool:
    """Return whether an author started a deployment: by its id, else by the time, to within a few seconds."""
    if author.deployment:
        return author.deployment == deployment_id
    return abs((author.time - created).total_seconds()) <= _CLOSE_S


_CLOSE_S = 5.0


def _of_service(event: AwsEvent, message: Mapping[str, Any], detail: Mapping[str, Any]) -> AwsEvent:
    cluster, service = _service(_text(message["resources"][0]))
    return replace(event, cluster=cluster or _name(detail.get("clusterArn") or ""), service=service, tasks=event.kind == DEPLOYMENT)


def _of_hook(event: AwsEvent, _: Mapping[str, Any], detail: Mapping[str, Any]) -> AwsEvent:
    """Parse a hook that begins, waits or ends: the service's state is looked at, and who answered is CloudTrail's to say."""
    cluster, service = _service(_text(detail["serviceArn"]))
    return replace(event, cluster=cluster or _name(detail.get("clusterArn") or ""), service=service)


def _of_task(event: AwsEvent, _: Mapping[str, Any], detail: Mapping[str, Any]) -> AwsEvent:
    group = _text(detail.get("group") or "")
    if not group.startswith(_SERVICE_GROUP):
        return event
    return replace(event, cluster=_name(detail["clusterArn"]), service=group.removeprefix(_SERVICE_GROUP), tasks=True)


def _of_image(event: AwsEvent, _: Mapping[str, Any], detail: Mapping[str, Any]) -> AwsEvent:
    return replace(event, repository=_text(detail["repository-name"]))


def _of_call(event: AwsEvent, _: Mapping[str, Any], detail: Mapping[str, Any]) -> AwsEvent:
    """Parse an API call. One that failed has changed nothing."""
    name, asked = detail["eventName"], detail.get("requestParameters") or {}
    if name not in CALLS:
        return AwsEvent(UNKNOWN)
    if detail.get("errorCode"):
        return event
    if name == "PutImage":
        return replace(event, repository=_text(asked["repositoryName"]))
    if name == "RegisterTaskDefinition":
        return replace(event, family=_text(asked["family"]))
    if name in (ANSWERED, STOPPED):
        return _of_instruction(event, name, asked, detail)
    cluster, service = _service(_text(asked["service"]))
    deploys = bool(_DEPLOYING & asked.keys()) or asked.get("forceNewDeployment") is True
    return replace(
        event, cluster=cluster or _name(asked.get("cluster") or "default"), service=service, tasks=True,
        author=_author(detail) if deploys else None,
    )  # fmt: skip


def _of_instruction(event: AwsEvent, name: str, asked: Mapping[str, Any], detail: Mapping[str, Any]) -> AwsEvent:
    """Parse ContinueServiceDeployment, which continues unless it says otherwise, or StopServiceDeployment."""
    deployment = _text(asked["serviceDeploymentArn"])
    path = deployment.rpartition(":")[2]
    if not path.startswith(_DEPLOYMENT_ARN):
        raise ValueError("not the ARN of a service deployment")
    cluster, service, _ = path.removeprefix(_DEPLOYMENT_ARN).split("/")
    by = _author(detail)
    instruction = Instruction(
        deployment=deployment[:_ARN],
        action=_text(asked.get("action") or CONTINUE)[:_ID] if name == ANSWERED else STOP,
        hook=_text(asked["hookId"])[:_ID] if name == ANSWERED else "",
        arn=by.arn,
        user_agent=by.user_agent,
        time=by.time,
    )
    return replace(event, cluster=cluster, service=service, instruction=instruction)


def _author(detail: Mapping[str, Any]) -> Author:
    identity = detail.get("userIdentity") or {}
    arn = identity.get("arn") or identity.get("invokedBy") or identity.get("principalId") or ""
    answered = (detail.get("responseElements") or {}).get("service") or {}
    primary: Mapping[str, Any] = next((d for d in answered.get("deployments") or () if d.get("status") == "PRIMARY"), {})
    time = datetime.fromisoformat(_text(detail["eventTime"]))
    return Author(
        arn=_text(arn)[:_ARN],
        user_agent=_text(detail.get("userAgent") or "")[:_USER_AGENT],
        # In UTC already here: a time near the ends of the calendar may have no UTC, and then the event is malformed.
        time=(time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC),
        deployment=_text(primary.get("id") or "")[:_ID],
    )


_READERS: dict[str, Callable[[AwsEvent, Mapping[str, Any], Mapping[str, Any]], AwsEvent]] = {
    DEPLOYMENT: _of_service,
    ACTION: _of_service,
    TASK: _of_task,
    HOOK: _of_hook,
    IMAGE: _of_image,
    CALL: _of_call,
}


def _service(arn: str) -> tuple[str, str]:
    """Take cluster and name out of a service's ARN (the old form names no cluster), or a plain name."""
    resource = arn.rpartition(":")[2].removeprefix("service/") if arn.startswith("arn:") else arn
    cluster, _, name = resource.rpartition("/")
    return cluster, name


def _name(arn: Any) -> str:
    return _text(arn).rpartition("/")[2]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return well_formed(value)
