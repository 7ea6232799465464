"""Method EnvironmentTag: the tag in ECR moves, then a deployment of the same revision is forced."""

from __future__ import annotations

from typing import Any

import pytest

from tests.aws_simulator.client import image_name
from tests.e2e.bed import READY, STALLED, Place, condition, triple
from tests.e2e.sets import lines


def tag_of(place: Place) -> str:
    return f"env.{place.name}"


def points_to(place: Place, service: str = "web") -> str:
    ecr = place.aws.client("ecr", place.account, place.region)
    found = ecr.describe_images(repositoryName=place.repository(service), imageIds=[{"imageTag": tag_of(place)}])
    return str(found["imageDetails"][0]["imageDigest"])


def tagged_service(place: Place, service: str = "web", *, repository: str = "", **more: Any) -> str:
    """A service on v1 whose task definition names the environment's tag, as Terraform would write it."""
    digest = place.push("v1", tag_of(place), service=repository or service)
    image = image_name(place.repository(repository or service), tag_of(place), account=place.account, region=place.region)
    place.service("v1", service, push=False, containers={"app": image}, **more)
    return digest


def environment(place: Place, **spec: Any) -> None:
    usual = {"rollout": {"method": "EnvironmentTag", "settleSeconds": 0}, "artifacts": {"environmentTag": "env.{environment}"}}
    place.environment(**usual | spec)


@pytest.fixture
def tagged(place: Place) -> Place:
    tagged_service(place)
    environment(place)
    place.project()
    return place


def retag(place: Place, digest: str, service: str = "web") -> None:
    """Move the tag as somebody else would."""
    ecr = place.aws.client("ecr", place.account, place.region)
    name = place.repository(service)
    manifest = ecr.batch_get_image(repositoryName=name, imageIds=[{"imageDigest": digest}])["images"][0]["imageManifest"]
    ecr.put_image(repositoryName=name, imageManifest=manifest, imageTag=tag_of(place))


def test_the_tag_moves_and_terraform_sees_no_difference(tagged: Place) -> None:
    before = tagged.ecs_service()["taskDefinition"]
    digest = tagged.push("v2")
    tagged.release("v2")
    status = tagged.wait("Succeeded")
    assert triple(status) == READY
    assert tagged.ecs_service()["taskDefinition"] == before
    assert points_to(tagged) == digest and tagged.running()["app"] == {digest}
    assert [m["action"] for m in tagged.mutations()] == ["PutImage", "UpdateService"]
    assert tagged.updates()[0]["parameters"]["forceNewDeployment"] is True
    assert tagged.mutations()[0]["parameters"]["imageDigest"] == digest
    assert status["rollout"]["environmentTag"] == "Moved"
    assert len(status["history"]) == 1


def test_what_runs_by_the_tag_already_is_adopted(tagged: Place) -> None:
    tagged.release("v1")
    assert tagged.wait("Succeeded")["history"][0]["cause"] == "Adopted"
    assert tagged.mutations() == []


def test_where_nothing_runs_the_tag_tells_what_would(place: Place) -> None:
    tagged_service(place, desired=0)
    environment(place)
    place.project()
    digest = place.push("v2")
    place.release("v2")
    place.wait("NothingRunning")
    place.stays("NothingRunning", seconds=6)
    assert points_to(place) == digest and len(place.updates()) == 1


def test_after_a_rollback_the_tag_returns(tagged: Place) -> None:
    old = points_to(tagged)
    tagged.push("crash.v2", "v2")
    tagged.release("v2")
    tagged.wait("RolledBack")
    tagged.until(lambda: points_to(tagged) == old, "the tag to return")
    status = tagged.until(lambda: (s := tagged.status())["rollout"].get("environmentTag") == "Returned" and s, "Returned")
    assert triple(status) == STALLED and condition(status, "Ready")["reason"] == "RolledBack"
    assert [m["action"] for m in tagged.mutations()] == ["PutImage", "UpdateService", "PutImage"]
    assert "TagReturned" in {e["reason"] for e in tagged.events()}


def test_a_tag_that_somebody_moved_on_is_left_where_it_is(tagged: Place) -> None:
    digest = tagged.push("unhealthy.v2", "v2")
    other = tagged.push("v3")
    tagged.release("v2")
    tagged.until(lambda: digest in tagged.running().get("app", ()), "a task")
    deployment = tagged.until(lambda: tagged.status()["rollout"].get("serviceDeploymentARN"), "what ECS calls it")
    retag(tagged, other)
    tagged.ecs().stop_service_deployment(serviceDeploymentArn=deployment, stopType="ROLLBACK")
    tagged.until(lambda: condition(tagged.status(), "Ready").get("reason") in ("RolledBack", "TagMoved"), "the end")
    tagged.until(lambda: tagged.status()["rollout"].get("environmentTag") == "TakenOver", "TakenOver")
    assert points_to(tagged) == other


@pytest.mark.parametrize(("moved_on", "became"), [(False, "Returned"), (True, "TakenOver")])
def test_after_somebody_elses_deployment_took_over_the_tag_returns(tagged: Place, moved_on: bool, became: str) -> None:
    """Unless they have moved it, too."""
    old = points_to(tagged)
    tagged.push("unhealthy.v2", "v2")
    other = tagged.push("v3")
    tagged.release("v2")
    tagged.deployed()
    if moved_on:
        retag(tagged, other)
    tagged.deploy("v3")
    status = tagged.until(lambda: (s := tagged.status())["rollout"].get("environmentTag") == became and s, became)
    assert [h["outcome"] for h in status["history"]] == [status["rollout"]["outcome"]] == ["Superseded"]
    assert points_to(tagged) == (other if moved_on else old)
    assert [m["action"] for m in tagged.mutations()] == ["PutImage", "UpdateService"] + ([] if moved_on else ["PutImage"])


def test_a_tag_moved_by_somebody_else_is_drift(tagged: Place) -> None:
    digest = tagged.push("v2")
    other = tagged.push("v3")
    tagged.release("v2")
    tagged.wait("Succeeded")
    retag(tagged, other)
    status = tagged.wait("Drifted")
    assert triple(status) == STALLED and tag_of(tagged) in condition(status, "Ready")["message"]
    assert tagged.running()["app"] == {digest}
    retag(tagged, digest)
    tagged.wait("Succeeded")


def test_a_first_task_on_another_digest_is_tag_moved(tagged: Place) -> None:
    tagged.push("slow.v2", "v2")
    other = tagged.push("v3")
    tagged.aws.fault("UpdateService", kind="delay", seconds=1.5, match=tagged.name)
    tagged.release("v2")
    tagged.until(lambda: [m for m in tagged.mutations() if m["action"] == "PutImage"], "the tag to move")
    retag(tagged, other)
    status = tagged.wait("TagMoved")
    assert triple(status) == STALLED and "first task runs" in condition(status, "Ready")["message"]


def test_an_immutable_repository_is_refused_before_anything_moves(tagged: Place) -> None:
    tagged.push("v2")
    ecr = tagged.aws.client("ecr", tagged.account, tagged.region)
    ecr.put_image_tag_mutability(repositoryName=tagged.repository(), imageTagMutability="IMMUTABLE")
    tagged.release("v2")
    status = tagged.wait("RejectedByAWS")
    assert "immutable" in condition(status, "Ready")["message"] and tagged.mutations() == []
    filters = [{"filterType": "WILDCARD", "filter": "env.*"}]
    ecr.put_image_tag_mutability(
        repositoryName=tagged.repository(), imageTagMutability="IMMUTABLE_WITH_EXCLUSION", imageTagMutabilityExclusionFilters=filters
    )
    tagged.wait("Succeeded")


def test_a_task_definition_that_does_not_use_the_tag_is_refused(place: Place) -> None:
    place.service("v1")
    environment(place)
    place.project()
    place.push("v2")
    place.release("v2")
    status = place.wait("UnsupportedTaskDefinition")
    message = condition(status, "Ready")["message"]
    assert "ref.v1" in message and tag_of(place) in message and place.mutations() == []


def test_without_a_tag_in_the_environment_it_is_refused(place: Place) -> None:
    place.service("v1")
    place.environment(rollout={"method": "EnvironmentTag"})
    place.project()
    place.release("v1")
    assert "environmentTag" in condition(place.wait("InvalidSpec"), "Ready")["message"]


@pytest.fixture
def sharing(place: Place) -> Place:
    """Two services that pull one repository by one tag."""
    tagged_service(place, "web")
    image = image_name(place.repository("web"), tag_of(place), account=place.account, region=place.region)
    place.service("v1", "worker", push=False, containers={"app": image})
    environment(place)
    place.project("web", "worker", containers={"app": place.repository("web")})
    return place


def test_releases_that_share_a_tag_must_want_one_digest(sharing: Place) -> None:
    digest = sharing.push("v2")
    for service in ("web", "worker"):
        sharing.release("v1", service)
        sharing.wait("Succeeded", service)
    sharing.release("v2", "web")
    status = sharing.wait("TargetConflict", "web")
    assert triple(status) == STALLED and f"{sharing.name}/worker" in condition(status, "Ready")["message"]
    assert sharing.mutations() == []
    sharing.release("v2", "worker")
    for service in ("web", "worker"):
        sharing.wait("Succeeded", service)
        assert sharing.running(service)["app"] == {digest}


def test_a_set_moves_those_that_share_a_tag_together(sharing: Place) -> None:
    digest = sharing.push("v2")
    sharing.release_set("v2", strategy={"waves": [{"services": ["web"]}, {"services": ["worker"]}], "maxParallel": 1})
    status = sharing.wait_set("Succeeded")
    assert [w["services"] for w in status["waves"]] == [["web", "worker"]]
    assert {s: sharing.running(s)["app"] for s in lines(status)} == {"web": {digest}, "worker": {digest}}


def test_an_abort_takes_the_tag_back(tagged: Place) -> None:
    old = points_to(tagged)
    tagged.push("slow.v2", "v2")
    tagged.release("v2")
    tagged.until(tagged.updates, "the deployment")
    tagged.annotate("web", abort="1")
    tagged.wait("Aborted")
    tagged.until(lambda: points_to(tagged) == old, "the tag to return")


def test_killed_between_the_two_calls_it_goes_on(tagged: Place) -> None:
    digest = tagged.push("v2")
    tagged.aws.fault("UpdateService", kind="delay", seconds=2.0, match=tagged.name)
    tagged.release("v2")
    tagged.until(lambda: [m for m in tagged.mutations() if m["action"] == "PutImage"], "the tag to move")
    tagged.bed.operator.kill()
    tagged.bed.operator.start()
    tagged.bed.operator.wait_until_ready()
    status = tagged.wait("Succeeded")
    assert tagged.running()["app"] == {digest} and len(status["history"]) == 1
    assert len([m for m in tagged.mutations() if m["action"] == "PutImage"]) == 1
