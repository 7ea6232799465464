"""Messages of event queues: whatever is in one, it is an event, malformed or unknown, and of bounded size."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from ecs_release.domain.ecs.events import parse_event
from tests.builders.changed_values import changed

_LONGEST = 2048
_ODD: tuple[Any, ...] = (
    None, "", "x", 7, -(10**30), 1.5, True, [], {}, [None], {"a": "b"}, "arn:aws:ecs", "\ud800", "x" * 5000, "9999-99-99T00:00:00Z",
)  # fmt: skip
_ARN = "arn:aws:ecs:eu-west-1:111122223333"


def _event(kind: str, detail: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": "0", "id": "6f0b", "detail-type": kind, "source": "aws.ecs", "account": "111122223333", "region": "eu-west-1",
        "time": "2026-05-04T12:00:00Z", "resources": [f"{_ARN}:service/main/web"], "detail": detail,
    }  # fmt: skip


def _call(name: str, asked: dict[str, Any], answered: dict[str, Any] | None) -> dict[str, Any]:
    identity = {"type": "AssumedRole", "arn": "arn:ada", "sessionContext": {"sessionIssuer": {"arn": "arn:role"}}}
    return _event(
        "AWS API Call via CloudTrail",
        {
            "eventName": name, "eventTime": "2026-05-04T12:00:00Z", "userAgent": "aws-cli/2", "userIdentity": identity, "errorCode": None,
            "requestParameters": asked, "responseElements": answered,
        },
    )  # fmt: skip


RECORDED = (
    _event("ECS Deployment State Change", {"eventName": "SERVICE_DEPLOYMENT_FAILED", "deploymentId": "ecs-svc/1", "reason": "x"}),
    _event("ECS Service Action", {"eventName": "SERVICE_STEADY_STATE", "clusterArn": f"{_ARN}:cluster/main"}),
    _event("ECS Task State Change", {"clusterArn": f"{_ARN}:cluster/main", "group": "service:web", "lastStatus": "STOPPED"}),
    _event("ECR Image Action", {"repository-name": "shop/web", "action-type": "PUSH", "result": "SUCCESS", "image-tag": "v1"}),
    _call(
        "UpdateService",
        {"service": "web", "cluster": "main", "forceNewDeployment": True, "taskDefinition": "web:1"},
        {"service": {"deployments": [{"id": "ecs-svc/1", "status": "PRIMARY", "createdAt": "May 4, 2026, 12:00:00 PM"}]}},
    ),
    _call("RegisterTaskDefinition", {"family": "web"}, {"taskDefinition": {"taskDefinitionArn": f"{_ARN}:task-definition/web:2"}}),
    _event(
        "ECS Hook State Change",
        {"eventName": "HOOK_AWAITING_ACTION", "hookId": "ecs-pause-1", "hookType": "PAUSE", "serviceArn": f"{_ARN}:service/main/web"},
    ),
    _call(
        "ContinueServiceDeployment",
        {"serviceDeploymentArn": f"{_ARN}:service-deployment/main/web/abc", "hookId": "ecs-pause-1", "action": "ROLLBACK"},
        {},
    ),
    _call("StopServiceDeployment", {"serviceDeploymentArn": f"{_ARN}:service-deployment/main/web/abc", "stopType": "ROLLBACK"}, {}),
    _call("PutImage", {"repositoryName": "shop/web"}, None),
)


def _changed(event: Any) -> st.SearchStrategy[Any]:
    return changed(event, _ODD)


BODIES = st.one_of(
    st.sampled_from(RECORDED).flatmap(_changed).map(json.dumps),
    st.sampled_from(RECORDED).flatmap(_changed).flatmap(_changed).map(json.dumps),
    st.builds(lambda e, at, by: json.dumps(e)[:at] + by, st.sampled_from(RECORDED), st.integers(0, 400), st.text(max_size=3)),
    st.integers(1, 200_000).map(lambda n: "[" * n),
    st.text(max_size=200),
)


def check(body: str) -> None:
    """Parse a message. Raises AssertionError for an author that no status may hold: all other fields are only compared."""
    event = parse_event(body)
    if event.author is not None:
        for text in (event.author.arn, event.author.user_agent, event.author.deployment):
            assert len(text) <= _LONGEST
            text.encode()
