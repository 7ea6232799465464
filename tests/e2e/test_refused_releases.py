"""What a tenant writes and may not do counts for nothing: it holds nobody up, and is in nobody's numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ecs_release.domain.sets.child_manifests import child_name
from tests.aws_simulator.client import image_name
from tests.e2e.api import Refused
from tests.e2e.bed import GROUP, Bed, Place, condition
from tests.e2e.people import API, Person, grant, path_of

TENANT = "tess"


@pytest.fixture
def attacker(bed: Bed) -> Iterator[Place]:
    """A namespace in which the tenant may write everything of ours, and that no Environment of the victim admits."""
    with bed.cleared():
        place = Place(bed)
        rule = {"apiGroups": [GROUP], "resources": ["projects", "releases", "releasesets"], "verbs": ["*"]}
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "team", "namespace": place.name}}
        bed.cluster.apply({**role, "rules": [rule]})
        grant(bed.cluster, "team", TENANT, namespace=place.name, kind="Role")
        tess = Person(bed, TENANT)
        place.until(lambda: _allowed(tess, place), "the role to be known", show=dict)
        yield place


def _allowed(tess: Person, place: Place) -> bool:
    try:
        return bool(tess.ask("GET", path_of("Release", place.name)))
    except Refused:
        return False


def write(place: Place, kind: str, name: str, spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """Create an object as the tenant."""
    body = {"apiVersion": API, "kind": kind, "metadata": {"name": name, "namespace": place.name, **metadata}, "spec": spec}
    return Person(place.bed, TENANT).ask("POST", path_of(kind, place.name), body)


def project(repository: str) -> dict[str, Any]:
    return {"serviceSets": [{"name": "all", "services": [{"name": "web", "containers": [{"name": "app", "repository": repository}]}]}]}


def release(environment: str, source: dict[str, Any]) -> dict[str, Any]:
    return {"projectRef": {"name": "shop"}, "service": "web", "environmentRef": {"name": environment}, "source": source}


def test_refused_releases_are_in_a_number_of_their_own(shop: Place, attacker: Place) -> None:
    shop.release("v1")
    shop.wait("Succeeded")
    write(attacker, "Project", "shop", project(shop.repository()))
    for number in range(20):
        write(attacker, "Release", f"web-{number}", release(shop.name, {"releaseHash": "v1"}))
    attacker.wait("TargetNotAllowed", "web-19")

    def counts() -> dict[str, int]:
        return dict((shop.get_environment().get("status") or {}).get("releases") or {})

    there = {"total": 1, "ready": 1, "failed": 0, "drifted": 0, "waiting": 0, "refused": 20}
    shop.until(lambda: counts() == there, f"the counts to be {there}", show=counts)
    assert shop.bed.operator.metric("ecs_release_releases", environment=shop.name) == 1
    assert shop.bed.operator.metric("ecs_release_releases_refused", namespace=attacker.name) == 20


def test_a_refused_release_does_not_share_a_tag(place: Place, attacker: Place) -> None:
    """Method EnvironmentTag: it names the repository of somebody else, and another digest."""
    tag = f"env.{place.name}"
    old = place.aws.push_image(place.repository(), ["ref.v1", tag], account=place.account, region=place.region)
    image = image_name(place.repository(), tag, account=place.account, region=place.region)
    place.service("v1", push=False, containers={"app": image})
    new = place.push("v2")
    place.environment(artifacts={"environmentTag": "env.{environment}"}, rollout={"method": "EnvironmentTag"})
    place.project()
    write(attacker, "Project", "shop", project(place.repository()))
    write(attacker, "Release", "web", release(place.name, {"images": [{"container": "app", "digest": old}]}))
    attacker.wait("TargetNotAllowed")
    place.release("v2")
    place.wait("Succeeded")
    assert place.running()["app"] == {new}


def test_a_forged_child_claims_nothing_and_does_not_block_its_set(attacker: Place) -> None:
    attacker.service("v1")
    attacker.push("v2")
    attacker.environment()
    write(attacker, "Project", "shop", project(attacker.repository()))
    body = release(attacker.name, {"releaseHash": "v2"})
    del body["service"]
    made = write(attacker, "ReleaseSet", "all", {**body, "serviceSet": "all", "suspend": True})
    owner = {"apiVersion": API, "kind": "ReleaseSet", "name": "all", "uid": made["metadata"]["uid"], "controller": True}
    label = {f"{GROUP}/release-set": "all"}
    write(attacker, "Release", "forged", release(attacker.name, {"releaseHash": "v1"}), ownerReferences=[owner], labels=label)
    attacker.wait("AwaitingReleaseSet", "forged")
    Person(attacker.bed, TENANT).ask(
        "PATCH", path_of("ReleaseSet", attacker.name, "all"), {"spec": {"suspend": False}}, "application/merge-patch+json"
    )
    attacker.until_set(lambda: (attacker.set_status().get("releases") or {}).get("ready") == 1, "the service of the set to be Ready")
    attacker.wait("Succeeded", child_name("all", "web"))
    forged = condition(attacker.status("forged"), "Ready")
    assert forged["reason"] in ("TargetConflict", "AwaitingReleaseSet"), forged
