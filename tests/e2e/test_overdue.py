"""What is proven to run in staging and has waited too long for production is said: once, again after a day, and not after a restart."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.aws_simulator.client import image_name
from tests.e2e.bed import Place
from tests.e2e.queues import Inbox, topic

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def staging(place: Place) -> str:
    return f"{place.name}-staging"


def promoted(place: Place, **more: Any) -> dict[str, Any]:
    """A rule of production by which something is overdue after three seconds."""
    return {"promotion": {"from": {"name": staging(place)}, "overdueAfterSeconds": 3, **more}}


@pytest.fixture
def stages(place: Place) -> Place:
    """Service web in production, the place's own Environment, and in staging; both run v1."""
    place.services("web")
    image = image_name(place.repository("web"), "ref.v1", account=place.account, region=place.region)
    place.aws.create_service("staging-web", {"app": image}, cluster=place.name, account=place.account, region=place.region)
    place.environment(staging(place), target={"cluster": place.name, "serviceName": "staging-{service}"})
    place.environment(**promoted(place))
    to_staging(place, "v1")
    place.wait("Succeeded", "web-staging")
    place.release("v1")
    place.wait("Succeeded")
    return place


def to_staging(place: Place, source: Any) -> None:
    place.release(source, name="web-staging", environmentRef={"name": staging(place)})


def waits(place: Place) -> dict[str, Any]:
    return dict(place.status().get("promotion") or {})


def of_environment(place: Place) -> dict[str, Any]:
    return dict((place.get_environment().get("status") or {}).get("promotion") or {})


def until_state(place: Place, state: str | None) -> dict[str, Any]:
    place.until(lambda: waits(place).get("state") == state, f"the promotion to be {state}")
    return waits(place)


def overdue_metric(place: Place) -> float:
    return place.bed.operator.metric("ecs_release_releases_promotion_overdue", environment=place.name, namespace=place.name)


def told(place: Place) -> list[str]:
    return [e["note"] for e in place.events() if e["reason"] == "PromotionOverdue"]


def reminders(inbox: Inbox) -> set[int]:
    inbox.look()
    found = {n["id"]: n["data"]["reminder"] for n in inbox.got if n["type"].endswith(".overdue.v1")}
    assert len(set(found.values())) == len(found), "each has an id of its own"
    return set(found.values())


def test_it_is_said_everywhere_once_and_not_again_after_a_restart(stages: Place) -> None:
    inbox = Inbox(stages)
    stages.environment(**promoted(stages), notify={"snsTopicARN": topic(stages, inbox)})
    digest = stages.push("v2")
    to_staging(stages, "v2")
    found = until_state(stages, "Overdue")
    ended = stages.status("web-staging")["history"][0]["completionTime"]
    assert (found["environment"], found["release"], found["hash"], found["sinceTime"]) == (staging(stages), "web-staging", "v2", ended)
    assert found["images"] == [{"container": "app", "digest": digest, "releaseHash": "v2"}]
    stages.until(lambda: of_environment(stages).get("overdue") == 1, "the Environment's status", show=lambda: of_environment(stages))
    assert of_environment(stages)["releases"] == [{"namespace": stages.name, "name": "web", "hash": "v2", "sinceTime": ended}]
    assert overdue_metric(stages) == 1
    inbox.until("web release.overdue")
    data = inbox.of("release.overdue")["data"]
    assert (data["promotedFrom"], data["hash"], data["reminder"], data["startTime"]) == (staging(stages), "v2", 1, ended)
    assert [(i["fromHash"], i["toHash"], i["toDigest"]) for i in data["images"]] == [("v1", "v2", digest)]
    stages.until(lambda: len(told(stages)) == 1, "the Event")
    stages.bed.restart_operator()
    stages.until(lambda: overdue_metric(stages) == 1, "the metric after the restart")
    stages.annotate("web", refresh="1")
    stages.until(lambda: stages.status().get("lastHandledRefresh") == "1", "a pass after the restart")
    assert (waits(stages)["told"], waits(stages)["toldTime"], waits(stages)["sinceTime"]) == (1, found["toldTime"], ended)
    assert len(told(stages)) == 1
    # A day later, by what status says of the last time.
    yesterday = (datetime.fromisoformat(found["toldTime"]) - timedelta(days=1)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    patch = json.dumps({"status": {"promotion": {"toldTime": yesterday}}})
    stages.kubectl("patch", "release", "web", "--subresource=status", "--type=merge", "-p", patch)
    stages.until(lambda: waits(stages).get("told") == 2, "the reminder")
    stages.until(lambda: reminders(inbox) == {1, 2}, "the second notification", show=inbox.kinds)
    stages.release("v2")
    stages.wait("Succeeded")
    until_state(stages, None)
    stages.until(lambda: of_environment(stages) == {}, "the Environment's status", show=lambda: of_environment(stages))
    assert overdue_metric(stages) == 0


def test_what_comes_after_it_does_not_put_it_off_and_what_is_promoted_does(stages: Place) -> None:
    for tag in ("v2", "v3"):
        stages.push(tag)
    stages.environment(promotion={"from": {"name": staging(stages)}, "overdueAfterSeconds": 3600})
    to_staging(stages, "v2")
    first = until_state(stages, "Waiting")["sinceTime"]
    to_staging(stages, "v3")
    stages.until(lambda: waits(stages).get("hash") == "v3", "v3 to wait")
    assert waits(stages)["sinceTime"] == first
    due = datetime.fromisoformat(first) + timedelta(hours=1)
    assert datetime.fromisoformat(waits(stages)["dueTime"]) == due and of_environment(stages) == {}
    stages.release("v2")
    stages.until(lambda: waits(stages).get("sinceTime", first) > first, "v3 alone to wait")
    assert waits(stages)["hash"] == "v3"


def test_what_is_rolled_back_in_staging_and_what_came_here_by_another_way_do_not_wait(stages: Place) -> None:
    stages.aws.behave(stages.push("v2"), "crash")
    to_staging(stages, "v2")
    stages.wait("RolledBack", "web-staging")
    assert waits(stages) == {}
    stages.push("v3")
    stages.release("v3")
    stages.wait("Succeeded")
    to_staging(stages, "v3")
    stages.wait("Succeeded", "web-staging")
    assert waits(stages) == {} and overdue_metric(stages) == 0


def test_only_working_time_counts(stages: Place) -> None:
    now = datetime.now(UTC)
    other_day = DAYS[(now.weekday() + 3) % 7]
    hours = {"days": [other_day], "from": "10:00", "to": "12:00", "timeZone": "Europe/London"}
    stages.environment(**promoted(stages, workingHours=hours))
    stages.push("v2")
    to_staging(stages, "v2")
    due = datetime.fromisoformat(until_state(stages, "Waiting")["dueTime"])
    assert due > now and DAYS[due.weekday()] == other_day and due.second == 3
    stages.environment(**promoted(stages))
    until_state(stages, "Overdue")
    stages.environment(**promoted(stages, workingHours=hours | {"timeZone": "Europe/Nowhere"}))
    stages.until(lambda: "'Europe/Nowhere' is not known" in of_environment(stages).get("message", ""), "the message")
    assert "dueTime" not in until_state(stages, "Waiting")
    stages.environment(promotion={"from": {"name": "nowhere"}})
    stages.until(lambda: "there is no Environment 'nowhere'" in of_environment(stages).get("message", ""), "the message")
    until_state(stages, None)


def test_it_is_due_while_the_operator_is_down(stages: Place) -> None:
    """The time in which nobody looked counts."""
    stages.environment(**promoted(stages, overdueAfterSeconds=20))
    stages.push("v2")
    to_staging(stages, "v2")
    due = datetime.fromisoformat(until_state(stages, "Waiting")["dueTime"])
    stages.bed.operator.stop()
    try:
        stages.until(lambda: datetime.now(UTC) > due, "its time")
    finally:
        stages.bed.operator.start()
        stages.bed.operator.wait_until_ready()
    assert until_state(stages, "Overdue")["told"] == 1
