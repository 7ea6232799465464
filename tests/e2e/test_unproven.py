"""What is not proven is not called Ready: where ECR fails inside a good answer, no task ever ran, or what runs lacks a container."""

from __future__ import annotations

import json

from tests.aws_simulator.client import image_name
from tests.e2e.bed import PROGRESSING, STALLED, Place, condition, triple


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
