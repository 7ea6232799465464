"""Notifications: whoever is named in `notify` is told what happens, at least once, and nobody waits for it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.control_plane.cluster import KubectlError
from tests.e2e.bed import Bed, Place, condition
from tests.e2e.queues import Inbox, topic


def said(place: Place) -> dict[str, Any]:
    return condition(place.get_environment()["status"], "Notifying")


@pytest.fixture
def told(place: Place) -> tuple[Place, Inbox]:
    """A service, and a topic that its Environment notifies."""
    inbox = Inbox(place)
    place.services("web")
    place.environment(notify={"snsTopicARN": topic(place, inbox)})
    return place, inbox


def test_a_deployment_is_told_from_start_to_end(told: tuple[Place, Inbox]) -> None:
    place, inbox = told
    digest = place.push("v2")
    place.release("v2", change={"requestedBy": "ada", "description": "faster", "url": "https://example.com/7"})
    place.wait("Succeeded")
    inbox.until("web deployment.started", "web deployment.succeeded")
    status = place.status()
    begun, ended = inbox.of("deployment.started"), inbox.of("deployment.succeeded")
    data = ended["data"]
    assert [image["toDigest"] for image in data["images"]] == [digest]
    assert [image["toHash"] for image in data["images"]] == ["v2"]
    assert (data["requestedBy"], data["description"], data["url"]) == ("ada", "faster", "https://example.com/7")
    assert (data["environment"], data["namespace"], data["service"]) == (place.name, place.name, "web")
    assert (data["cause"], data["outcome"]) == ("Requested", "Succeeded")
    assert data["deploymentID"] == status["running"]["deploymentID"]
    assert data["target"]["serviceARN"] == status["target"]["serviceARN"]
    assert begun["data"]["attemptID"] == data["attemptID"] == status["history"][0]["attemptID"]
    assert "outcome" not in begun["data"] and begun["time"] <= ended["time"]
    assert ended["subject"] == f"release/{place.name}/web"
    assert inbox.attributes[-1]["environment"] == place.name and inbox.attributes[-1]["type"] == ended["type"]
    place.until(lambda: said(place).get("status") == "True", "Notifying", show=lambda: said(place))


def test_what_was_adopted_is_no_deployment(told: tuple[Place, Inbox]) -> None:
    place, inbox = told
    place.release("v1")
    place.wait("Succeeded")
    place.push("v2")
    place.release("v2")
    inbox.until("web deployment.succeeded")
    assert inbox.kinds() == ["web deployment.started", "web deployment.succeeded"]


def test_a_rollback_is_told_as_such(told: tuple[Place, Inbox]) -> None:
    place, inbox = told
    place.aws.behave(place.push("v2"), "crash")
    place.release("v2")
    place.wait("RolledBack")
    inbox.until("web deployment.rolled-back")
    assert inbox.kinds() == ["web deployment.started", "web deployment.rolled-back"]
    assert inbox.of("deployment.rolled-back")["data"]["outcome"] == "RolledBack"


def test_drift_is_told_and_its_end(told: tuple[Place, Inbox]) -> None:
    place, inbox = told
    place.release("v1")
    place.wait("Succeeded")
    wanted = place.running()["app"].pop()
    other = place.push("v9")
    deployment = place.deploy("v9")
    place.wait("Drifted")
    inbox.until("web release.drifted")
    data = inbox.of("release.drifted")["data"]
    assert [(i["fromDigest"], i["toDigest"]) for i in data["images"]] == [(wanted, other)]
    assert data["deploymentID"] == deployment
    place.deploy("v1")
    place.wait("Succeeded")
    inbox.until("web release.in-sync")
    assert inbox.kinds() == ["web release.drifted", "web release.in-sync"]
    last = place.status()["lastDrift"]
    assert last["startTime"] <= last["endTime"]


def test_a_set_is_told_and_its_services(place: Place) -> None:
    inbox = Inbox(place)
    place.services("api", "web")
    place.environment(notify={"snsTopicARN": topic(place, inbox)}, rollout={"settleSeconds": 0})
    for service in ("api", "web"):
        place.push("v2", service=service)
    place.release_set("v2", change={"requestedBy": "ada"})
    place.wait_set("Succeeded")
    children = [child["metadata"]["name"] for child in place.children().values()]
    inbox.until("all deployment-set.started", "all deployment-set.succeeded", *(f"{name} deployment.succeeded" for name in children))
    data = inbox.of("deployment-set.succeeded")["data"]
    assert (data["kind"], sorted(data["services"]), data["requestedBy"]) == ("ReleaseSet", ["api", "web"], "ada")
    assert inbox.of("deployment.succeeded")["data"]["releaseSet"] == "all"


def test_an_event_bus_is_told(place: Place) -> None:
    inbox = Inbox(place)
    bridge = place.aws.client("events")
    bus = bridge.create_event_bus(Name=place.name)["EventBusArn"]
    bridge.put_rule(Name=place.name, EventBusName=place.name, EventPattern=json.dumps({"source": ["dev.ecs-release"]}))
    bridge.put_targets(Rule=place.name, EventBusName=place.name, Targets=[{"Id": "inbox", "Arn": inbox.arn}])
    place.services("web")
    place.environment(notify={"eventBusARN": bus})
    place.push("v2")
    place.release("v2")
    place.wait("Succeeded")
    inbox.until("web deployment.started", "web deployment.succeeded")


def test_a_fifo_topic_is_told(place: Place) -> None:
    inbox = Inbox(place, fifo=True)
    place.services("web")
    place.environment(notify={"snsTopicARN": topic(place, inbox, fifo=True)})
    place.push("v2")
    place.release("v2")
    inbox.until("web deployment.started", "web deployment.succeeded")
    assert inbox.kinds() == ["web deployment.started", "web deployment.succeeded"]


def denied(place: Place) -> Callable[[], None]:
    place.aws.deny(action="Publish", match=place.name)
    return lambda: place.aws.clear_faults(place.name)


def test_a_sink_that_refuses_holds_nothing_up_and_is_told_after_a_crash(told: tuple[Place, Inbox], bed: Bed) -> None:
    place, inbox = told
    allow = denied(place)
    place.push("v2")
    place.release("v2")
    place.wait("Succeeded")
    place.until(lambda: said(place).get("status") == "False", "Notifying to be False", show=lambda: said(place))
    assert said(place)["reason"] == "AccessDenied" and "Publish" in said(place)["message"]
    environment = place.get_environment()["status"]
    assert condition(environment, "Ready")["status"] == "True"
    place.until(lambda: place.get_environment()["status"].get("notifiedTime"), "notifiedTime")
    bed.operator.kill()
    allow()
    inbox.look()
    assert inbox.kinds() == []
    bed.restart_operator()
    inbox.until("web deployment.started", "web deployment.succeeded")
    place.until(lambda: said(place).get("status") == "True", "Notifying", show=lambda: said(place))


def test_a_sink_that_hangs_holds_nothing_up_and_no_other_sink(told: tuple[Place, Inbox]) -> None:
    """It takes the request, and answers only after whoever asked has given up."""
    place, inbox = told
    other = Place(place.bed)
    its_inbox = Inbox(other)
    other.services("web")
    other.environment(notify={"snsTopicARN": topic(other, its_inbox)})
    place.aws.fault("Publish", kind="delay", seconds=20, times=None, match=place.name)
    for each in (place, other):
        each.push("v2")
        each.release("v2")
    for each in (place, other):
        assert each.wait("Succeeded")["history"][0]["outcome"] == "Succeeded"
    its_inbox.until("web deployment.started", "web deployment.succeeded", deadline_s=10)
    place.until(lambda: said(place).get("status") == "False", "Notifying to be False", show=lambda: said(place))
    assert condition(place.get_environment()["status"], "Ready")["status"] == "True"
    place.aws.clear_faults(place.name)
    inbox.until("web deployment.started", "web deployment.succeeded")
    place.until(lambda: said(place).get("status") == "True", "Notifying", show=lambda: said(place))


def test_a_restart_tells_nothing_under_another_id(told: tuple[Place, Inbox], bed: Bed) -> None:
    place, inbox = told
    place.push("v2")
    place.release("v2")
    inbox.until("web deployment.succeeded")
    place.until(lambda: place.get_environment()["status"].get("notifiedTime"), "notifiedTime")
    bed.restart_operator()
    place.push("v3")
    place.release("v3")
    place.wait("Succeeded")
    begun = time.monotonic()
    place.until(lambda: inbox.look() or inbox.kinds().count("web deployment.succeeded") == 2, "the second", show=inbox.kinds)
    print(f"told {time.monotonic() - begun:.1f} s later, {len(inbox.got)} messages for {len(inbox.kinds())}")
    assert inbox.kinds() == ["web deployment.started", "web deployment.succeeded"] * 2


@pytest.mark.parametrize("notify", [{}, {"snsTopicARN": "arn:aws:sqs:eu-west-1:1:q"}, {"snsTopicARN": "a", "eventBusARN": "b"}])
def test_a_sink_that_is_none_is_refused(place: Place, notify: dict[str, str]) -> None:
    with pytest.raises(KubectlError, match="notify"):
        place.environment(notify=notify)
