"""What EventBridge's events tell: which service to look at, who changed it, which repository has a new image.

Events are lost, doubled and late: they say where to look, never what is there. Shapes: Amazon ECS developer guide, "Amazon ECS events";
Amazon ECR user guide, "Sample events from Amazon ECR"; AWS CloudTrail user guide, "CloudTrail userIdentity element".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ecs_release.domain.model.unicode import well_formed

DEPLOYMENT, ACTION, TASK = "ECS Deployment State Change", "ECS Service Action", "ECS Task State Change"
IMAGE, CALL = "ECR Image Action", "AWS API Call via CloudTrail"
CALLS = ("UpdateService", "RegisterTaskDefinition", "PutImage")
MALFORMED, UNKNOWN = "malformed", "unknown"
_SERVICE_GROUP = "service:"
# As much as a status holds (`api.release_status.ChangedBy`), and as an id may have.
_ARN, _USER_AGENT, _ID = 2048, 1024, 256
# What makes UpdateService start a deployment (botocore's documentation of UpdateService): scaling does not change who deployed.
_DEPLOYING = frozenset(
    {"taskDefinition", "networkConfiguration", "platformVersion", "loadBalancers", "serviceRegistries", "serviceConnectConfiguration",
     "volumeConfigurations", "vpcLatticeConfigurations"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Author:
    """Who started a deployment, as CloudTrail tells; `deployment` is its id, empty where that is not told."""

    arn: str
    user_agent: str
    time: datetime
    deployment: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """What one event tells. `kind` is its detail-type, or `malformed`, or `unknown`: of those nothing else is known.

    `cluster` is empty where the event does not name it; `tasks` tells that tasks have come or gone; `family` has a new revision.
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


def hear(body: str) -> Heard:
    """Read a message of the queue, whatever it is. Never raises."""
    try:
        event = json.loads(body)
        kind, detail = event["detail-type"], event["detail"]
        reader = _READERS.get(kind)
        if reader is None:
            return Heard(UNKNOWN)
        return reader(Heard(kind, _text(event["account"]), _text(event["region"])), event, dict(detail))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError):
        return Heard(MALFORMED)


def started_by(author: Author, deployment_id: str, created: datetime) -> bool:
    """Tell whether somebody started a deployment: by its id, else by the time, to within a few seconds."""
    if author.deployment:
        return author.deployment == deployment_id
    return abs((author.time - created).total_seconds()) <= _CLOSE_S


_CLOSE_S = 5.0


def _of_service(heard: Heard, event: Mapping[str, Any], detail: Mapping[str, Any]) -> Heard:
    cluster, service = _service(_text(event["resources"][0]))
    return replace(heard, cluster=cluster or _name(detail.get("clusterArn") or ""), service=service, tasks=heard.kind == DEPLOYMENT)


def _of_task(heard: Heard, _: Mapping[str, Any], detail: Mapping[str, Any]) -> Heard:
    group = _text(detail.get("group") or "")
    if not group.startswith(_SERVICE_GROUP):
        return heard
    return replace(heard, cluster=_name(detail["clusterArn"]), service=group.removeprefix(_SERVICE_GROUP), tasks=True)


def _of_image(heard: Heard, _: Mapping[str, Any], detail: Mapping[str, Any]) -> Heard:
    return replace(heard, repository=_text(detail["repository-name"]))


def _of_call(heard: Heard, _: Mapping[str, Any], detail: Mapping[str, Any]) -> Heard:
    """Read a call. One that failed has changed nothing."""
    name, asked = detail["eventName"], detail.get("requestParameters") or {}
    if name not in CALLS:
        return Heard(UNKNOWN)
    if detail.get("errorCode"):
        return heard
    if name == "PutImage":
        return replace(heard, repository=_text(asked["repositoryName"]))
    if name == "RegisterTaskDefinition":
        return replace(heard, family=_text(asked["family"]))
    cluster, service = _service(_text(asked["service"]))
    deploys = bool(_DEPLOYING & asked.keys()) or asked.get("forceNewDeployment") is True
    return replace(
        heard, cluster=cluster or _name(asked.get("cluster") or "default"), service=service, tasks=True,
        author=_author(detail) if deploys else None,
    )  # fmt: skip


def _author(detail: Mapping[str, Any]) -> Author:
    identity = detail.get("userIdentity") or {}
    arn = identity.get("arn") or identity.get("invokedBy") or identity.get("principalId") or ""
    answered = (detail.get("responseElements") or {}).get("service") or {}
    primary: Mapping[str, Any] = next((d for d in answered.get("deployments") or () if d.get("status") == "PRIMARY"), {})
    time = datetime.fromisoformat(_text(detail["eventTime"]))
    return Author(
        arn=_text(arn)[:_ARN],
        user_agent=_text(detail.get("userAgent") or "")[:_USER_AGENT],
        # In UTC: near the ends of the calendar a time may have none, which must not be found out by who writes it.
        time=(time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC),
        deployment=_text(primary.get("id") or "")[:_ID],
    )


_READERS: dict[str, Callable[[Heard, Mapping[str, Any], Mapping[str, Any]], Heard]] = {
    DEPLOYMENT: _of_service,
    ACTION: _of_service,
    TASK: _of_task,
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
