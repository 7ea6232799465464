"""ECS's answers become slim facts. What is fed in is checked against botocore's own model, so that no field is invented."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest

from ecs_release.aws.clients.ecs_responses import parse_protection, parse_service, parse_service_deployment
from ecs_release.aws.sessions.fields import Fields
from ecs_release.domain.ecs.service import Hook, ProtectedTask
from tests.unit.aws_simulator.shapes import differences

ARN = "arn:aws:ecs:eu-west-1:111122223333"
THEN = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
MODEL = botocore.session.get_session().get_service_model("ecs")


def known(raw: dict[str, Any], shape: str) -> dict[str, Any]:
    assert list(differences(raw, MODEL.shape_for(shape))) == []
    return raw


def a_service(**more: Any) -> dict[str, Any]:
    return known({"serviceArn": f"{ARN}:service/main/web", "serviceName": "web", "status": "ACTIVE", **more}, "Service")


@pytest.mark.parametrize(
    ("configuration", "strategy", "bakes"),
    [
        ({}, "ROLLING", (0, 0, 0)),
        ({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5}, "BLUE_GREEN", (300, 0, 0)),
        ({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 25.0, "stepBakeTimeInMinutes": 2}}, "LINEAR", (0, 120, 3)),
        ({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 30.0, "stepBakeTimeInMinutes": 0}}, "LINEAR", (0, 0, 3)),
        ({"strategy": "LINEAR", "bakeTimeInMinutes": 1}, "LINEAR", (60, 360, 9)),
        ({"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 0.5, "canaryBakeTimeInMinutes": 30}}, "CANARY", (0, 1800, 1)),
        ({"strategy": "CANARY"}, "CANARY", (0, 600, 1)),
    ],
)
def test_a_service_tells_its_strategy_and_how_long_it_bakes(
    configuration: dict[str, Any], strategy: str, bakes: tuple[float, float, int]
) -> None:
    found = parse_service(Fields(a_service(deploymentConfiguration=configuration)))
    assert found.strategy == strategy
    assert (found.bake_s, found.step_bake_s, found.steps) == bakes


def test_alarms_watch_like_a_circuit_breaker() -> None:
    found = parse_service(
        Fields(a_service(deploymentConfiguration={"alarms": {"alarmNames": ["errors"], "enable": True, "rollback": True}}))
    )
    assert (found.alarms, found.circuit_breaker, found.rollback) == (True, True, True)
    assert not parse_service(
        Fields(a_service(deploymentConfiguration={"alarms": {"alarmNames": [], "enable": False, "rollback": False}}))
    ).alarms


def test_a_daemon_may_stop_all_its_tasks() -> None:
    """Its minimumHealthyPercent is 0 by default, a replica service's 100 (botocore, DeploymentConfiguration)."""
    assert parse_service(Fields(a_service(schedulingStrategy="DAEMON"))).minimum_healthy_percent == 0
    found = parse_service(Fields(a_service(schedulingStrategy="DAEMON", deploymentConfiguration={"minimumHealthyPercent": 50})))
    assert (found.scheduling, found.minimum_healthy_percent) == ("DAEMON", 50)
    assert parse_service(Fields(a_service())).minimum_healthy_percent == 100


def a_service_deployment(**more: Any) -> dict[str, Any]:
    return known({"serviceDeploymentArn": f"{ARN}:service-deployment/main/web/abc", "status": "IN_PROGRESS", **more}, "ServiceDeployment")


def test_a_service_deployment_tells_stage_traffic_and_hooks() -> None:
    hook = {"hookId": "ABCDEFGH", "targetType": "PAUSE", "status": "AWAITING_ACTION", "expiresAt": THEN, "timeoutAction": "ROLLBACK"}
    target = {"arn": f"{ARN}:service-revision/main/web/2", "requestedProductionTrafficWeight": 12.5, "requestedTestTrafficWeight": 100.0}
    raw = a_service_deployment(lifecycleStage="POST_TEST_TRAFFIC_SHIFT", targetServiceRevision=target, lifecycleHookDetails=[hook])
    found = parse_service_deployment(Fields(raw))
    assert (found.stage, found.traffic) == ("POST_TEST_TRAFFIC_SHIFT", 12.5)
    assert found.hooks == (Hook("ABCDEFGH", "AWAITING_ACTION", "PAUSE", "", THEN, "ROLLBACK"),)


def test_a_rolling_one_tells_neither() -> None:
    found = parse_service_deployment(Fields(a_service_deployment(targetServiceRevision={"arn": "a", "runningTaskCount": 1})))
    assert (found.stage, found.traffic, found.hooks) == ("", None, ())


def test_a_rollback_says_why() -> None:
    raw = a_service_deployment(
        statusReason="it failed",
        rollback={"reason": "an alarm went off", "startedAt": THEN},
        alarms={"status": "TRIGGERED", "triggeredAlarmNames": ["errors"]},
    )
    found = parse_service_deployment(Fields(raw))
    assert (found.status_reason, found.rollback_reason, found.triggered_alarms) == ("it failed", "an alarm went off", ("errors",))


def test_protected_tasks_are_those_whose_protection_is_on() -> None:
    listed = [
        {"taskArn": "a", "protectionEnabled": True, "expirationDate": THEN},
        {"taskArn": "b", "protectionEnabled": False},
    ]
    answer = known({"protectedTasks": listed, "failures": []}, "GetTaskProtectionResponse")
    assert parse_protection(answer) == [ProtectedTask("a", THEN)]


@pytest.mark.parametrize(
    ("weight", "shown"), [(0, 0), (5.5, 5.5), (100, 100), (None, None), (-1, None), (100.1, None), (10**12, None), (float("nan"), None)]
)
def test_traffic_that_is_no_percentage_is_not_shown_as_one(weight: float | None, shown: float | None) -> None:
    found = parse_service_deployment(
        Fields({"serviceDeploymentArn": "arn", "targetServiceRevision": {"requestedProductionTrafficWeight": weight}})
    )
    assert found.traffic == shown
