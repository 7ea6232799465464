"""Events of EventBridge: what somebody does is seen at once, and no message does any harm."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.bed import Place, condition
from tests.e2e.queues import event_queue
from tests.e2e.terraform import terraform

INTERVAL_S = 300


@pytest.fixture
def shop(place: Place) -> Iterator[Place]:
    url = event_queue(place)
    place.services("web")
    place.environment(observation={"intervalSeconds": INTERVAL_S, "eventQueueURL": url})
    yield place
    place.aws.configure(switches={"double_events": False, "reorder_events": False, "lose_events": 0.0})
    place.aws.client("events").remove_targets(Rule=place.name, Ids=["queue"])
    place.aws.client("events").delete_rule(Name=place.name)


def url_of(place: Place) -> str:
    return str(place.get_environment()["spec"]["observation"]["eventQueueURL"])


def tell(place: Place, name: str, asked: dict[str, Any], *, account: str = "", queue_url: str = "", **more: Any) -> None:
    """Send what CloudTrail would say of a call, and more, whether it is true or not."""
    detail = {
        "eventName": name, "eventTime": "2026-05-04T12:00:00Z", "userAgent": "x", "userIdentity": {"arn": "arn:aws:iam::1:user/mallory"},
        "requestParameters": asked, **more,
    }  # fmt: skip
    event = {"detail-type": "AWS API Call via CloudTrail", "account": account or place.account, "region": place.region, "detail": detail}
    place.aws.client("sqs").send_message(QueueUrl=queue_url or url_of(place), MessageBody=json.dumps(event))


def answer(place: Place, service: str = "web") -> dict[str, Any]:
    """What CloudTrail would say that ECS answered who made the deployment that runs now."""
    return {"service": {"deployments": [{"status": "PRIMARY", "id": place.status(service)["running"]["deploymentID"]}]}}


def asked(place: Place) -> dict[str, Any]:
    return {"cluster": place.name, "service": "web", "taskDefinition": "web:1"}


def test_a_deployment_by_hand_is_seen_at_once_and_by_whom(shop: Place) -> None:
    shop.release("v1")
    shop.wait("Succeeded")
    shop.push("v9")
    begun = time.monotonic()
    deployment = shop.deploy("v9")
    status = shop.wait("Drifted")
    print(f"seen after {time.monotonic() - begun:.1f} s")

    status = shop.until(lambda: (s := shop.status()).get("running", {}).get("changedBy") and s, "changedBy")
    assert status["running"]["deploymentID"] == deployment
    assert ":assumed-role/test/" in status["running"]["changedBy"]["arn"]
    assert "test" in status["running"]["changedBy"]["userAgent"]
    assert status["running"]["changedBy"]["time"]

    # It is told once: the status remembers it.
    shop.bed.restart_operator()
    shop.annotate("web", refresh="once")
    shop.until(lambda: shop.status().get("lastHandledRefresh") == "once", "the refresh")
    assert shop.status()["running"]["changedBy"] == status["running"]["changedBy"]


def test_scaling_does_not_change_who_deployed(shop: Place) -> None:
    shop.push("v2")
    shop.release("v2")
    status = shop.wait("Succeeded")
    assert f":assumed-role/{shop.name}/" in status["running"]["changedBy"]["arn"], "our own role has deployed"
    shop.ecs().update_service(cluster=shop.name, service="web", desiredCount=3)
    shop.until(lambda: shop.status()["running"]["desiredCount"] == 3, "the third task")
    assert shop.status()["running"]["changedBy"] == status["running"]["changedBy"]


def test_no_message_does_any_harm(shop: Place) -> None:
    shop.aws.configure(switches={"double_events": True, "reorder_events": True})
    sqs, url = shop.aws.client("sqs"), url_of(shop)
    poison = ["", "x", "{}", "null", '"text"', "[" * 5000, json.dumps({"detail-type": "ECS Task State Change", "detail": {}, "account": 1})]
    for body in [*poison, json.dumps({"detail-type": "Parameter Store Change", "detail": {}}), "☃" * 1000]:
        sqs.send_message(QueueUrl=url, MessageBody=body or " ")
    shop.release("v1")
    shop.wait("Succeeded")
    shop.push("v9")
    shop.deploy("v9")
    shop.aws.control("flush-events")
    shop.wait("Drifted")
    shop.until(lambda: sqs.receive_message(QueueUrl=url).get("Messages") is None, "an empty queue")


@pytest.mark.parametrize(
    ("poison", "shown"),
    [
        ({"userAgent": "half \ud83d \0 \N{ROCKET}" + "x" * 5000}, True),
        ({"userIdentity": {"arn": "arn:\udead"}}, True),
        ({"eventTime": "9999-12-31T23:59:59Z"}, True),
        ({"eventTime": "0001-01-01T00:00:00+14:00"}, False),
    ],
    ids=["agent", "arn", "late", "no-time-in-utc"],
)
def test_a_poisoned_author_stops_no_pass(shop: Place, poison: dict[str, Any], shown: bool) -> None:
    shop.release("v1")
    shop.wait("Succeeded")
    tell(shop, "UpdateService", asked(shop), responseElements=answer(shop), **poison)
    shop.ecs().update_service(cluster=shop.name, service="web", desiredCount=3)
    status = shop.until(lambda: (s := shop.status())["running"]["desiredCount"] == 3 and s, "the third task")
    if shown:
        status = shop.until(lambda: (s := shop.status())["running"].get("changedBy") and s, "changedBy")
        assert "\ud83d" not in str(status["running"]["changedBy"])
    assert ("changedBy" in status["running"]) is shown
    shop.push("v2")
    shop.release("v2")
    shop.wait("Succeeded")


def test_environments_of_one_queue_each_hear_of_theirs_and_nobody_else_does(shop: Place) -> None:
    """Three Environments of one account: two name the queue. Nobody is told anything by a queue that its Environment does not name."""
    observation = {"intervalSeconds": INTERVAL_S}
    shared, apart = f"{shop.name}-shared", f"{shop.name}-apart"
    for service in ("api", "log"):
        shop.service("v1", service)
    shop.project("web", "api", "log")
    shop.environment(shared, observation={**observation, "eventQueueURL": url_of(shop)})
    shop.environment(apart, observation=observation)
    for service, environment in (("web", shop.name), ("api", shared), ("log", apart)):
        shop.release("v1", service, environmentRef={"name": environment})
        shop.wait("Succeeded", service)
    tell(shop, "UpdateService", asked(shop) | {"service": "log"}, responseElements=answer(shop, "log"))
    tell(shop, "UpdateService", asked(shop), account="444455556666", responseElements=answer(shop, "web"))
    for service in ("log", "web", "api"):
        shop.push("v9", service=service)
        shop.deploy("v9", service)
    for service in ("web", "api"):
        status = shop.wait("Drifted", service)
        status = shop.until(lambda s=service: (f := shop.status(s))["running"].get("changedBy") and f, "changedBy", service)
        assert "mallory" not in status["running"]["changedBy"]["arn"]
    assert condition(shop.status("log"), "Ready")["reason"] == "Succeeded", "seen at the next sweep only"
    assert "changedBy" not in shop.status("log")["running"]


def test_lost_messages_do_no_harm(shop: Place) -> None:
    """Not one event comes: polling finds what somebody does, only later, and nobody knows who it was."""
    shop.aws.configure(switches={"lose_events": 1.0})
    shop.environment(observation={"intervalSeconds": 5, "eventQueueURL": url_of(shop)})
    shop.push("v2")
    shop.release("v2")
    shop.wait("Succeeded")
    shop.push("v9")
    shop.deploy("v9")
    status = shop.wait("Drifted")
    assert "changedBy" not in status["running"]
    shop.push("v3")
    shop.release("v3")
    status = shop.wait("Succeeded")
    assert [h["outcome"] for h in status["history"]] == ["Succeeded"] * 2
    assert condition(shop.get_environment()["status"], "EventsReceived")["status"] == "True"


def test_a_new_base_revision_is_found_when_it_is_registered(shop: Place, request: pytest.FixtureRequest) -> None:
    """The sweep for newer revisions is an hour away, and the operator has just begun."""
    shop.environment(observation={"intervalSeconds": INTERVAL_S, "eventQueueURL": url_of(shop)}, rollout={"baseRevision": "Latest"})
    shop.push("v2")
    shop.release("v2")
    shop.wait("Succeeded")
    request.addfinalizer(shop.bed.restart_operator)
    shop.bed.operator.stop()
    shop.bed.operator.start({"ECS_RELEASE_BASE_SWEEP_SECONDS": "3600", "ECS_RELEASE_RESYNC_SECONDS": "3600"})
    shop.bed.operator.wait_until_ready()
    shop.annotate("web", refresh="once")
    shop.until(lambda: shop.status().get("lastHandledRefresh") == "once", "the first pass")
    shop.stays("Succeeded", seconds=1)
    terraform(shop, cpu="2048")
    # The long poll of the one that ended may take the message with it: SQS shows it again after the queue's visibility timeout of 30 s.
    shop.wait("BaseRevisionOutdated")


def test_a_queue_that_is_gone_harms_nothing_and_says_so(shop: Place) -> None:
    shop.release("v1")
    shop.wait("Succeeded")
    shop.aws.client("sqs").delete_queue(QueueUrl=url_of(shop))

    def troubled() -> bool:
        return condition(shop.get_environment()["status"], "EventsReceived").get("status") == "False"

    shop.until(troubled, "EventsReceived to be False", show=lambda: shop.get_environment()["status"])
    assert condition(shop.get_environment()["status"], "Ready")["status"] == "True"
    shop.push("v2")
    shop.release("v2")
    shop.wait("Succeeded")


def test_an_image_that_was_missing_is_found_when_it_comes(shop: Place) -> None:
    shop.release("v7")
    shop.wait("ArtifactNotFound")
    shop.push("v7")
    shop.wait("Succeeded")
