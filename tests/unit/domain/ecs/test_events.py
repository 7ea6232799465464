"""What events tell, in the shapes that AWS documents; whatever else comes is harmless."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_release.domain.decision.running_status import changed_by
from ecs_release.domain.ecs.events import MALFORMED, UNKNOWN, Author, AwsEvent, Instruction, parse_event, started_by
from tests.builders.ecs import deployment
from tests.builders.facts import changed, facts

ARN = "arn:aws:ecs:eu-west-1:111122223333"
WHERE = ("111122223333", "eu-west-1")
DEPLOYED = f"{ARN}:service-deployment/main/web/abc"
THEN = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
NOTHING_KNOWN = facts()


def event(kind: str, detail: dict[str, Any], resources: tuple[str, ...] = ()) -> str:
    return json.dumps(
        {
            "version": "0", "id": "6f0b", "detail-type": kind, "source": "aws.ecs", "account": WHERE[0], "region": WHERE[1],
            "time": "2026-05-04T12:00:00Z", "resources": list(resources), "detail": detail,
        }
    )  # fmt: skip


def call(name: str, asked: dict[str, Any], **more: Any) -> str:
    detail = {
        "eventName": name, "eventTime": "2026-05-04T12:00:00Z", "userAgent": "aws-cli/2", "userIdentity": {"arn": "arn:ada"},
        "requestParameters": asked, "responseElements": None, **more,
    }  # fmt: skip
    return event("AWS API Call via CloudTrail", detail)


@pytest.mark.parametrize(
    ("body", "heard"),
    [
        (
            event("ECS Deployment State Change", {"eventName": "SERVICE_DEPLOYMENT_COMPLETED"}, (f"{ARN}:service/main/web",)),
            AwsEvent("ECS Deployment State Change", *WHERE, cluster="main", service="web", tasks=True),
        ),
        (
            event("ECS Deployment State Change", {"eventName": "SERVICE_DEPLOYMENT_FAILED"}, (f"{ARN}:service/web",)),
            AwsEvent("ECS Deployment State Change", *WHERE, service="web", tasks=True),
        ),
        (
            event("ECS Service Action", {"clusterArn": f"{ARN}:cluster/main"}, (f"{ARN}:service/web",)),
            AwsEvent("ECS Service Action", *WHERE, cluster="main", service="web"),
        ),
        (
            event("ECS Task State Change", {"clusterArn": f"{ARN}:cluster/main", "group": "service:web"}, (f"{ARN}:task/main/1",)),
            AwsEvent("ECS Task State Change", *WHERE, cluster="main", service="web", tasks=True),
        ),
        (
            event("ECS Task State Change", {"clusterArn": f"{ARN}:cluster/main", "group": "family:migration"}),
            AwsEvent("ECS Task State Change", *WHERE),
        ),
        (
            event("ECR Image Action", {"repository-name": "shop/web", "action-type": "PUSH", "result": "SUCCESS"}),
            AwsEvent("ECR Image Action", *WHERE, repository="shop/web"),
        ),
        (call("PutImage", {"repositoryName": "shop/web"}), AwsEvent("AWS API Call via CloudTrail", *WHERE, repository="shop/web")),
        (call("RegisterTaskDefinition", {"family": "web"}), AwsEvent("AWS API Call via CloudTrail", *WHERE, family="web")),
        (
            call("UpdateService", {"service": "web", "cluster": "main", "desiredCount": 5}),
            AwsEvent("AWS API Call via CloudTrail", *WHERE, cluster="main", service="web", tasks=True),
        ),
        (
            call("UpdateService", {"service": f"{ARN}:service/main/web", "forceNewDeployment": True}),
            AwsEvent(
                "AWS API Call via CloudTrail", *WHERE, cluster="main", service="web", tasks=True, author=Author("arn:ada", "aws-cli/2", THEN)
            ),
        ),
        (
            call(
                "UpdateService", {"service": "web", "taskDefinition": "web:7"},
                responseElements={"service": {"deployments": [{"id": "ecs-svc/1", "status": "ACTIVE"}, {"id": "ecs-svc/2", "status": "PRIMARY"}]}},
                userIdentity={"type": "AWSService", "invokedBy": "codepipeline.amazonaws.com"},
            ),
            AwsEvent(
                "AWS API Call via CloudTrail", *WHERE, cluster="default", service="web", tasks=True,
                author=Author("codepipeline.amazonaws.com", "aws-cli/2", THEN, "ecs-svc/2"),
            ),
        ),
        (
            call("UpdateService", {"service": "web", "taskDefinition": "web:7"}, errorCode="AccessDenied"),
            AwsEvent("AWS API Call via CloudTrail", *WHERE),
        ),
        (
            event(
                "ECS Hook State Change", {"eventName": "HOOK_AWAITING_ACTION", "hookId": "ecs-pause-1", "serviceArn": f"{ARN}:service/main/web"},
                (DEPLOYED,),
            ),
            AwsEvent("ECS Hook State Change", *WHERE, cluster="main", service="web"),
        ),
        (
            call("ContinueServiceDeployment", {"serviceDeploymentArn": DEPLOYED, "hookId": "ecs-pause-1"}),
            AwsEvent(
                "AWS API Call via CloudTrail", *WHERE, cluster="main", service="web",
                instruction=Instruction(DEPLOYED, "CONTINUE", "ecs-pause-1", "arn:ada", "aws-cli/2", THEN),
            ),
        ),
        (
            call("ContinueServiceDeployment", {"serviceDeploymentArn": DEPLOYED, "hookId": "ecs-pause-1", "action": "ROLLBACK"}),
            AwsEvent(
                "AWS API Call via CloudTrail", *WHERE, cluster="main", service="web",
                instruction=Instruction(DEPLOYED, "ROLLBACK", "ecs-pause-1", "arn:ada", "aws-cli/2", THEN),
            ),
        ),
        (
            call("StopServiceDeployment", {"serviceDeploymentArn": DEPLOYED, "stopType": "ROLLBACK"}),
            AwsEvent(
                "AWS API Call via CloudTrail", *WHERE, cluster="main", service="web",
                instruction=Instruction(DEPLOYED, "STOP", "", "arn:ada", "aws-cli/2", THEN),
            ),
        ),
        (
            call("ContinueServiceDeployment", {"serviceDeploymentArn": DEPLOYED, "hookId": "x"}, errorCode="InvalidParameterException"),
            AwsEvent("AWS API Call via CloudTrail", *WHERE),
        ),
        (call("StopServiceDeployment", {"serviceDeploymentArn": f"{ARN}:service/main/web"}), AwsEvent(MALFORMED)),
        (call("StopServiceDeployment", {"serviceDeploymentArn": f"{ARN}:service-deployment/web"}), AwsEvent(MALFORMED)),
        (call("ContinueServiceDeployment", {"serviceDeploymentArn": DEPLOYED}), AwsEvent(MALFORMED)),
        (call("DeleteService", {"service": "web"}), AwsEvent(UNKNOWN)),
        (event("EC2 Instance State-change Notification", {}), AwsEvent(UNKNOWN)),
        ("", AwsEvent(MALFORMED)),
        ("{}", AwsEvent(MALFORMED)),
        ("[1]", AwsEvent(MALFORMED)),
        ("[" * 100_000, AwsEvent(MALFORMED)),
        (event("ECS Deployment State Change", {}, ()), AwsEvent(MALFORMED)),
        (event("ECR Image Action", {"repository-name": 7}), AwsEvent(MALFORMED)),
        (call("UpdateService", {"service": {"name": "web"}}), AwsEvent(MALFORMED)),
    ],
)  # fmt: skip
def test_what_is_heard(body: str, heard: AwsEvent) -> None:
    assert parse_event(body) == heard


KINDS = st.sampled_from(["ECS Task State Change", "ECS Service Action", "ECR Image Action", "AWS API Call via CloudTrail"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x), max_leaves=8
)
NAMES = st.sampled_from(
    ["eventName", "requestParameters", "userIdentity", "responseElements", "eventTime", "group", "clusterArn", "errorCode"]
)


@given(st.text() | JSON.map(json.dumps) | st.builds(event, KINDS, st.dictionaries(NAMES, JSON)))
def test_whatever_comes_is_harmless(body: str) -> None:
    assert parse_event(body).kind


ANY_TEXT = st.text(st.characters(exclude_categories=()))
# The ends of the calendar, where a time may have none in UTC; Python reads more than AWS writes.
ANY_TIME = (
    st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-14:00", "0001-01-01", "2026-05-04T12:00:00", "20260504T12Z"])
    | st.datetimes().map(datetime.isoformat)
    | ANY_TEXT
)
ANY_LONG_TEXT = st.builds(lambda text, times: text * times, ANY_TEXT, st.integers(0, 3000))


@given(arn=ANY_LONG_TEXT, agent=ANY_LONG_TEXT, time=ANY_TIME, deployment_id=st.just("ecs-svc/2") | ANY_TEXT)
def test_whoever_an_event_names_can_be_written_down(arn: str, agent: str, time: str, deployment_id: str) -> None:
    """What is believed of a message goes to `status.running.changedBy`, in every pass while that deployment is the PRIMARY."""
    answer = {"service": {"deployments": [{"status": "PRIMARY", "id": deployment_id}]}}
    body = call("UpdateService", {"service": "web", "taskDefinition": "web:7"}, eventTime=time, userAgent=agent, userIdentity={"arn": arn},
                responseElements=answer)  # fmt: skip
    author = parse_event(body).author
    if author is None:
        assert parse_event(body).kind == MALFORMED
        return
    found = changed_by(changed(NOTHING_KNOWN, authors=(author,)), deployment(2))
    assert found is None or json.dumps(found.to_kubernetes(), ensure_ascii=False).encode()
    assert (found is not None) == (author.deployment == "ecs-svc/2" or started_by(author, "ecs-svc/2", deployment(2).created_at))


@pytest.mark.parametrize(
    ("author", "its"),
    [
        (Author("a", "", THEN, "ecs-svc/2"), True),
        (Author("a", "", THEN, "ecs-svc/1"), False),
        (Author("a", "", THEN - timedelta(hours=1), "ecs-svc/2"), True),
        (Author("a", "", THEN + timedelta(seconds=3)), True),
        (Author("a", "", THEN - timedelta(seconds=60)), False),
    ],
)
def test_whose_deployment_it_is(author: Author, its: bool) -> None:
    assert started_by(author, "ecs-svc/2", THEN) is its
