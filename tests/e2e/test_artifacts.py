"""The registry's side of the truth: images that go away, tags that hold what runs, and names of digests."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.aws_simulator.client import image_name
from tests.e2e.bed import READY, STALLED, Place, condition, triple


def ecr(place: Place) -> Any:
    return place.aws.client("ecr", place.account, place.region)


def remove(place: Place, digest: str) -> None:
    """Delete an image as a lifecycle rule does."""
    ecr(place).batch_delete_image(repositoryName=place.repository(), imageIds=[{"imageDigest": digest}])


def retag(place: Place, digest: str, tag: str) -> None:
    name = place.repository()
    manifest = ecr(place).batch_get_image(repositoryName=name, imageIds=[{"imageDigest": digest}])["images"][0]["imageManifest"]
    ecr(place).put_image(repositoryName=name, imageManifest=manifest, imageTag=tag)


def available(place: Place, name: str = "web") -> tuple[str, str]:
    found = condition(place.status(name), "ArtifactAvailable")
    return found.get("status", ""), found.get("reason", "")


def becomes(place: Place, status: str, reason: str) -> dict[str, Any]:
    """Wait until ArtifactAvailable says so; returns the whole status."""
    return dict(place.until(lambda: available(place) == (status, reason) and place.status(), f"ArtifactAvailable {status}, {reason}"))


def scale(place: Place, desired: int) -> None:
    place.ecs().update_service(cluster=place.name, service="web", desiredCount=desired)


def points_to(place: Place, tag: str) -> str:
    details = ecr(place).describe_images(repositoryName=place.repository())["imageDetails"]
    return next((str(d["imageDigest"]) for d in details if tag in d.get("imageTags", ())), "")


@pytest.fixture
def deployed(shop: Place) -> tuple[Place, str, str]:
    """Version 2 runs, deployed by us over version 1: the place and their digests, the older first."""
    (old,) = shop.running()["app"]
    digest = shop.push("v2")
    shop.release("v2")
    shop.wait("Succeeded")
    return shop, old, digest


def test_what_is_gone_is_said_and_ready_is_not_touched_while_tasks_run(deployed: tuple[Place, str, str]) -> None:
    place, _, digest = deployed
    assert available(place) == ("True", "Resolved")
    remove(place, digest)
    status = becomes(place, "False", "ArtifactGone")
    message = condition(status, "ArtifactAvailable")["message"]
    assert digest.removeprefix("sha256:")[:12] in message and "container app" in message and "push it again" in message
    status = place.stays("Succeeded")
    assert triple(status) == READY
    assert condition(status, "Deployed")["status"] == condition(status, "InSync")["status"] == "True"
    assert [e["type"] for e in place.events() if e["reason"] == "ArtifactGone"] == ["Warning"]
    assert len(place.updates()) == 1


def test_with_nothing_running_what_is_gone_is_not_ready(deployed: tuple[Place, str, str]) -> None:
    place, _, digest = deployed
    remove(place, digest)
    becomes(place, "False", "ArtifactGone")
    scale(place, 0)
    status = place.wait("ArtifactGone")
    assert triple(status) == STALLED and "no task runs" in condition(status, "Ready")["message"]
    assert condition(status, "Deployed")["status"] == "True"
    assert place.push("v2") == digest
    assert triple(place.wait("NothingRunning")) == READY
    becomes(place, "True", "Resolved")
    assert len(place.updates()) == 1


def test_what_is_archived_is_gone_until_it_is_restored(deployed: tuple[Place, str, str]) -> None:
    place, _, digest = deployed
    which = {"repositoryName": place.repository(), "imageId": {"imageDigest": digest}}
    ecr(place).update_image_storage_class(**which, targetStorageClass="ARCHIVE")
    status = becomes(place, "False", "ArtifactGone")
    assert "archived" in condition(status, "ArtifactAvailable")["message"]
    ecr(place).update_image_storage_class(**which, targetStorageClass="STANDARD")
    assert triple(becomes(place, "True", "Resolved")) == READY


def test_what_has_no_tag_is_at_risk_and_warned_of_once(deployed: tuple[Place, str, str]) -> None:
    place, _, _ = deployed
    place.push("v2", content="another build")
    status = becomes(place, "True", "ArtifactAtRisk")
    assert triple(status) == READY and "keepTag" in condition(status, "ArtifactAvailable")["message"]
    place.until(lambda: [e for e in place.events() if e["reason"] == "ArtifactAtRisk"], "the Event")
    labels = {"environment": place.name, "namespace": place.name, "reason": "ArtifactAtRisk"}
    place.until(lambda: place.bed.operator.metric("ecs_release_releases_artifact_warnings", **labels) == 1, "the metric")
    written = place.get()["metadata"]["resourceVersion"]
    time.sleep(5)
    assert place.get()["metadata"]["resourceVersion"] == written, "law 13: a look-up alone writes nothing"
    (event,) = [e for e in place.events() if e["reason"] == "ArtifactAtRisk"]
    assert event["type"] == "Warning" and not event.get("series")


def test_a_rollback_target_that_is_gone_is_said(deployed: tuple[Place, str, str]) -> None:
    place, old, _ = deployed
    remove(place, old)
    status = becomes(place, "False", "RollbackTargetGone")
    message = condition(status, "ArtifactAvailable")["message"]
    assert old.removeprefix("sha256:")[:12] in message and "rollback" in message
    assert triple(status) == READY


def test_no_attempt_begins_with_an_image_that_is_gone(shop: Place) -> None:
    shop.release("v1")
    shop.wait("Succeeded")
    digest = shop.push("v2")
    shop.release("v2", suspend=True)
    shop.wait("Suspended")
    remove(shop, digest)
    becomes(shop, "False", "ArtifactGone")
    shop.release("v2")
    status = shop.wait("ArtifactGone")
    assert triple(status) == STALLED
    assert [e for e in status["history"] if e["cause"] != "Adopted"] == [] and shop.mutations() == []
    assert shop.push("v2") == digest
    assert triple(shop.wait("Succeeded")) == READY


def test_the_look_up_survives_a_restart_and_a_registry_that_cannot_be_read(deployed: tuple[Place, str, str]) -> None:
    place, _, digest = deployed
    remove(place, digest)
    becomes(place, "False", "ArtifactGone")
    place.aws.deny(action="DescribeImages", match=place.name)
    place.bed.restart_operator()
    place.until(lambda: available(place) != ("False", "ArtifactGone"), "Unknown")
    assert available(place) == ("Unknown", "NotObserved")
    assert triple(place.status()) == READY
    place.aws.clear_faults(place.name)
    becomes(place, "False", "ArtifactGone")


def test_a_set_says_that_it_could_not_return_to_what_runs(place: Place) -> None:
    place.services("web")
    place.environment(rollout={"settleSeconds": 0})
    (old,) = place.running()["app"]
    place.push("v2")
    remove(place, old)
    place.release_set("v2")
    place.wait_set("Succeeded")
    (service,) = place.set_status()["services"]
    assert "nothing can return to it" in service["note"]
    place.until_set(lambda: [e for e in place.events("all") if "nothing can return to it" in e["note"]], "the Event")


def test_a_set_that_waited_is_looked_up_before_its_first_wave(place: Place) -> None:
    place.services("web", "api")
    place.environment(rollout={"settleSeconds": 0})
    (web, api) = (place.push("v2", service=s) for s in ("web", "api"))
    waves = {"waves": [{"services": ["web"]}, {"services": ["api"]}]}
    place.release_set("v2", suspend=True, strategy=waves)
    place.wait_set("Suspended")
    name = place.repository("api")
    ecr(place).batch_delete_image(repositoryName=name, imageIds=[{"imageDigest": api}])
    time.sleep(2)
    place.release_set("v2", strategy=waves)
    status = place.wait_set("ArtifactGone")
    assert "1 of 2 services" in condition(status, "Ready")["message"] and name in condition(status, "Ready")["message"]
    assert place.updates() == [] and place.children() == {}
    assert place.push("v2", service="api") == api
    place.wait_set("Succeeded")
    assert place.running("web")["app"] == {web} and place.running("api")["app"] == {api}


# The tag that holds what runs.


def keeping(place: Place, **spec: Any) -> str:
    """Have a tag held; returns it."""
    place.environment(artifacts={"keepTag": "keep.{environment}.{service}"}, **spec)
    return f"keep.{place.name}.web"


def test_the_keep_tag_follows_what_succeeded(deployed: tuple[Place, str, str]) -> None:
    place, _, digest = deployed
    tag = keeping(place)
    place.until(lambda: points_to(place, tag) == digest, "the tag on what runs")
    newer = place.push("v3")
    place.release("v3")
    place.wait("Succeeded")
    place.until(lambda: points_to(place, tag) == newer, "the tag on v3")
    puts = [m for m in place.mutations() if m["action"] == "PutImage"]
    assert len(puts) == 2 and all(p["parameters"]["imageTag"] == tag for p in puts)
    time.sleep(5)
    assert len([m for m in place.mutations() if m["action"] == "PutImage"]) == 2, "nothing moves while it is right"
    place.delete("release", "web")
    assert points_to(place, tag) == newer, "law 9"


def test_the_keep_tag_stays_where_it_is_after_a_failure(deployed: tuple[Place, str, str]) -> None:
    place, _, digest = deployed
    tag = keeping(place)
    place.until(lambda: points_to(place, tag) == digest, "the tag on what runs")
    place.push("crash.v3", "v3")
    place.release("v3")
    place.wait("RolledBack")
    time.sleep(3)
    assert points_to(place, tag) == digest
    retag(place, place.push("v4"), tag)
    time.sleep(3)
    assert points_to(place, tag) != digest, "a Release that is not Ready holds nothing"


def test_a_tag_that_somebody_moved_comes_back(deployed: tuple[Place, str, str]) -> None:
    place, old, digest = deployed
    tag = keeping(place)
    place.until(lambda: points_to(place, tag) == digest, "the tag on what runs")
    retag(place, old, tag)
    place.until(lambda: points_to(place, tag) == digest, "the tag to come back")


@pytest.mark.parametrize("how", ["immutable", "denied"])
def test_a_keep_tag_that_cannot_be_moved_fails_nothing(deployed: tuple[Place, str, str], how: str) -> None:
    place, _, _ = deployed
    newer = place.push("v3")
    if how == "immutable":
        ecr(place).put_image_tag_mutability(repositoryName=place.repository(), imageTagMutability="IMMUTABLE")
    else:
        place.aws.deny(action="PutImage", match=place.name)
    tag = keeping(place)
    status = becomes(place, "True", "KeepTagFailed")
    assert triple(status) == READY and tag in condition(status, "ArtifactAvailable")["message"]
    assert points_to(place, tag) == ""
    place.until(lambda: [e for e in place.events() if e["reason"] == "KeepTagFailed"], "the Event")
    place.release("v3")
    place.wait("Succeeded")
    if how == "immutable":
        ecr(place).put_image_tag_mutability(repositoryName=place.repository(), imageTagMutability="MUTABLE")
    place.aws.clear_faults(place.name)
    place.until(lambda: points_to(place, tag) == newer, "the tag")
    becomes(place, "True", "Resolved")


@pytest.mark.parametrize("brake", [{"mode": "Observe"}, {"suspend": {"reason": "freeze"}}])
def test_no_tag_moves_where_nothing_may_be_changed(deployed: tuple[Place, str, str], brake: dict[str, Any]) -> None:
    place, _, _ = deployed
    tag = keeping(place, **brake)
    time.sleep(4)
    assert points_to(place, tag) == ""
    keeping(place)
    place.until(lambda: points_to(place, tag), "the tag")


# Names of digests.


def drifted(place: Place, running: str) -> dict[str, Any]:
    """Wait for drift of which only `running` is left: it is Drifted, too, while old tasks run beside the new ones."""
    return place.until(
        lambda: (s := place.status())["running"].get("hash") == running and condition(s, "Ready")["reason"] == "Drifted" and s, running
    )


def test_a_digest_deployed_by_hand_shows_its_hash(shop: Place) -> None:
    shop.release("v1")
    shop.wait("Succeeded")
    shop.push("v2")
    shop.deploy("v2")
    status = drifted(shop, "v2")
    assert triple(status) == STALLED
    assert status["summary"]["runningHash"] == "v2"
    assert "app runs v2" in condition(status, "Ready")["message"]


def test_an_unknown_digest_is_shown_as_such(shop: Place) -> None:
    shop.release("v1")
    shop.wait("Succeeded")
    digest = shop.push("latest")
    image = image_name(shop.repository(), "latest", account=shop.account, region=shop.region)
    shop.deploy(containers={"app": image, "log": "fluent:2"})
    short = digest.removeprefix("sha256:")[:12]
    status = drifted(shop, short)
    assert f"app runs {short} (unknown" in condition(status, "Ready")["message"]
    row = shop.kubectl("get", "release", "web").splitlines()[1].split()
    assert short in row
    status = shop.until(
        lambda: (s := shop.status())["running"]["containers"][0]["digests"] and len(s["running"]["containers"]) == 2 and s, "log"
    )
    containers = {c["name"]: c["digests"] for c in status["running"]["containers"]}
    assert containers["app"][0]["digest"] == digest and "releaseHash" not in containers["app"][0]
    assert set(containers) == {"app", "log"}, "sidecars too"


def test_a_platforms_own_digest_is_named_by_its_manifest_list(shop: Place) -> None:
    shop.release("v1")
    shop.wait("Succeeded")
    listed = shop.push("v2", platforms=["linux/amd64", "linux/arm64"])
    shop.aws.configure(switches={"platform_digests": True})
    try:
        shop.deploy("v2")
        status = shop.wait("Drifted")
        runs = shop.until(lambda: (d := shop.running()["app"]) and len(d) == 1 and d, "one digest")
        assert listed not in runs
        shop.until(lambda: shop.status()["running"].get("hash") == "v2", "the hash")
        shop.release("v2")
        status = shop.wait("Succeeded")
        assert condition(status, "ArtifactAvailable")["reason"] == "Resolved"
        shop.push("v3")
        shop.release("v3")
        shop.wait("Succeeded")
        time.sleep(4)
        assert available(shop) == ("True", "Resolved"), "a platform's own image needs no tag"
    finally:
        shop.aws.configure(switches={"platform_digests": False})
