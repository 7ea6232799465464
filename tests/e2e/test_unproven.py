"""What is not proven is not called Ready: where ECR fails inside a good answer, no task ever ran, or what runs lacks a container."""

from __future__ import annotations

import json
import time

import pytest

from tests.aws_simulator.client import image_name
from tests.e2e.bed import PROGRESSING, READY, STALLED, Place, condition, triple


def image(place: Place, service: str, tag: str = "v1") -> str:
    return image_name(place.repository(service), f"ref.{tag}", account=place.account, region=place.region)


def test_platforms_that_ecr_fails_to_give_are_asked_for_again(shop: Place) -> None:
    """ECR answers 200, with the image among the failures: taken for an image without platforms, its own tasks would be drift."""
    index = shop.push("v2", platforms=["linux/amd64", "linux/arm64"])
    failure = {"imageId": {"imageDigest": index}, "failureCode": "UpstreamUnavailable", "failureReason": "try again later"}
    answer = json.dumps({"images": [], "failures": [failure]})
    shop.aws.fault("BatchGetImage", kind="answer", body=answer, times=None, match=shop.repository())
    shop.release("v2")
    status = shop.wait("ProgressingWithRetry")
    assert triple(status) == PROGRESSING and "UpstreamUnavailable" in condition(status, "Ready")["message"]
    assert "pin" not in status and shop.mutations() == []
    shop.aws.clear_faults(shop.repository())
    platforms = shop.wait("Succeeded")["pin"]["images"][0]["platformDigests"]
    assert len(platforms) == 2
    repository = image(shop, "web").rpartition(":")[0]
    shop.deploy(containers={"app": f"{repository}@{platforms[0]}"})
    shop.aws.wait_steady("web", cluster=shop.name)
    assert shop.running()["app"] == {platforms[0]}
    shop.stays("Succeeded", seconds=6)


def test_what_never_ran_is_not_ready_though_nothing_may_be_done(place: Place) -> None:
    """Two tasks are wanted, and none could be started: of a Release that only observes, and of a set in a suspended Environment."""
    halted = Place(place.bed)
    for where, service in ((place, "web"), (halted, "api"), (halted, "web")):
        where.service("pullfail-v1", service, circuit_breaker=False, wait=False)
    place.environment(mode="Observe")
    place.project()
    halted.environment(suspend={"reason": "audit"})
    halted.project("api", "web")
    place.release("pullfail-v1")
    halted.release_set("pullfail-v1")
    assert condition(place.wait("Observing"), "Ready")["status"] == "Unknown"
    children = [halted.until_set(lambda s=s: halted.children().get(s), s)["metadata"]["name"] for s in ("api", "web")]
    for name in children:
        assert condition(halted.wait("Suspended", name), "Ready")["status"] == "Unknown"
        halted.stays("Suspended", name, seconds=1)
    status = halted.set_status()
    assert condition(status, "Ready")["status"] != "True"
    assert [h.get("outcome") for h in status["history"]] == [None]
    assert place.mutations() == halted.mutations() == []


def test_a_container_that_what_runs_does_not_have_is_named(place: Place) -> None:
    both = {"app": image(place, "web"), "log": image(place, "log")}
    place.push("v1", service="log")
    place.service("v1", containers=both)
    place.environment()
    place.project(containers={"app": place.repository("web"), "log": place.repository("log")})
    place.release("v1")
    place.wait("Succeeded")
    place.deploy(containers={"app": both["app"]})
    status = place.wait("Drifted")
    assert triple(status) == STALLED and "there is no container log in what runs" in condition(status, "Ready")["message"]
    place.deploy(containers=both)
    place.wait("Succeeded")
    assert place.mutations() == []


def test_what_is_scaled_from_none_and_cannot_be_pulled_is_not_ready(place: Place) -> None:
    place.service("v1", desired=0)
    place.environment()
    place.project()
    place.push("pullfail.v2", "v2")
    place.release("v2")
    place.wait("NothingRunning")
    place.ecs().update_service(cluster=place.name, service="web", desiredCount=2)
    place.until(lambda: triple(place.status()) != READY, "to be Ready no more")
    place.wait("TasksUnhealthy")
    for _ in range(10):
        assert triple(status := place.status()) != READY
        assert "lastReady" not in status and [h["outcome"] for h in status["history"]] == ["NothingRunning"]
        time.sleep(0.3)
    assert len(place.updates()) == 1


def test_one_task_of_two_does_not_prove_the_other(shop: Place) -> None:
    """ECS counts two, and lists one."""
    tasks = shop.ecs().list_tasks(cluster=shop.name, serviceName="web")["taskArns"]
    assert len(tasks) == 2
    shop.aws.fault("ListTasks", kind="answer", body=json.dumps({"taskArns": tasks[:1]}), times=None, match=shop.name)
    shop.release("v1")
    status = shop.wait("Verifying")
    assert triple(status) == PROGRESSING
    shop.stays("Verifying", seconds=6)
    shop.aws.clear_faults(shop.name)
    shop.wait("Succeeded")


def test_a_deployment_that_has_failed_is_not_ready_though_only_its_tasks_run(place: Place) -> None:
    """An alarm has failed it, and nothing rolls it back: the tasks that it has started stay."""
    alarms = {"alarmNames": ["errors"], "enable": True, "rollback": False}
    place.service("v1", rollback=False, deploymentConfiguration={"minimumHealthyPercent": 0, "maximumPercent": 100, "alarms": alarms})
    place.environment()
    place.project()
    digest = place.push("slow.v2", "v2")
    place.release("v2")
    place.deployed()
    place.aws.trigger_alarm("web", "errors", cluster=place.name, account=place.account, region=place.region)
    place.until(lambda: place.running() == {"app": {digest}}, "its tasks alone to run")
    status = place.wait("RolloutFailed")
    place.stays("RolloutFailed", seconds=6)
    assert triple(status) == STALLED and [h["outcome"] for h in status["history"]] == ["RolloutFailed"]
    assert not [e for e in place.events() if e["type"] == "Normal" and e["reason"] == "Succeeded"]
    place.annotate("web", retry="1")
    place.wait("Succeeded")
    assert [h["cause"] for h in place.status()["history"]] == ["Retry", "Requested"] and len(place.updates()) == 2


@pytest.mark.parametrize("platforms", [[], ["linux/amd64", "linux/arm64"]], ids=["one platform", "two"])
def test_a_retry_that_is_rolled_back_to_the_same_image_has_failed_though_no_task_ran_before(place: Place, platforms: list[str]) -> None:
    """What ran before is not known, and once the image can be pulled, ECS has gone back to the wanted digests all the same."""
    alarms = {"alarmNames": ["errors"], "enable": True, "rollback": True}
    place.service("v1", desired=0, circuit_breaker=False, deploymentConfiguration={"alarms": alarms})
    place.environment(rollout={"baseRevision": "Latest", "onDrift": "Correct", "correctAfterSeconds": 1})
    place.project()
    digest = place.push("pullfail.v2", "v2", platforms=platforms)
    place.release("v2")
    before = place.wait("NothingRunning")["rollout"]["deploymentID"]
    place.ecs().update_service(cluster=place.name, service="web", desiredCount=2)
    place.wait("TasksUnhealthy")
    place.annotate("web", retry="1")
    place.until(lambda: place.deployed() != before, "the retry")
    place.aws.trigger_alarm("web", "errors", cluster=place.name)
    status = place.until(lambda: (s := place.status())["history"][0].get("outcome") and s, "its end")
    assert [(h["cause"], h["outcome"]) for h in status["history"]] == [("Retry", "RolledBack"), ("Requested", "NothingRunning")]
    for one in (digest, *(status["pin"]["images"][0].get("platformDigests") or ())):
        place.aws.behave(one, "healthy")
    assert place.aws.wait_steady("web", cluster=place.name)["deployments"][0]["id"] == before
    place.wait("Succeeded")
    place.stays("Succeeded", seconds=5)
    assert [h["outcome"] for h in place.status()["history"]] == ["RolledBack", "NothingRunning"] and len(place.updates()) == 2


def test_a_container_that_is_not_listed_any_more_is_left_alone(place: Place) -> None:
    for service in ("web", "log"):
        place.push("v1", service=service)
        place.push("v2", service=service)
    place.service(push=False, containers={"app": image(place, "web"), "log": image(place, "log")})
    place.environment()
    place.project(containers={"app": "", "log": place.repository("log")})
    place.release("v2")
    place.wait("Succeeded")
    place.project()
    place.deploy(containers={"app": image(place, "web", "v2"), "log": image(place, "log")})
    place.aws.wait_steady("web", cluster=place.name)
    assert triple(place.wait("Succeeded")) == READY
    place.stays("Succeeded", seconds=6)
    place.deploy(containers={"app": image(place, "web"), "log": image(place, "log", "v2")})
    assert "app" in condition(place.wait("Drifted"), "Ready")["message"]
    assert len(place.updates()) == 1


def test_a_failure_that_is_recreated_while_one_task_of_two_runs_is_followed(place: Place) -> None:
    """Its one task shows the wanted digest, and no other runs: ECS has not finished. A Release of another name takes it for somebody else's."""
    place.service("v1", circuit_breaker=False, deploymentConfiguration={"minimumHealthyPercent": 0, "maximumPercent": 100})
    place.environment(rollout={"progressDeadlineSeconds": 30})
    place.project()
    digest = place.push("unhealthy.v2", "v2")
    place.release("v2")
    place.until(lambda: place.running() == {"app": {digest}} and place.ecs_service()["runningCount"] == 2, "its tasks alone to run")
    place.aws.behave(digest, "pullfail")
    place.aws.lose_task("web", cluster=place.name)
    place.wait("DeadlineExceeded")
    place.environment()
    for before, name, cause in (("web", "web", "Requested"), ("web", "site", "Adopted")):
        place.delete("release", before)
        place.release("v2", name=name)
        rollout = place.wait("RollingOut", name)["rollout"]
        assert (rollout["cause"], rollout.get("outcome")) == (cause, None)
        place.stays("RollingOut", name)
    seen = place.ecs_service()
    assert (seen["runningCount"], seen["deployments"][0]["rolloutState"]) == (1, "IN_PROGRESS")
    place.aws.behave(digest, "healthy")
    place.aws.lose_task("web", cluster=place.name)
    assert [h["outcome"] for h in place.wait("Succeeded", "site")["history"]] == ["Succeeded"] and len(place.updates()) == 1
