"""One test for each row of the table of conditions: what it takes, and what Ready, Reconciling and Stalled then are."""

from __future__ import annotations

import pytest

from tests.aws_simulator.client import image_name
from tests.e2e.bed import PROGRESSING, READY, STALLED, UNREADY, WAITING, Place, condition, triple


def test_rolling_out(shop: Place) -> None:
    shop.push("slow.v2", "v2")
    shop.release({"tag": "slow.v2"})
    status = shop.wait("RollingOut")
    assert triple(status) == PROGRESSING
    assert condition(status, "Deployed")["status"] == "Unknown"
    shop.wait("Succeeded")


def test_awaiting_project(place: Place) -> None:
    place.service("v1")
    place.environment()
    place.release("v1")
    status = place.wait("AwaitingProject", phase="Waiting")
    assert triple(status) == WAITING
    assert "no Project 'shop'" in condition(status, "Ready")["message"]
    place.project()
    place.wait("Succeeded")


def test_awaiting_environment(place: Place) -> None:
    place.service("v1")
    place.project()
    place.release("v1")
    assert triple(place.wait("AwaitingEnvironment")) == WAITING
    place.environment()
    place.wait("Succeeded")


def test_awaiting_replication(place: Place) -> None:
    elsewhere = "us-east-1"
    place.push("v1")
    place.aws.push_image(place.repository(), ["ref.v1"], region=elsewhere, content="one")
    place.service("v1", push=False, containers={"app": image_name(place.repository(), "ref.v1", region=elsewhere)})
    place.push("v2")
    place.environment()
    place.project()
    place.release("v2")
    status = place.wait("AwaitingReplication")
    assert triple(status) == WAITING
    assert f"dkr.ecr.{elsewhere}" in condition(status, "Ready")["message"]
    assert not place.updates()
    replica = place.aws.push_image(place.repository(), ["ref.v2"], region=elsewhere, content=f"{place.repository()} ref.v2")
    place.wait("Succeeded")
    assert place.running()["app"] == {replica}


def test_awaiting_steady(shop: Place) -> None:
    shop.push("slow.other", "other")
    shop.push("v2")
    theirs = shop.deploy("other")
    shop.release("v2")
    status = shop.wait("AwaitingSteady")
    assert triple(status) == WAITING
    assert theirs in condition(status, "Ready")["message"]
    assert not shop.updates()
    shop.wait("Succeeded")


def test_suspended(shop: Place) -> None:
    shop.push("v2")
    shop.release("v2", suspend=True)
    status = shop.wait("Suspended", phase="Suspended")
    assert triple(status) == UNREADY
    assert status["plan"]["images"][0]["toHash"] == "v2"
    assert status["plan"]["images"][0]["fromHash"] == "v1"
    assert not shop.mutations()
    shop.release("v1", suspend=True)
    assert triple(shop.wait("Suspended", plan=None)) == READY


def test_observing(shop: Place) -> None:
    shop.environment(mode="Observe")
    shop.push("v2")
    shop.release("v2")
    status = shop.wait("Observing")
    assert triple(status) == UNREADY
    assert "would deploy app: v1 to v2" in status["plan"]["message"]
    assert not [c for c in shop.mutations() if c["service"] in ("ecs", "ecr")]
    shop.environment()
    shop.wait("Succeeded")


def test_environment_suspended(shop: Place) -> None:
    shop.environment(suspend={"reason": "audit week"})
    shop.push("v2")
    shop.release("v2")
    status = shop.wait("Suspended")
    assert "audit week" in condition(status, "Ready")["message"]
    assert not shop.mutations()


def test_progressing_with_retry(shop: Place) -> None:
    shop.push("v2")
    shop.aws.fault("DescribeImages", code="ServerException", status=500, times=None, match=shop.repository())
    shop.release("v2")
    status = shop.wait("ProgressingWithRetry")
    assert triple(status) == PROGRESSING
    assert "ecr:DescribeImages" in condition(status, "Ready")["message"]
    shop.aws.control("clear-faults", match=shop.repository())
    shop.wait("Succeeded")


def test_rollout_failed(place: Place) -> None:
    place.service("v1", rollback=False)
    place.environment()
    place.project()
    place.push("crash.v2", "v2")
    place.release("v2")
    status = place.wait("RolloutFailed", phase="Failed")
    assert triple(status) == STALLED
    assert "circuit breaker" in condition(status, "Ready")["message"]
    assert status["rollout"]["evidence"][0]["exitCode"] == 1


def test_rolled_back(shop: Place) -> None:
    shop.push("crash.v2", "v2")
    shop.release("v2")
    status = shop.wait("RolledBack", phase="RolledBack")
    assert triple(status) == STALLED
    assert condition(status, "Deployed")["status"] == "False"
    evidence = status["rollout"]["evidence"][0]
    assert evidence["container"] == "app"
    assert evidence["logStream"].startswith("app/app/")
    assert evidence["link"].startswith("https://eu-west-1.console.aws.amazon.com/cloudwatch/")
    assert len(shop.updates()) == 1


def test_superseded(shop: Place) -> None:
    shop.push("slow.v2", "v2")
    shop.push("v3")
    shop.release("v2")
    shop.deployed()
    shop.deploy("v3")
    status = shop.wait("Superseded")
    assert triple(status) == STALLED
    shop.stays("Superseded")
    assert len(shop.updates()) == 1


def test_deadline_exceeded(place: Place) -> None:
    place.service("v1", circuit_breaker=False)
    place.environment(rollout={"progressDeadlineSeconds": 30})
    place.project()
    place.push("crash.v2", "v2")
    place.release("v2")
    status = place.wait("DeadlineExceeded")
    assert triple(status) == STALLED
    assert "no progress for 30 s" in condition(status, "Ready")["message"]


def test_the_deadline_of_what_somebody_else_has_deployed(place: Place) -> None:
    """What was adopted under way has a deadline, too."""
    place.service("v1", circuit_breaker=False)
    place.environment(rollout={"progressDeadlineSeconds": 30})
    place.project()
    place.push("crash.v2", "v2")
    place.deploy("v2")
    place.release("v2")
    status = place.wait("DeadlineExceeded")
    assert triple(status) == STALLED
    assert [(h["cause"], h["outcome"]) for h in status["history"]] == [("Adopted", "DeadlineExceeded")]
    assert place.updates() == []


def test_aborted(shop: Place) -> None:
    shop.push("slow.v2", "v2")
    shop.release("v2")
    shop.deployed()
    shop.annotate("web", abort="one")
    status = shop.wait("Aborted", lastHandledAbort="one")
    assert triple(status) == STALLED
    assert [c["action"] for c in shop.mutations() if c["action"] == "StopServiceDeployment"]
    shop.aws.wait_steady("web", cluster=shop.name)
    assert shop.ecs_service()["taskDefinition"].endswith(":1")
    shop.stays("Aborted")


def test_aborted_without_the_service_deployment_api(shop: Place) -> None:
    shop.push("slow.v2", "v2")
    shop.release("v2")
    shop.deployed()
    shop.aws.fault("StopServiceDeployment", code="UnknownOperationException", message="", status=400, times=1, match=shop.name)
    shop.annotate("web", abort="one")
    shop.wait("Aborted")
    shop.aws.wait_steady("web", cluster=shop.name)
    assert shop.ecs_service()["taskDefinition"].endswith(":1")


def test_reappeared_older(shop: Place) -> None:
    first = shop.push("latest", content="one")
    shop.release({"tag": "latest"})
    shop.wait("Succeeded")
    assert shop.running()["app"] == {first}
    shop.delete("release", "web")
    shop.push("latest", content="two")
    shop.release({"tag": "latest"})
    status = shop.wait("ReappearedOlder")
    assert triple(status) == STALLED
    shop.stays("ReappearedOlder")
    assert len(shop.updates()) == 1
    shop.annotate("web", retry="go")
    shop.wait("Succeeded")
    assert len(shop.updates()) == 2


def test_target_conflict(shop: Place) -> None:
    shop.push("v2")
    shop.release("v1", name="one")
    shop.wait("Succeeded", "one")
    shop.release("v2", name="two")
    status = shop.wait("TargetConflict", "two")
    assert triple(status) == STALLED
    assert f"{shop.name}/one" in condition(status, "Ready")["message"]
    assert not shop.updates()
    shop.delete("release", "one")
    shop.wait("Succeeded", "two")


def test_unsupported_controller(place: Place) -> None:
    place.push("v1")
    place.service("v1", wait=False, deploymentController={"type": "CODE_DEPLOY"})
    place.environment()
    place.project()
    place.release("v1")
    status = place.wait("UnsupportedController")
    assert triple(status) == STALLED
    assert "CODE_DEPLOY" in condition(status, "Ready")["message"]


def test_succeeded(shop: Place) -> None:
    digest = shop.push("v2")
    shop.release("v2", change={"description": "faster", "requestedBy": "ana", "ticket": "T-1"})
    status = shop.wait("Succeeded", phase="Ready")
    assert triple(status) == READY
    assert {c["type"]: c["status"] for c in status["conditions"]} == {
        "Ready": "True", "Reconciling": "False", "Stalled": "False", "ArtifactResolved": "True", "Deployed": "True", "InSync": "True",
        "ArtifactAvailable": "True", "Recorded": "Unknown",
    }  # fmt: skip
    assert shop.running()["app"] == {digest}
    assert (
        status["history"][0] | {"outcome": "Succeeded", "requestedBy": "ana", "description": "faster", "ticket": "T-1"}
        == status["history"][0]
    )
    row = shop.kubectl("get", "release", "web").splitlines()[1].split()
    assert row[:8] == ["web", "web", shop.name, "v2", "v2", "Ready", "True", "2/2"]


def test_nothing_running(place: Place) -> None:
    place.service("v1", desired=0)
    place.environment()
    place.project()
    digest = place.push("v2")
    place.release("v2")
    status = place.wait("NothingRunning")
    assert triple(status) == READY
    assert "nothing runs, so nothing is proven" in condition(status, "Ready")["message"]
    place.ecs().update_service(cluster=place.name, service="web", desiredCount=2)
    place.until(lambda: place.running().get("app") == {digest}, "tasks of it")
    place.wait("Succeeded")


def test_drifted(shop: Place) -> None:
    shop.push("v2")
    shop.push("v3")
    shop.release("v2")
    shop.wait("Succeeded")
    deployment = shop.deploy("v3")
    status = shop.wait("Drifted", phase="Drifted")
    assert triple(status) == STALLED
    message = condition(status, "Ready")["message"]
    assert "app runs v3" in message
    assert deployment in message
    shop.stays("Drifted")
    assert len(shop.updates()) == 1
    shop.deploy("v2")
    shop.wait("Succeeded")


def test_tasks_unhealthy(shop: Place) -> None:
    digest = shop.push("v2")
    shop.release("v2")
    shop.wait("Succeeded")
    shop.aws.control("behave", digest=digest, kind="pullfail")
    shop.aws.control("lose-task", account=shop.account, region=shop.region, cluster=shop.name, service="web")
    shop.aws.control("lose-task", account=shop.account, region=shop.region, cluster=shop.name, service="web")
    status = shop.wait("TasksUnhealthy")
    assert triple(status) == UNREADY
    shop.aws.control("behave", digest=digest, kind="healthy")
    shop.wait("Succeeded")


@pytest.mark.parametrize("fault", ["AccessDenied", "ServerError"])
def test_observation_failed(shop: Place, fault: str) -> None:
    shop.release("v1")
    shop.wait("Succeeded")
    if fault == "AccessDenied":
        shop.aws.deny(action="DescribeServices", match=shop.name)
    else:
        shop.aws.fault("DescribeServices", times=None, match=shop.name)
    environment = shop.until(
        lambda: condition(shop.get_environment().get("status", {}), "Ready").get("reason") == "ProgressingWithRetry",
        "the Environment to say so",
    )
    assert environment
    status = shop.wait("ObservationFailed", phase="Unknown")
    assert triple(status) == PROGRESSING
    assert "ecs:DescribeServices" in condition(status, "Ready")["message"]
    shop.aws.control("clear-faults", match=shop.name)
    shop.wait("Succeeded")
    assert not shop.updates()
