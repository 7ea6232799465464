"""Frugal with revisions, and built on the right one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.aws_simulator.client import image_name
from tests.e2e.bed import UNREADY, Place, condition, triple
from tests.e2e.terraform import terraform


def registered(place: Place) -> list[dict[str, Any]]:
    return [m for m in place.mutations() if m["action"] == "RegisterTaskDefinition"]


def environment_of(place: Place) -> dict[str, str]:
    arn = place.ecs_service()["taskDefinition"]
    container = place.ecs().describe_task_definition(taskDefinition=arn)["taskDefinition"]["containerDefinitions"][0]
    return {e["name"]: e["value"] for e in container.get("environment", ())}


def go(place: Place, tag: str) -> str:
    place.release(tag)
    place.until(lambda: _runs(place, tag), f"{tag} to run")
    return str(place.ecs_service()["taskDefinition"])


def _runs(place: Place, tag: str) -> Any:
    status = place.status()
    ready = condition(status, "Ready")
    summary = status.get("summary") or {}
    return summary if ready.get("reason") == "Succeeded" and summary.get("hash") == summary.get("runningHash") == tag else None


def test_a_revision_that_has_the_content_already_is_used_again(shop: Place) -> None:
    for tag in ("v2", "v3"):
        shop.push(tag)
    second, third = go(shop, "v2"), go(shop, "v3")
    assert len(registered(shop)) == 2
    assert (go(shop, "v2"), go(shop, "v3")) == (second, third)
    assert len(registered(shop)) == 2 and len(shop.updates()) == 4
    assert [h["outcome"] for h in shop.status()["history"]] == ["Succeeded"] * 4


def test_one_that_was_deregistered_is_registered_again(shop: Place) -> None:
    for tag in ("v2", "v3"):
        shop.push(tag)
    second = go(shop, "v2")
    go(shop, "v3")
    shop.ecs().deregister_task_definition(taskDefinition=second)
    assert go(shop, "v2") != second
    assert len(registered(shop)) == 3


def fail_and_repair(place: Place) -> None:
    """Release what crashes, without a rollback, and let it run from then on: it stays PRIMARY, and FAILED."""
    place.service("v1", rollback=False)
    place.environment()
    place.project()
    digest = place.push("crash.v2", "v2")
    place.release("v2")
    place.wait("RolloutFailed")
    place.aws.behave(digest, "healthy")


def test_a_retry_of_what_is_primary_already_is_forced(place: Place) -> None:
    fail_and_repair(place)
    place.annotate("web", retry="1")
    place.wait("Succeeded")
    assert len(registered(place)) == 1
    assert place.updates()[-1]["parameters"]["forceNewDeployment"] is True
    assert [h["cause"] for h in place.status()["history"]] == ["Retry", "Requested"]


def test_a_forced_deployment_whose_answer_is_lost_and_that_is_not_seen_yet_is_made_once(place: Place) -> None:
    fail_and_repair(place)
    place.aws.configure(switches={"visibility_lag_s": 3.0})
    try:
        place.aws.fault("UpdateService", kind="lost", match=place.name)
        place.annotate("web", retry="1")
        place.wait("Succeeded")
    finally:
        place.aws.configure(switches={"visibility_lag_s": 0.0})
    assert [c["parameters"].get("forceNewDeployment") for c in place.updates()] == [None, True]
    assert [h["outcome"] for h in place.status()["history"]] == ["Succeeded", "RolloutFailed"]


def test_another_configuration_is_registered_anew(shop: Place) -> None:
    for tag in ("v2", "v3"):
        shop.push(tag)
    second = go(shop, "v2")
    go(shop, "v3")
    shop.deploy(containers={"app": image_name(shop.repository(), "ref.v3", account=shop.account, region=shop.region), "log": "fluent:2"})
    shop.aws.wait_steady("web", cluster=shop.name, account=shop.account, region=shop.region)
    assert go(shop, "v2") != second
    assert set(shop.running()) == {"app", "log"}


def test_a_lost_answer_about_a_revision_used_again_deploys_once(shop: Place) -> None:
    for tag in ("v2", "v3"):
        shop.push(tag)
    go(shop, "v2")
    go(shop, "v3")
    shop.aws.fault("UpdateService", kind="lost", match=shop.name)
    go(shop, "v2")
    assert len(shop.updates()) == 3 and len(shop.status()["history"]) == 3


@pytest.fixture
def latest(shop: Place) -> Place:
    shop.environment(rollout={"baseRevision": "Latest"})
    return shop


def test_latest_takes_the_newest_base_with_our_image(latest: Place) -> None:
    digest = latest.push("v2")
    terraform(latest, cpu="512")
    terraform(latest, cpu="1024")
    go(latest, "v2")
    assert latest.running()["app"] == {digest} and environment_of(latest) == {"CPU": "1024"}
    tags = latest.ecs().list_tags_for_resource(resourceArn=latest.ecs_service()["taskDefinition"])["tags"]
    assert {"key": "ecs-release.dev/base", "value": "3"} in tags


def test_a_newer_base_is_shown_and_rolled_out_on_request(latest: Place) -> None:
    digest = latest.push("v2")
    go(latest, "v2")
    terraform(latest, cpu="2048")
    status = latest.wait("BaseRevisionOutdated")
    assert triple(status) == UNREADY and f"{latest.name}-web:3" in condition(status, "Ready")["message"]
    assert len(latest.updates()) == 1
    latest.annotate("web", retry="1")
    latest.wait("Succeeded")
    assert environment_of(latest) == {"CPU": "2048"} and latest.running()["app"] == {digest}


def test_with_correct_it_goes_by_itself_once(shop: Place) -> None:
    shop.environment(rollout={"baseRevision": "Latest", "onDrift": "Correct", "correctAfterSeconds": 1})
    digest = shop.push("v2")
    go(shop, "v2")
    terraform(shop, cpu="4096")
    shop.until(lambda: environment_of(shop) == {"CPU": "4096"}, "the newer base")
    status = shop.wait("Succeeded")
    assert status["history"][0]["cause"] == "BaseRevisionChanged" and shop.running()["app"] == {digest}
    shop.stays("Succeeded", seconds=5)
    assert len(shop.updates()) == 2


@pytest.mark.parametrize("platforms", [[], ["linux/amd64", "linux/arm64"]], ids=["one platform", "two"])
def test_a_newer_base_that_fails_is_held(shop: Place, platforms: list[str]) -> None:
    """Tasks of a multi-platform image may show one platform's digest, before and after: ECS has rolled back nonetheless."""
    shop.environment(rollout={"baseRevision": "Latest", "onDrift": "Correct", "correctAfterSeconds": 1})
    digest = shop.push("v2", **({"platforms": platforms} if platforms else {}))
    go(shop, "v2")
    for one in (digest, *(shop.status()["pin"]["images"][0].get("platformDigests") or ())):
        shop.aws.behave(one, "crash")
    terraform(shop, cpu="1")
    shop.until(lambda: shop.status()["history"][0].get("outcome") == "RolledBack", "the rollback")
    status = shop.wait("BaseRevisionOutdated")
    shop.stays("BaseRevisionOutdated", seconds=5)
    assert len(shop.updates()) == 2
    assert "ended RolledBack" in condition(shop.status(), "Ready")["message"], status


def test_a_newer_base_waits_for_its_window(shop: Place) -> None:
    rollout = {"baseRevision": "Latest", "onDrift": "Correct", "correctAfterSeconds": 1}
    shop.environment(rollout=rollout)
    shop.push("v2")
    go(shop, "v2")
    window = {"name": "freeze", "kind": "Deny", "startTime": "2020-01-01T00:00:00Z", "endTime": "2090-01-01T00:00:00Z"}
    shop.environment(rollout=rollout, windows=[window])
    terraform(shop, cpu="8")
    shop.wait("AwaitingWindow")
    assert len(shop.updates()) == 1


def test_configuration_behind_is_warned_of_once(shop: Place) -> None:
    shop.push("v2")
    go(shop, "v2")
    terraform(shop, cpu="16")
    status = shop.until(lambda: "configuration is behind" in condition(s := shop.status(), "Ready")["message"] and s, "the note")
    assert condition(status, "Ready")["status"] == "True" and f"{shop.name}-web:3" in condition(status, "Ready")["message"]
    events = shop.until(lambda: [e for e in shop.events() if e["reason"] == "ConfigurationBehind"], "the Event")
    assert len(events) == 1 and not events[0].get("series")
    assert len(shop.updates()) == 1


def copied(place: Place, **changes: Any) -> str:
    """Register what runs anew with other fields of its container, and deploy it, as the console does: with the tags of what it was made of."""
    found = place.ecs().describe_task_definition(taskDefinition=place.ecs_service()["taskDefinition"], include=["TAGS"])
    container = found["taskDefinition"]["containerDefinitions"][0] | changes
    made = place.ecs().register_task_definition(
        family=found["taskDefinition"]["family"], containerDefinitions=[container], tags=found["tags"]
    )
    arn = str(made["taskDefinition"]["taskDefinitionArn"])
    place.deploy(taskDefinition=arn)
    place.aws.wait_steady("web", cluster=place.name, account=place.account, region=place.region)
    return arn


@pytest.mark.parametrize("base", ["Latest", "Service"])
def test_a_release_keeps_what_somebody_changed_in_a_copy_with_our_tags(place: Place, base: str) -> None:
    for tag in ("v2", "v3"):
        place.push(tag)
    place.service("v1")
    place.environment(rollout={"baseRevision": base})
    place.project()
    go(place, "v2")
    copy = copied(place, environment=[{"name": "LEVEL", "value": "debug"}])
    go(place, "v3")
    assert environment_of(place) == {"LEVEL": "debug"}
    made = place.ecs().describe_task_definition(taskDefinition=place.ecs_service()["taskDefinition"], include=["TAGS"])
    assert {t["key"]: t["value"] for t in made["tags"]}["ecs-release.dev/base"] == copy.rpartition(":")[2]


def test_a_copy_with_the_tags_of_another_installation_is_nobodys(shop: Place) -> None:
    shop.push("v2")
    tags = {"installation": "blue", "release": "team/web", "content": "1-of-what-blue-has-registered"}
    found = shop.ecs().describe_task_definition(taskDefinition=shop.ecs_service()["taskDefinition"])["taskDefinition"]
    theirs = shop.ecs().register_task_definition(
        family=found["family"],
        containerDefinitions=found["containerDefinitions"],
        tags=[{"key": f"ecs-release.dev/{k}", "value": v} for k, v in tags.items()],
    )["taskDefinition"]["taskDefinitionArn"]
    shop.deploy(taskDefinition=theirs)
    shop.aws.wait_steady("web", cluster=shop.name)
    go(shop, "v2")
