"""The simulator's deployment strategies, foreign controllers, daemons and protected tasks, through boto3."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.aws_simulator.client import ACCOUNT, REGION, Simulator, image_name
from tests.aws_simulator.client_rollouts import lambda_hook, pause_hook, strategy
from tests.unit.aws_simulator.shapes import differences

_V1, _V2 = {"app": image_name("app", "v1")}, {"app": image_name("app", "v2")}
_CHECK = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:check"


@pytest.fixture
def ecs(sim: Simulator) -> Any:
    """A client; the images app:v1, app:v2 and app:crash are there."""
    for tag in ("v1", "v2", "crash"):
        sim.push_image("app", [tag])
    return sim.client("ecs")


def create(sim: Simulator, name: str, **more: Any) -> None:
    sim.create_service("web", _V1, deploymentConfiguration=strategy(name, **more))


def code(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return str(refused.value.response["Error"]["Code"])


def weight(deployment: dict[str, Any]) -> float:
    return float(deployment["targetServiceRevision"]["requestedProductionTrafficWeight"])


def shares_at_pauses(sim: Simulator) -> list[tuple[str, float]]:
    """Continue each pause; returns the stages and the new revision's shares of traffic at them, and the last status."""
    seen: list[tuple[str, float]] = []
    until = time.monotonic() + 60
    while (found := sim.service_deployment("web"))["status"] in ("PENDING", "IN_PROGRESS"):
        assert time.monotonic() < until, found
        if any(h["status"] == "AWAITING_ACTION" for h in found.get("lifecycleHookDetails") or ()):
            seen.append((found["lifecycleStage"], weight(found)))
            sim.continue_deployment("web")
        time.sleep(0.02)
    return [*seen, (found["status"], weight(found))]


@pytest.mark.parametrize(("name", "shares"), [("BLUE_GREEN", [0.0]), ("LINEAR", [0.0, 25.0, 50.0, 75.0]), ("CANARY", [0.0, 10.0])])
def test_a_deployment_goes_out_in_stages(sim: Simulator, ecs: Any, name: str, shares: list[float]) -> None:
    create(sim, name, hooks=[pause_hook("POST_SCALE_UP", "PRE_PRODUCTION_TRAFFIC_SHIFT")])
    id_ = sim.deploy("web", _V2)
    paused = sim.wait_paused("web")
    assert (paused["status"], paused["lifecycleStage"], weight(paused)) == ("IN_PROGRESS", "POST_SCALE_UP", 0.0)
    assert paused["targetServiceRevision"]["arn"].rpartition("/")[2] == id_.rpartition("/")[2]
    (source,) = paused["sourceServiceRevisions"]
    for revision in (source, paused["targetServiceRevision"]):
        assert (revision["requestedTaskCount"], revision["runningTaskCount"], revision["pendingTaskCount"]) == (2, 2, 0)
    assert (source["requestedProductionTrafficWeight"], source["requestedTestTrafficWeight"]) == (100.0, 0.0)
    assert list(differences(paused, ecs.meta.service_model.shape_for("ServiceDeployment"))) == []
    before_each = [("PRE_PRODUCTION_TRAFFIC_SHIFT", share) for share in shares]
    assert shares_at_pauses(sim) == [("POST_SCALE_UP", 0.0), *before_each, ("SUCCESSFUL", 100.0)]
    done = sim.service_deployment("web")
    assert {h["status"] for h in done["lifecycleHookDetails"]} == {"SUCCEEDED"}
    assert sim.wait_steady("web")["deployments"][0]["id"] == id_


def test_bake_time_shows_both_revisions_in_describe_services(sim: Simulator, ecs: Any) -> None:
    create(sim, "BLUE_GREEN", bakeTimeInMinutes=60)
    sim.deploy("web", _V2)
    baking = sim.wait_deployment("web", stage="BAKE_TIME")
    assert (weight(baking), baking["sourceServiceRevisions"][0]["requestedProductionTrafficWeight"]) == (100.0, 0.0)
    service = sim.service("web")
    assert [(d["status"], d["desiredCount"], d["runningCount"]) for d in service["deployments"]] == [("PRIMARY", 2, 2), ("ACTIVE", 2, 2)]
    assert service["currentServiceDeployment"] == baking["serviceDeploymentArn"]
    assert service["deploymentConfiguration"]["strategy"] == "BLUE_GREEN"
    for shown, shape in ((service, "Service"), (baking, "ServiceDeployment")):
        assert list(differences(shown, ecs.meta.service_model.shape_for(shape))) == []


def test_a_pause_is_rolled_back_by_continue_service_deployment(sim: Simulator, ecs: Any) -> None:
    create(sim, "CANARY", hooks=[pause_hook("PRE_PRODUCTION_TRAFFIC_SHIFT")])
    before = sim.running_digests("web")
    sim.deploy("web", _V2)
    paused = sim.wait_paused("web")
    arn = paused["serviceDeploymentArn"]
    assert paused["lifecycleStage"] == "PRE_PRODUCTION_TRAFFIC_SHIFT"
    assert code(ecs.continue_service_deployment, serviceDeploymentArn=arn, hookId="another") == "InvalidParameterException"
    hook = sim.continue_deployment("web", "ROLLBACK")
    done = sim.wait_deployment("web", status="ROLLBACK_SUCCESSFUL")
    assert done["rollback"]["serviceRevisionArn"] == paused["sourceServiceRevisions"][0]["arn"]
    assert code(ecs.continue_service_deployment, serviceDeploymentArn=arn, hookId=hook) == "InvalidParameterException"
    sim.wait_steady("web")
    assert sim.running_digests("web") == before


def test_a_pause_that_nobody_answers_times_out(sim: Simulator, ecs: Any) -> None:
    create(sim, "BLUE_GREEN", hooks=[pause_hook("POST_SCALE_UP", minutes=1)])
    sim.deploy("web", _V2)
    done = sim.wait_deployment("web", status="ROLLBACK_SUCCESSFUL")
    assert [h["status"] for h in done["lifecycleHookDetails"]] == ["TIMED_OUT"]


@pytest.mark.parametrize(("answer", "status"), [("SUCCEEDED", "SUCCESSFUL"), ("FAILED", "ROLLBACK_SUCCESSFUL")])
def test_functions_decide(sim: Simulator, ecs: Any, answer: str, status: str) -> None:
    create(sim, "BLUE_GREEN", hooks=[lambda_hook(_CHECK, "POST_TEST_TRAFFIC_SHIFT")])
    sim.hook_answers(**{_CHECK: "IN_PROGRESS"})
    sim.deploy("web", _V2)
    waiting = sim.wait_deployment("web", stage="POST_TEST_TRAFFIC_SHIFT")
    assert [(h["status"], h["targetArn"]) for h in waiting["lifecycleHookDetails"]] == [("IN_PROGRESS", _CHECK)]
    sim.hook_answers(**{_CHECK: answer})
    sim.wait_deployment("web", status=status)


def test_stopping_rolls_back_or_aborts(sim: Simulator, ecs: Any) -> None:
    create(sim, "BLUE_GREEN", bakeTimeInMinutes=60)
    for kind, status in (("ROLLBACK", "ROLLBACK_SUCCESSFUL"), ("ABORT", "STOPPED")):
        sim.deploy("web", _V2)
        arn = sim.wait_deployment("web", stage="BAKE_TIME")["serviceDeploymentArn"]
        ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType=kind)
        done = sim.wait_deployment("web", status=status)
        assert weight(done) == (0.0 if kind == "ROLLBACK" else 100.0)
        assert code(ecs.stop_service_deployment, serviceDeploymentArn=arn) == "ConflictException"
    newest = sim.deploy("web", _V1)
    reconciled = sim.wait_deployment("web", stage="BAKE_TIME")
    assert len(reconciled["sourceServiceRevisions"]) == 2
    assert sim.service("web")["deployments"][0]["id"] == newest


@pytest.mark.parametrize("name", ["BLUE_GREEN", "ROLLING"])
def test_an_alarm_rolls_back(sim: Simulator, ecs: Any, name: str) -> None:
    create(sim, name, alarms={"alarmNames": ["errors"], "enable": True, "rollback": True})
    with pytest.raises(ValueError, match="watches errors"):
        sim.trigger_alarm("web", "errors")
    # A rollout that does not complete by itself before the alarm.
    sim.push_image("app", ["unhealthy"])
    sim.deploy("web", {"app": image_name("app", "unhealthy")})
    sim.trigger_alarm("web", "errors")
    done = sim.wait_deployment("web", status="ROLLBACK_SUCCESSFUL")
    assert done["alarms"] == {"status": "TRIGGERED", "alarmNames": ["errors"], "triggeredAlarmNames": ["errors"]}


def test_tasks_that_crash_roll_a_canary_back(sim: Simulator, ecs: Any) -> None:
    create(sim, "CANARY")
    sim.deploy("web", {"app": image_name("app", "crash")})
    done = sim.wait_deployment("web", status="ROLLBACK_SUCCESSFUL")
    assert (done["deploymentCircuitBreaker"]["status"], weight(done)) == ("TRIGGERED", 0.0)


def test_wrong_configurations_are_refused(sim: Simulator, ecs: Any) -> None:
    create(sim, "BLUE_GREEN")
    for wrong in (
        {"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 101.0}},
        {"lifecycleHooks": [pause_hook("TEST_TRAFFIC_SHIFT")]},
    ):
        assert code(ecs.update_service, cluster="main", service="web", deploymentConfiguration=wrong) == "InvalidParameterException"
    sim.create_service("agent", _V1, schedulingStrategy="DAEMON")
    for name, controller in (("agent", "ECS"), ("theirs", "CODE_DEPLOY")):
        if name == "theirs":
            sim.create_service(name, _V1, deploymentController={"type": controller})
        assert (
            code(ecs.update_service, cluster="main", service=name, deploymentConfiguration=strategy("BLUE_GREEN"))
            == "InvalidParameterException"
        )


def test_code_deploy_has_task_sets_in_place_of_deployments(sim: Simulator, ecs: Any) -> None:
    sim.create_service("theirs", _V1, deploymentController={"type": "CODE_DEPLOY"})
    service = sim.service("theirs")
    assert (service["deployments"], service["runningCount"]) == ([], 2)
    (task_set,) = service["taskSets"]
    assert (task_set["status"], task_set["stabilityStatus"], task_set["runningCount"]) == ("PRIMARY", "STEADY_STATE", 2)
    assert list(differences(task_set, ecs.meta.service_model.shape_for("TaskSet"))) == []
    assert ecs.list_service_deployments(cluster="main", service="theirs")["serviceDeployments"] == []
    assert code(ecs.update_service, cluster="main", service="theirs", taskDefinition="theirs:1") == "InvalidParameterException"
    ecs.update_service(cluster="main", service="theirs", desiredCount=3)
    assert sim.wait_steady("theirs")["runningCount"] == 3


def test_external_has_neither(sim: Simulator, ecs: Any) -> None:
    sim.create_service("theirs", _V1, deploymentController={"type": "EXTERNAL"}, wait=False)
    service = sim.service("theirs")
    assert (service["deployments"], service["taskSets"], service["runningCount"]) == ([], [], 0)


def test_daemons_follow_container_instances(sim: Simulator, ecs: Any) -> None:
    sim.create_service("agent", _V1, schedulingStrategy="DAEMON")
    for count in (3, 1):
        sim.container_instances(count)
        service = sim.wait_steady("agent")
        assert (service["desiredCount"], service["runningCount"], len(service["deployments"])) == (count, count, 1)


def test_a_protected_task_keeps_a_rolling_deployment_from_completing(sim: Simulator, ecs: Any) -> None:
    sim.create_service("web", _V1)
    (held,) = sim.protect("web")
    old = sim.service("web")["deployments"][0]["id"]
    sim.deploy("web", _V2)
    message = f"was unable to reach steady state because (taskSet {old}) was unable to scale in due to (reason 1 tasks under protection)"
    until = time.monotonic() + 30
    while not any(message in e["message"] for e in sim.service("web")["events"]):
        assert time.monotonic() < until
        time.sleep(0.02)
    service = sim.service("web")
    assert [d["rolloutState"] for d in service["deployments"] if d["status"] == "PRIMARY"] == ["IN_PROGRESS"]
    assert service["deployments"][1]["runningCount"] >= 1
    assert [t["taskArn"] for t in ecs.get_task_protection(cluster="main", tasks=[held])["protectedTasks"] if t["protectionEnabled"]] == [
        held
    ]
    ecs.update_task_protection(cluster="main", tasks=[held], protectionEnabled=False)
    sim.wait_steady("web")
    assert sum(message in e["message"] for e in sim.service("web")["events"]) == 1


@pytest.mark.parametrize("minutes", [0, 2881])
def test_protection_has_bounds(sim: Simulator, ecs: Any, minutes: int) -> None:
    sim.create_service("web", _V1)
    with pytest.raises(ClientError, match="expiresInMinutes"):
        sim.protect("web", minutes=minutes)
