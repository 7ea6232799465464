"""Bad input: each gives its reason and a message that says what to do, stops nobody else, and recovers by itself once mended."""

from __future__ import annotations

import json

import pytest

from tests.e2e.bed import STALLED, Place, condition, triple


def _message(status: dict[str, object]) -> str:
    assert triple(status) == STALLED
    return str(condition(status, "Ready")["message"])


def test_unknown_service(shop: Place) -> None:
    shop.release("v1", service="wbe")
    message = _message(shop.wait("InvalidSpec", "wbe"))
    assert "no service 'wbe': add it there, or name one of: web" in message
    shop.project("wbe", containers={"app": shop.repository("web")})
    shop.service("v1", "wbe", push=False)
    shop.push("v1", service="wbe")
    shop.until(lambda: condition(shop.status("wbe"), "Ready").get("reason") != "InvalidSpec", "recovery", "wbe")


def test_unknown_container(shop: Place) -> None:
    shop.project("web", containers={"application": shop.repository()})
    shop.push("v2")
    shop.release("v2")
    message = _message(shop.wait("InvalidSpec"))
    assert "no container 'application' (it has: app)" in message
    shop.project("web")
    shop.release("v1")
    # What is wanted must have been seen to be another one: until then v2 stays as it was resolved.
    shop.wait("Succeeded")
    shop.release("v2")
    shop.wait("Succeeded")


def test_unknown_hash(shop: Place) -> None:
    shop.release("v2")
    message = _message(shop.wait("ArtifactNotFound"))
    assert "no image ref.v2 nor v2" in message
    assert condition(shop.status(), "ArtifactResolved")["status"] == "False"
    shop.push("v2")
    shop.wait("Succeeded")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("application/vnd.cncf.helm.config.v1+json", "a Helm chart"),
        ("application/vnd.dev.cosign.artifact.sig.v1+json", "a signature"),
        ("application/vnd.cncf.notary.signature", "a signature"),
        ("application/vnd.amazon.soci.index.v1+json", "a SOCI index"),
    ],
)
def test_a_tag_that_names_no_image(shop: Place, kind: str, name: str) -> None:
    shop.push("v2", config=kind)
    shop.release("v2")
    message = _message(shop.wait("ArtifactNotFound"))
    assert f"what is there is {name} ({kind})" in message
    assert "pin" not in shop.status() and shop.mutations() == []


def test_a_tag_that_names_an_index_of_something_else(shop: Place) -> None:
    """It has the type of a manifest list, and declares what it is."""
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}
    ecr = shop.aws.client("ecr", shop.account, shop.region)
    declared = json.dumps({**index, "artifactType": "application/vnd.amazon.soci.index.v2+json"})
    ecr.put_image(repositoryName=shop.repository(), imageManifest=declared, imageTag="ref.v2")
    shop.release("v2")
    assert "what is there is a SOCI index" in _message(shop.wait("ArtifactNotFound"))
    assert "pin" not in shop.status() and shop.mutations() == []


def test_missing_repository(shop: Place) -> None:
    shop.project("web", containers={"app": f"{shop.name}/elsewhere"})
    shop.release("v2")
    assert "create the ECR repository" in _message(shop.wait("ArtifactNotFound"))
    shop.push("v2", service="elsewhere")
    shop.wait("Succeeded")


def test_repository_not_allowed(shop: Place) -> None:
    shop.environment(artifacts={"allowedRepositories": ["allowed/*"]})
    shop.release("v1")
    assert "allowedRepositories" in _message(shop.wait("TargetNotAllowed"))
    shop.environment()
    shop.wait("Succeeded")


def test_missing_service(shop: Place) -> None:
    shop.project("api")
    shop.push("v1", service="api")
    shop.release("v1", service="api")
    assert f"there is no ECS service {shop.name}/api" in _message(shop.wait("ServiceNotFound", "api"))
    shop.service("v1", "api", push=False)
    shop.wait("Succeeded", "api")


def test_missing_cluster(shop: Place) -> None:
    shop.environment(target={"cluster": f"{shop.name}-x", "serviceName": "{service}"})
    shop.release("v1")
    assert "create the ECS cluster" in _message(shop.wait("ServiceNotFound"))
    shop.environment()
    shop.wait("Succeeded")


def test_denied_role(place: Place) -> None:
    shop = place
    shop.aws.deny(action="AssumeRole", match=shop.role)
    shop.service("v1")
    shop.environment()
    shop.project()
    shop.release("v1")
    message = _message(shop.wait("AccessDenied"))
    assert "sts:AssumeRole" in message
    assert "trust policy" in message
    environment = shop.until(
        lambda: (e := shop.get_environment().get("status") or {}) and condition(e, "Authenticated").get("status") == "False" and e,
        "the Environment",
    )
    assert condition(environment, "Ready")["reason"] == "AccessDenied"
    shop.aws.control("clear-faults", match=shop.role)
    shop.wait("Succeeded")


def test_role_of_another_account(place: Place) -> None:
    place.service("v1")
    place.push("v2")
    place.environment(aws={"accountID": place.account, "region": place.region, "roleARN": f"arn:aws:iam::444455556666:role/{place.name}"})
    place.project()
    place.release("v2")
    message = _message(place.wait("AccessDenied"))
    assert "leads to account 444455556666" in message
    assert f"spec.aws.accountID is {place.account}" in message
    assert place.updates() == []
    place.environment()
    place.wait("Succeeded")


def test_wrong_external_id(shop: Place) -> None:
    shop.aws.control("external-id", role=shop.role, id="the-right-one")
    shop.environment(aws={"accountID": shop.account, "region": shop.region, "roleARN": shop.role, "externalID": "wrong-one"})
    shop.release("v1")
    _message(shop.wait("AccessDenied"))
    shop.environment(aws={"accountID": shop.account, "region": shop.region, "roleARN": shop.role, "externalID": "the-right-one"})
    shop.wait("Succeeded")
    assert "the-right-one" not in shop.bed.operator.tail(10**7)


def test_denied_update(shop: Place) -> None:
    shop.push("v2")
    shop.aws.deny(action="UpdateService", match=shop.name)
    shop.release("v2")
    message = _message(shop.wait("AccessDenied"))
    assert "ecs:UpdateService" in message
    shop.aws.control("clear-faults", match=shop.name)
    status = shop.wait("Succeeded")
    assert len(status["history"]) == 1


def test_images_that_do_not_fit_the_containers(shop: Place) -> None:
    digest = shop.push("v2")
    shop.release({"images": [{"container": "ap", "digest": digest}]})
    assert "no image for container app" in _message(shop.wait("InvalidSpec"))
    shop.release({"images": [{"container": "app", "digest": digest, "releaseHash": "v2"}]})
    shop.wait("Succeeded")
    assert shop.running()["app"] == {digest}


def test_unreadable_project_stops_nobody_else(shop: Place) -> None:
    """What an older API server let in, or a hand in etcd, must not stop the others: here, a service that is not in AWS."""
    shop.project("web", "ghost")
    shop.push("v1", service="ghost")
    shop.release("v1", service="ghost")
    shop.push("v2")
    shop.release("v2")
    shop.wait("Succeeded")
    _message(shop.wait("ServiceNotFound", "ghost"))


def test_one_denied_service_of_a_batch_does_not_blind_the_others(place: Place) -> None:
    names = [f"s{n}" for n in range(4)]
    for name in names:
        place.push("v1", service=name)
        place.service("v1", name, push=False, wait=False)
    for name in names:
        place.aws.wait_steady(name, cluster=place.name)
    place.environment()
    place.project(*names)
    for name in names:
        place.release("v1", name)
        place.wait("Succeeded", name)
    place.aws.deny(action="DescribeServices", match="'s2'")
    try:
        place.wait("ObservationFailed", "s2")
        place.push("v2", service="s1")
        place.release("v2", "s1")
        place.wait("Succeeded", "s1")
    finally:
        place.aws.control("clear-faults", match="'s2'")
    place.wait("Succeeded", "s2")


@pytest.mark.parametrize(
    ("rollout", "said"),
    [
        ({"method": "EnvironmentTag", "onDrift": "Correct"}, "onDrift Correct with method EnvironmentTag"),
        ({"method": "EnvironmentTag", "baseRevision": "Latest"}, "baseRevision Latest with method EnvironmentTag"),
    ],
)
def test_what_this_version_cannot_do_is_refused(shop: Place, rollout: dict[str, str], said: str) -> None:
    shop.environment(rollout=rollout, artifacts={"environmentTag": "env"})
    shop.push("v2")
    shop.release("v2")
    assert said in _message(shop.wait("InvalidSpec"))
    assert shop.mutations() == []
    shop.environment()
    shop.wait("Succeeded")
