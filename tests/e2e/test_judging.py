"""How a rollout is judged, point by point; each also where the service-deployment API is not there, and where tasks do not name deployments."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.aws_simulator.client import image_name
from tests.aws_simulator.client_rollouts import strategy
from tests.e2e.bed import PROGRESSING, READY, STALLED, Place, condition, triple
from tests.operator_process import FAST


@pytest.fixture(params=["with the service-deployment API", "without it", "without it, and tasks name their service"])
def judged(request: pytest.FixtureRequest, place: Place) -> Iterator[Place]:
    """A place with a service; but for the first third AWS has no service-deployment API for it, as other implementations have not."""
    if request.param.startswith("without it"):
        for action in ("ListServiceDeployments", "StopServiceDeployment"):
            place.aws.fault(action, code="UnknownOperationException", message="", status=400, times=None, match=place.name)
    place.service("v1")
    place.environment()
    place.project()
    place.aws.configure(switches={"started_by_service": request.param.endswith("service")})
    yield place
    place.aws.configure(switches={"started_by_service": False})
    place.aws.control("clear-faults", match=place.name)


def test_1_ours_is_the_deployment_that_update_service_answered(judged: Place) -> None:
    judged.aws.configure(switches={"visibility_lag_s": 3.0})
    try:
        judged.push("slow.v2", "v2")
        judged.release("v2")
        ours = judged.deployed()
        judged.stays("RollingOut", seconds=2.0)
    finally:
        judged.aws.configure(switches={"visibility_lag_s": 0.0})
    status = judged.wait("Succeeded")
    assert status["rollout"]["deploymentID"] == ours == judged.ecs_service()["deployments"][0]["id"]
    assert len(judged.updates()) == 1


def test_2_done_is_completed_and_every_task_on_a_wanted_digest(judged: Place) -> None:
    wanted = judged.push("v2", platforms=["linux/amd64", "linux/arm64"])
    judged.release("v2")
    status = judged.wait("Succeeded")
    assert status["pin"]["images"][0]["digest"] == wanted
    assert len(status["pin"]["images"][0]["platformDigests"]) == 2
    assert judged.running()["app"] == {wanted}


def test_2_a_task_that_shows_a_platform_digest_of_the_wanted_list_proves_it(judged: Place) -> None:
    judged.push("v2", platforms=["linux/amd64", "linux/arm64"])
    judged.release("v2")
    status = judged.wait("Succeeded")
    platform = status["pin"]["images"][0]["platformDigests"][0]
    repository = judged.repository()
    judged.deploy(containers={"app": f"{judged.account}.dkr.ecr.{judged.region}.amazonaws.com/{repository}@{platform}"})
    judged.aws.wait_steady("web", cluster=judged.name)
    assert judged.running()["app"] == {platform}
    judged.stays("Succeeded", seconds=6)


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("ListServiceDeployments", "null"),
        ("ListServiceDeployments", '{"serviceDeployments": [{"targetServiceRevisionArn": 7}]}'),
        ("DescribeServiceDeployments", "<html>503</html>"),
    ],
)
def test_2_what_only_explains_a_deployment_holds_up_no_verdict_however_odd_it_is(place: Place, action: str, body: str) -> None:
    place.service("v1")
    place.environment()
    place.project()
    place.push("v2")
    place.aws.fault(action, kind="answer", body=body, times=None, match=place.name)
    place.release("v2")
    status = place.wait("Succeeded")
    place.aws.clear_faults(place.name)
    assert status["history"][0]["outcome"] == "Succeeded"
    calls = [c for c in place.aws.calls(action=action, since=place.begun) if place.name in str(c["parameters"])]
    assert {c["error"] for c in calls} == {"answered otherwise"}


def test_2_a_deployment_of_a_tag_proves_nothing_before_its_first_task(place: Place) -> None:
    place.service("v1", circuit_breaker=False)
    place.environment()
    place.project()
    place.release("v1")
    place.wait("Succeeded")
    place.push("pullfail.v3")
    place.deploy(containers={"app": image_name(place.repository(), "pullfail.v3", account=place.account, region=place.region)})
    status = place.wait("Verifying")
    assert triple(status) == PROGRESSING
    assert "has no running task yet" in condition(status, "Ready")["message"]
    place.stays("Verifying", seconds=6)


def test_2_without_rollout_state_ours_alone_and_whole_is_done(judged: Place) -> None:
    judged.aws.configure(switches={"rollout_state": False})
    try:
        judged.push("v2")
        judged.release("v2")
        judged.wait("Succeeded")
    finally:
        judged.aws.configure(switches={"rollout_state": True})


def repair(place: Place, digest: str) -> None:
    """Let an image run well from now on, in place of the tasks that it has."""
    place.aws.behave(digest, "healthy")
    for task in place.ecs().list_tasks(cluster=place.name, serviceName="web")["taskArns"]:
        described = place.ecs().describe_tasks(cluster=place.name, tasks=[task])["tasks"][0]
        if described["containers"][0].get("imageDigest") == digest:
            place.ecs().stop_task(cluster=place.name, task=task)


def test_3_overtaken_by_the_same_digests_is_followed(judged: Place) -> None:
    """Neither is through before the operator has looked, however busy the machine is."""
    digest = judged.push("unhealthy.v2", "v2")
    judged.release("v2")
    judged.deployed()
    theirs = judged.deploy("v2")
    judged.until(lambda: judged.status()["rollout"].get("deploymentID") == theirs, "theirs to be followed")
    repair(judged, digest)
    status = judged.wait("Succeeded")
    assert status["rollout"]["outcome"] == status["history"][0]["outcome"] == "OvertakenSameDigests"
    assert status["rollout"]["deploymentID"] == theirs
    assert judged.running()["app"] == {digest}
    assert len(judged.updates()) == 1


def test_3_other_digests_supersede_and_primary_again_is_in_sync_again(judged: Place) -> None:
    judged.push("v2")
    judged.push("crash.v3", "v3")
    judged.push("slow.v2b", "v2b")
    judged.release("v2b")
    ours = judged.deployed()
    judged.deploy("v2")
    status = judged.wait("Superseded")
    assert status["rollout"]["deploymentID"] == ours
    judged.aws.wait_steady("web", cluster=judged.name)
    judged.deploy(taskDefinition=status["rollout"]["taskDefinition"])
    status = judged.wait("Succeeded")
    assert status["rollout"]["outcome"] == "Superseded"
    assert condition(status, "InSync")["status"] == "True"


def test_3_rolled_back_where_ecs_returned_to_an_earlier_one(judged: Place) -> None:
    judged.push("pullfail.v2", "v2")
    judged.release("v2")
    status = judged.wait("RolledBack")
    assert triple(status) == STALLED
    assert "CannotPullContainerError" in status["rollout"]["evidence"][0]["reason"]
    assert status["history"][0]["outcome"] == "RolledBack"


def test_3_a_return_by_hand_names_what_took_over(judged: Place) -> None:
    """It is a deployment of its own, of the former revision, and no rollback of ECS's."""
    former = judged.ecs_service()["taskDefinition"]
    judged.push("unhealthy.v2", "v2")
    judged.release("v2")
    ours = judged.deployed()
    judged.until(lambda: judged.status()["rollout"].get("stage"), "ours to be seen")
    theirs = judged.deploy(taskDefinition=former)
    status = judged.wait("Superseded")
    assert triple(status) == STALLED
    assert f"deployment {theirs} of {former.rpartition('/')[2]} replaced ours before it was seen to be done" in status["rollout"]["message"]
    assert [(h["outcome"], status["rollout"]["deploymentID"]) for h in status["history"]] == [("Superseded", ours)]
    assert len(judged.updates()) == 1


def test_3_a_rollback_by_hand_is_ecs_s(shop: Place) -> None:
    former = shop.ecs_service()["deployments"][0]
    shop.push("unhealthy.v2", "v2")
    shop.release("v2")
    ours = shop.until(lambda: shop.status().get("rollout", {}).get("serviceDeploymentARN"), "what ECS calls it")
    shop.ecs().stop_service_deployment(serviceDeploymentArn=ours, stopType="ROLLBACK")
    status = shop.wait("RolledBack")
    assert triple(status) == STALLED and former["taskDefinition"].rpartition("/")[2] in status["rollout"]["message"]
    assert [h["outcome"] for h in status["history"]] == ["RolledBack"]
    assert shop.ecs_service()["deployments"][0]["id"] == former["id"]


def test_3_an_old_answer_is_no_verdict_while_the_service_deployment_is_under_way(shop: Place) -> None:
    before = shop.ecs().describe_services(cluster=shop.name, services=["web"])
    digest = shop.push("unhealthy.v2", "v2")
    shop.release("v2")
    ours = shop.deployed()
    shop.until(lambda: shop.status()["rollout"].get("serviceDeploymentARN"), "what ECS calls it")
    answer = json.dumps({"services": before["services"], "failures": []}, default=datetime.timestamp)
    shop.aws.fault("DescribeServices", kind="answer", body=answer, times=None, match=shop.name)
    shop.until(lambda: f"{ours} is not listed any more" in condition(shop.status(), "Ready")["message"], "the old answer to be seen")
    # Longer than reads may lag.
    shop.stays("RollingOut", seconds=10)
    shop.aws.clear_faults(shop.name)
    repair(shop, digest)
    status = shop.wait("Succeeded")
    assert [(h["outcome"], status["rollout"]["deploymentID"]) for h in status["history"]] == [("Succeeded", ours)]
    assert len(shop.updates()) == 1


def test_4_after_the_deadline_a_late_completion_still_makes_ready(judged: Place) -> None:
    digest = judged.push("unhealthy.v2", "v2")
    judged.environment(rollout={"progressDeadlineSeconds": 30})
    judged.release("v2")
    judged.wait("DeadlineExceeded")
    repair(judged, digest)
    status = judged.wait("Succeeded")
    assert triple(status) == READY
    assert status["rollout"]["outcome"] == status["history"][0]["outcome"] == "SucceededLate"


def test_5_without_a_circuit_breaker_a_crash_loop_is_no_progress(place: Place) -> None:
    place.service("v1", circuit_breaker=False)
    place.environment(rollout={"progressDeadlineSeconds": 30})
    place.project()
    place.push("crash.v2", "v2")
    place.release("v2")
    status = place.wait("DeadlineExceeded")
    assert status["rollout"].get("evidence"), status
    warned = place.until(lambda: next((e for e in place.events() if e["reason"] == "NoRollback"), None), "a warning")
    assert "no deployment circuit breaker" in warned["note"]
    assert place.ecs_service()["deployments"][0]["rolloutState"] == "IN_PROGRESS"


def test_5_restarts_do_not_put_the_deadline_off(place: Place) -> None:
    place.service("v1", circuit_breaker=False)
    place.environment(rollout={"progressDeadlineSeconds": 30})
    place.project()
    place.push("crash.v2", "v2")
    place.release("v2")
    place.wait("RollingOut")
    # Restarts are closer to each other than the deadline is long: one that began anew would never end.
    for _ in range(30):
        if (status := place.status())["rollout"].get("outcome") is not None:
            break
        time.sleep(8)
        place.bed.restart_operator()
    assert status["rollout"]["outcome"] == "DeadlineExceeded"
    assert status["rollout"]["progress"]["stages"]


@pytest.mark.parametrize("stage", ["SCALE_UP", "COMPLETED"])
def test_5_a_stage_that_comes_and_goes_is_no_progress(place: Place, stage: str) -> None:
    """Every other answer shows it: the service-deployment API's, which otherwise know nothing, or those that say COMPLETED too early."""
    configuration = strategy("BLUE_GREEN") if stage == "SCALE_UP" else {}
    place.service("v1", circuit_breaker=False, deploymentConfiguration=configuration)
    place.environment(rollout={"progressDeadlineSeconds": 30})
    place.project()
    place.push("crash.v2", "v2")
    place.release("v2")
    place.deployed()
    action, answer = "DescribeServiceDeployments", {"serviceDeployments": []}
    if stage == "COMPLETED":
        service = place.ecs_service()
        service["deployments"][0]["rolloutState"] = stage
        action, answer = "DescribeServices", {"services": [service]}
    body = json.dumps({**answer, "failures": []}, default=datetime.timestamp)
    place.aws.fault(action, kind="answer", body=body, times=None, every=2, match=place.name)
    status = place.until(lambda: (s := place.status())["rollout"].get("outcome") and s, "its end")
    place.aws.clear_faults(place.name)
    assert status["rollout"]["outcome"] == "DeadlineExceeded"
    assert stage in status["rollout"]["progress"]["stages"]


def test_5_a_rollback_has_its_time_from_when_the_failure_is_seen(place: Place) -> None:
    """However long there was no progress before. None comes here: nothing was ever completed."""
    alarms = {"alarmNames": ["errors"], "enable": True, "rollback": True}
    place.service("pullfail-v1", wait=False, deploymentConfiguration={"alarms": alarms})
    place.until(lambda: place.ecs_service()["deployments"][0]["rolloutState"] == "FAILED", "the failure of what runs", show=dict)
    place.environment()
    place.project()
    place.push("unhealthy.v2", "v2")
    place.release("v2")
    place.deployed()
    patience = timedelta(seconds=float(FAST["ECS_RELEASE_ROLLBACK_SECONDS"]))
    place.until(lambda: datetime.now(UTC) - time_of(place, "lastProgressTime") > 2 * patience, "a lack of progress")
    place.aws.trigger_alarm("web", "errors", cluster=place.name, account=place.account, region=place.region)
    place.wait("RolloutFailed")
    assert time_of(place, "completionTime") - place.ecs_service()["deployments"][0]["updatedAt"] >= patience
    assert len(place.updates()) == 1


def time_of(place: Place, field: str) -> datetime:
    return datetime.fromisoformat(place.status()["rollout"][field])


def test_6_a_restart_does_not_forget_too_few_tasks(shop: Place) -> None:
    shop.release("v1")
    digest = shop.wait("Succeeded")["pin"]["images"][0]["digest"]
    shop.aws.control("behave", digest=digest, kind="pullfail")
    for task in shop.ecs().list_tasks(cluster=shop.name, serviceName="web")["taskArns"]:
        shop.ecs().stop_task(cluster=shop.name, task=task)
    unhealthy = shop.wait("TasksUnhealthy")
    assert unhealthy["health"]["state"] == "TasksUnhealthy"
    shop.bed.restart_operator()
    assert shop.stays("TasksUnhealthy", seconds=5)["health"] == unhealthy["health"]


def test_6_losing_a_task_for_a_moment_is_no_news(shop: Place) -> None:
    shop.release("v1")
    shop.wait("Succeeded")
    shop.aws.control("lose-task", account=shop.account, region=shop.region, cluster=shop.name, service="web")
    shop.stays("Succeeded", seconds=7)
