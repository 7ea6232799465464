"""Promotion: what runs in one environment goes to another, by digest and only where it is proven."""

from __future__ import annotations

from typing import Any

import pytest

from tests.aws_simulator.client import image_name
from tests.e2e.bed import STALLED, WAITING, Place, condition, triple
from tests.e2e.sets import lines, push

NAMES = ("api", "web")


@pytest.fixture
def stages(place: Place) -> Place:
    """Two environments of one account: staging (its ECS services have a prefix) and the place's own; all on v1."""
    place.services(*NAMES)
    for name in NAMES:
        image = image_name(place.repository(name), "ref.v1", account=place.account, region=place.region)
        place.aws.create_service(f"staging-{name}", {"app": image}, cluster=place.name, account=place.account, region=place.region)
    place.environment(rollout={"settleSeconds": 0})
    place.environment(staging(place), rollout={"settleSeconds": 0}, target={"cluster": place.name, "serviceName": "staging-{service}"})
    return place


def staging(place: Place) -> str:
    return f"{place.name}-staging"


def to_staging(place: Place, source: Any, **spec: Any) -> None:
    place.release_set(source, "staging", environmentRef={"name": staging(place)}, **spec)


def promote(place: Place, **spec: Any) -> None:
    place.release_set({"environmentRef": {"name": staging(place)}}, **spec)


def test_what_runs_in_staging_goes_to_production(stages: Place) -> None:
    pushed = push(stages, "v2", *NAMES)
    to_staging(stages, "v2")
    stages.wait_set("Succeeded", "staging")
    promote(stages, change={"requestedBy": "ada"})
    status = stages.wait_set("Succeeded")
    assert {s: stages.running(s)["app"] for s in NAMES} == {s: {d} for s, d in pushed.items()}
    assert {n: s["hash"] for n, s in lines(status).items()} == {"api": "v2", "web": "v2"}
    assert status["summary"]["hash"] == "v2" and status["history"][0]["hash"] == f"as in {staging(stages)}"


def test_a_later_release_in_staging_moves_nothing(stages: Place) -> None:
    pushed = push(stages, "v2", *NAMES)
    push(stages, "v3", *NAMES)
    to_staging(stages, "v2")
    stages.wait_set("Succeeded", "staging")
    promote(stages)
    stages.wait_set("Succeeded")
    to_staging(stages, "v3")
    stages.until_set(lambda: stages.set_status("staging")["summary"].get("runningHash") == "v3", "v3 to run in staging", "staging")
    stages.wait_set("Succeeded", "staging")
    stages.wait_set("Succeeded")
    assert {s: stages.running(s)["app"] for s in NAMES} == {s: {d} for s, d in pushed.items()}
    stages.annotate("all", "releaseset", refresh="1")
    stages.until_set(lambda: lines(stages.set_status())["web"]["hash"] == "v3", "the refresh")
    stages.wait_set("Succeeded")


def test_what_is_not_ready_is_refused_with_a_list(stages: Place) -> None:
    stages.push("v2", service="api")
    stages.push("crash.v2", "v2", service="web")
    to_staging(stages, "v2")
    stages.wait_set("RolledBack", "staging")
    # The other one goes on by itself when the first has failed.
    stages.until_set(
        lambda: condition(stages.children("staging")["api"]["status"], "Ready")["status"] == "True", "api to be on v2", "staging"
    )
    promote(stages)
    status = stages.wait_set("SourceNotReady")
    assert triple(status) == STALLED
    message = condition(status, "Ready")["message"]
    assert "1 of 2 services" in message and "web: " in message and "RolledBack" in message and "api: " not in message
    assert stages.children() == {}


def test_what_does_not_go_there_is_refused(stages: Place) -> None:
    promote(stages)
    assert "no Release of it goes there" in condition(stages.wait_set("SourceNotReady"), "Ready")["message"]


def test_drift_in_staging_is_not_promoted(stages: Place) -> None:
    push(stages, "v2", *NAMES)
    to_staging(stages, "v2")
    stages.wait_set("Succeeded", "staging")
    image = image_name(stages.repository("web"), "ref.v1", account=stages.account, region=stages.region)
    stages.aws.deploy("staging-web", {"app": image}, cluster=stages.name, account=stages.account, region=stages.region)
    stages.wait_set("Drifted", "staging")
    promote(stages)
    assert "Drifted" in condition(stages.wait_set("SourceNotReady"), "Ready")["message"]


def test_both_environments_must_allow_the_namespace(stages: Place) -> None:
    push(stages, "v2", *NAMES)
    to_staging(stages, "v2")
    stages.wait_set("Succeeded", "staging")
    stages.environment(
        staging(stages), allowedNamespaces={"names": ["others"]}, target={"cluster": stages.name, "serviceName": "staging-{service}"}
    )
    promote(stages)
    status = stages.wait_set("TargetNotAllowed")
    assert staging(stages) in condition(status, "Ready")["message"] and stages.children() == {}


def test_digests_must_be_in_the_registry_that_the_target_pulls_from(stages: Place) -> None:
    """Production looks its artifacts up in another region's registry: they come there by replication."""
    push(stages, "v2", *NAMES)
    to_staging(stages, "v2")
    stages.wait_set("Succeeded", "staging")
    other = "us-east-1"
    for name in NAMES:
        stages.aws.push_image(stages.repository(name), ["ref.v1"], account=stages.account, region=other)
    stages.environment(rollout={"settleSeconds": 0}, artifacts={"registryID": stages.account, "region": other})
    promote(stages)
    status = stages.wait_set("AwaitingReplication")
    assert triple(status) == WAITING and "2 of 2 services" in condition(status, "Ready")["message"]
    assert stages.children() == {}
    for name in NAMES:
        stages.aws.push_image(stages.repository(name), ["ref.v2"], account=stages.account, region=other)
    stages.wait_set("Succeeded")


def test_an_override_goes_beside_a_promotion(stages: Place) -> None:
    push(stages, "v2", *NAMES)
    other = stages.push("v3", service="web")
    to_staging(stages, "v2")
    stages.wait_set("Succeeded", "staging")
    promote(stages, overrides=[{"service": "web", "source": {"releaseHash": "v3"}}])
    stages.wait_set("Succeeded")
    assert stages.running("web")["app"] == {other}
