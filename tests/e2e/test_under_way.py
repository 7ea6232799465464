"""What changes while an attempt is under way, or has been announced: its target, the window, its source, the method, a container's name, what may be
read, and what ECS goes back to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.aws_simulator.client import image_name
from tests.aws_simulator.client_rollouts import pause_hook, strategy
from tests.e2e.bed import GROUP, STALLED, WAITING, Place, condition, triple

FREEZE = {"name": "freeze", "kind": "Deny", "startTime": "2020-01-01T00:00:00Z", "endTime": "2090-01-01T00:00:00Z", "reason": "audit"}
PAUSES = strategy("BLUE_GREEN", hooks=[pause_hook("POST_SCALE_UP")], bakeTimeInMinutes=0)
"""Of services whose deployments wait until somebody answers a hook: what happens meanwhile is not in a hurry."""
BOTH = {"good": "CONTINUE", "bad": "ROLLBACK"}
"""Two services, and how their hooks are answered."""


def answer(place: Place, service: str, action: str = "CONTINUE") -> None:
    place.aws.continue_deployment(service, action, cluster=place.name, account=place.account, region=place.region)


def ends(place: Place, name: str) -> list[tuple[str, str]]:
    return [(h["images"][0]["toHash"], h.get("outcome", "")) for h in place.status(name).get("history") or ()]


def accepted(place: Place) -> list[dict[str, Any]]:
    return [c for c in place.updates() if not c["error"]]


def movable(place: Place, *names: str, **service: Any) -> None:
    """Create services that run v1, and for each one a second one, to which the Project may be pointed."""
    for name in names:
        place.service("v1", name, **service)
        image = image_name(place.repository(name), "ref.v1", account=place.account, region=place.region)
        place.service("v1", f"{name}-else", push=False, wait=False, containers={"app": image})
        place.push("v2", service=name)


def target(place: Place) -> dict[str, Any]:
    allowed = [{"namespaces": [place.name], "clusters": [place.name], "serviceNames": ["*"]}]
    return {"cluster": place.name, "serviceName": "{service}", "allowed": allowed}


def point_to(place: Place, ending: str = "", names: Iterable[str] = BOTH) -> None:
    """Apply a Project whose services are ECS services of their names with an ending."""
    services = [
        {
            "name": name,
            "containers": [{"name": "app", "repository": place.repository(name)}],
            "targets": [{"environment": place.name, "serviceName": f"{name}{ending}"}],
        }
        for name in names
    ]
    place.apply("Project", "shop", {"serviceSets": [{"name": "all", "services": services}]})


def test_a_target_that_comes_back_is_followed_again_and_deployed_once(place: Place) -> None:
    """Whatever became of it meanwhile: one still waits, and ECS has rolled the other one back."""
    movable(place, *BOTH, deploymentConfiguration=PAUSES)
    place.environment(target=target(place))
    point_to(place)
    for name in BOTH:
        place.release("v2", name)
    for name in BOTH:
        place.wait("AwaitingHook", name)
    point_to(place, "-else")
    for name in BOTH:
        assert triple(place.wait("TargetChanged", name)) == STALLED
    answer(place, "bad", "ROLLBACK")
    place.aws.wait_deployment("bad", status="ROLLBACK_SUCCESSFUL", cluster=place.name)
    point_to(place)
    assert triple(place.wait("RolledBack", "bad")) == STALLED
    answer(place, "good")
    place.wait("Succeeded", "good")
    place.stays("RolledBack", "bad")
    assert (ends(place, "good"), ends(place, "bad")) == ([("v2", "SucceededLate")], [("v2", "RolledBack")])
    assert len(place.updates()) == 2


def test_a_retry_that_is_withdrawn_before_it_may_begin_takes_no_target_in(place: Place) -> None:
    """Drift is corrected, but a target at which nothing was released has none."""
    movable(place, "web")
    place.environment(target=target(place), rollout={"onDrift": "Correct", "correctAfterSeconds": 1, "settleSeconds": 0})
    point_to(place, names=["web"])
    place.release("v2")
    known = place.wait("Succeeded")["target"]
    place.release("v2", suspend=True)
    point_to(place, "-else", ["web"])
    place.wait("TargetChanged")
    place.annotate("web", retry="1")
    assert place.wait("Suspended")["target"] == known
    place.stays("Suspended")
    place.kubectl("annotate", "release", "web", f"{GROUP}/retry-")
    place.release("v2")
    status = place.wait("TargetChanged")
    assert triple(status) == STALLED and "drift" not in status
    status = place.stays("TargetChanged", seconds=6)
    assert status["target"] == known and ends(place, "web") == [("v2", "Succeeded")] and len(place.updates()) == 1
    place.annotate("web", retry="2")
    status = place.wait("Succeeded")
    assert status["target"]["serviceARN"].endswith("/web-else")
    assert [h["cause"] for h in status["history"]] == ["Retry", "Requested"] and len(place.updates()) == 2


def test_how_an_attempt_ended_is_recorded_while_a_newer_source_waits(place: Place) -> None:
    place.services(*BOTH, deploymentConfiguration=PAUSES)
    place.environment()
    for name in BOTH:
        place.push("v2", service=name, platforms=["linux/amd64", "linux/arm64"])
        place.push("v3", service=name)
        place.release("v2", name)
    for name in BOTH:
        place.wait("AwaitingHook", name)
    place.environment(windows=[FREEZE])
    for name in BOTH:
        place.release("v3", name)
    for name, action in BOTH.items():
        assert triple(place.wait("AwaitingWindow", name)) == WAITING
        answer(place, name, action)
    place.until(lambda: ends(place, "good") == [("v2", "Succeeded")], "its success", "good")
    place.until(lambda: ends(place, "bad") == [("v2", "RolledBack")], "its failure", "bad")
    for name in BOTH:
        place.stays("AwaitingWindow", name, seconds=1)
    assert len(place.updates()) == 2
    place.environment()
    for name in BOTH:
        place.wait("AwaitingHook", name)
        answer(place, name)
        place.wait("Succeeded", name)
    assert (ends(place, "good"), ends(place, "bad")) == (
        [("v3", "Succeeded"), ("v2", "Succeeded")],
        [("v3", "Succeeded"), ("v2", "RolledBack")],
    )


def test_a_window_that_has_closed_holds_what_was_announced_before(shop: Place) -> None:
    shop.push("v2")
    shop.aws.deny(action="UpdateService", match=shop.name)
    shop.release("v2")
    shop.wait("AccessDenied")
    shop.environment(windows=[FREEZE])
    assert triple(shop.wait("AwaitingWindow")) == WAITING
    shop.aws.clear_faults(shop.name)
    shop.stays("AwaitingWindow")
    assert accepted(shop) == []
    shop.environment()
    shop.wait("Succeeded")
    assert ends(shop, "web") == [("v2", "Succeeded")] and len(accepted(shop)) == 1


def test_what_never_ran_has_no_right_of_return(place: Place) -> None:
    place.service("v1", desired=0)
    place.environment()
    place.project()
    for tag in ("v2", "v3"):
        place.push(tag)
        place.release(tag)
        place.wait("NothingRunning")
    place.environment(windows=[FREEZE])
    place.release("v2")
    assert triple(place.wait("AwaitingWindow")) == WAITING
    place.stays("AwaitingWindow")
    assert ends(place, "web") == [("v3", "NothingRunning"), ("v2", "NothingRunning")] and len(place.updates()) == 2


def test_a_tag_that_was_to_move_holds_nothing_up_once_the_method_is_another_one(place: Place) -> None:
    tag = f"env.{place.name}"
    place.push("v1", tag)
    place.service(push=False, containers={"app": image_name(place.repository(), tag, account=place.account, region=place.region)})
    place.environment(rollout={"method": "EnvironmentTag"}, artifacts={"environmentTag": "env.{environment}"})
    place.project()
    digest = place.push("v2")
    place.aws.deny(action="PutImage", match=place.repository())
    place.release("v2")
    assert "ecr:PutImage" in condition(place.wait("AccessDenied"), "Ready")["message"]
    place.environment()
    place.wait("Succeeded")
    assert ends(place, "web") == [("v2", "Succeeded"), ("v2", "Abandoned")]
    assert place.running()["app"] == {digest} and len(place.updates()) == 1


def test_service_deployments_that_may_not_be_listed_of_one_service_are_followed_of_another(place: Place) -> None:
    """One is denied, one is said not to be there, and the third one waits at a hook."""
    place.services("denied", "gone")
    place.service("v1", "web", deploymentConfiguration=PAUSES)
    place.environment()
    place.project("denied", "gone", "web")
    place.aws.deny(action="ListServiceDeployments", match=f"{place.name}/denied")
    gone = {"code": "ServiceNotFoundException", "message": "Service not found.", "status": 400}
    place.aws.fault("ListServiceDeployments", times=None, match=f"{place.name}/gone", **gone)
    for name in ("denied", "gone", "web"):
        place.push("v2", service=name)
    for name in ("denied", "gone"):
        place.release("v2", name)
        place.wait("Succeeded", name)
    calls = [c for c in place.aws.calls(action="ListServiceDeployments", since=place.begun) if place.name in str(c["parameters"])]
    assert [c["error"] for c in calls] == ["AccessDeniedException", "ServiceNotFoundException"]
    place.release("v2")
    place.wait("AwaitingHook")
    answer(place, "web")
    place.wait("Succeeded")
    for name in ("denied", "gone"):
        place.aws.clear_faults(f"{place.name}/{name}")


def test_a_container_that_is_renamed_before_its_revision_is_registered_is_not_deployed(shop: Place) -> None:
    """The revision would be a copy of the one that runs, with the old image."""
    shop.push("v2")
    shop.aws.deny(action="RegisterTaskDefinition", match=shop.name)
    shop.release("v2")
    shop.wait("AccessDenied")
    shop.project(containers={"main": ""})
    assert triple(shop.wait("TargetChanged")) == STALLED
    shop.aws.clear_faults(shop.name)
    shop.stays("TargetChanged", seconds=5)
    assert ends(shop, "web") == [("v2", "Abandoned")]
    assert [c for c in shop.mutations() if not c["error"] and c["service"] == "ecs"] == []


def test_a_rollback_to_a_deployment_that_is_older_than_the_deadline_is_waited_for(place: Place) -> None:
    """ECS goes back by its old id and time. One service gets a fix meanwhile, and of the other one that very deployment is wanted again."""
    deadline_s, names = 90, ("back", "fixed")
    alarms = {"alarmNames": ["errors"], "enable": True, "rollback": True}
    place.services(*names, circuit_breaker=False, deploymentConfiguration={"alarms": alarms})
    place.environment(rollout={"progressDeadlineSeconds": deadline_s})
    former = {name: place.ecs_service(name)["deployments"][0] for name in names}
    first = {name: next(iter(place.running(name)["app"])) for name in names}
    old = max(d["createdAt"] for d in former.values()) + timedelta(seconds=deadline_s)
    place.until(lambda: datetime.now(UTC) > old, "the deployments to be older than the deadline", "back")
    for name in names:
        place.push("pullfail.v2", "v2", service=name)
        place.push("v3", service=name)
        place.release("v2", name)
    for name in names:
        place.deployed(name)
        place.aws.behave(first[name], "pullfail")
        place.aws.lose_task(name, cluster=place.name)
        place.aws.trigger_alarm(name, "errors", cluster=place.name)
        place.wait("RolledBack", name)
    place.release("v1", "back")
    place.release("v3", "fixed")
    place.wait("RollingOut", "back")
    place.wait("AwaitingSteady", "fixed")
    place.stays("AwaitingSteady", "fixed")
    assert len(place.updates()) == 2
    for name in names:
        place.aws.behave(first[name], "healthy")
        place.wait("Succeeded", name)
    assert ends(place, "back") == [("v1", "Succeeded"), ("v2", "RolledBack")]
    assert ends(place, "fixed") == [("v3", "Succeeded"), ("v2", "RolledBack")]
    assert place.status("back")["rollout"]["deploymentID"] == former["back"]["id"]
    assert [c["parameters"]["service"] for c in place.updates()].count("back") == 1 and len(place.updates()) == 3
