"""ECS's deployment strategies: stages, traffic, pauses and bakes of what the service has; and other controllers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.aws_simulator.client import image_name
from tests.aws_simulator.client_rollouts import pause_hook, strategy
from tests.e2e.bed import READY, STALLED, WAITING, Place, condition, triple


def where(place: Place) -> dict[str, str]:
    return {"cluster": place.name, "account": place.account, "region": place.region}


def serve(place: Place, name: str, **more: Any) -> None:
    """A service of a strategy on v1, and what belongs to it."""
    hooks = more.pop("hooks", ())
    place.service("v1", deploymentConfiguration=strategy(name, hooks=hooks, **more))
    place.environment()
    place.project()


@pytest.mark.parametrize("name", ["BLUE_GREEN", "LINEAR", "CANARY"])
def test_each_strategy_is_followed_to_its_end(place: Place, name: str) -> None:
    serve(place, name)
    digest = place.push("v2")
    place.release("v2")
    seen: set[tuple[Any, Any]] = set()

    def done() -> bool:
        rollout = place.status().get("rollout") or {}
        seen.add((rollout.get("stage"), rollout.get("trafficPercent")))
        return condition(place.status(), "Ready").get("reason") == "Succeeded"

    place.until(done, "success")
    assert place.running()["app"] == {digest}
    assert "BAKE_TIME" in {stage for stage, _ in seen}
    shares = {percent for _, percent in seen if percent is not None}
    assert 100 in shares
    assert name == "BLUE_GREEN" or shares & set(range(1, 100))
    assert len(place.updates()) == 1 and "trafficPercent" not in place.status()["rollout"]


def test_a_pause_is_waited_for_and_the_hook_is_named(place: Place) -> None:
    serve(place, "CANARY", hooks=[pause_hook("POST_SCALE_UP")])
    digest = place.push("v2")
    place.release("v2")
    status = place.wait("AwaitingHook")
    assert triple(status) == WAITING and status["phase"] == "Waiting"
    rollout = status["rollout"]
    assert "POST_SCALE_UP" in rollout["awaiting"] and rollout["stage"] == "POST_SCALE_UP"
    assert rollout["awaiting"].split(" at ")[0] in condition(status, "Ready")["message"]
    place.stays("AwaitingHook", seconds=2)
    place.aws.continue_deployment("web", **where(place))
    status = place.wait("Succeeded")
    assert place.running()["app"] == {digest} and "awaiting" not in status["rollout"]


def test_a_pause_that_is_answered_with_a_rollback(place: Place) -> None:
    serve(place, "BLUE_GREEN", hooks=[pause_hook("POST_TEST_TRAFFIC_SHIFT")])
    old = next(iter(place.running()["app"]))
    place.push("v2")
    place.release("v2")
    place.wait("AwaitingHook")
    place.aws.continue_deployment("web", "ROLLBACK", **where(place))
    assert triple(place.wait("RolledBack")) == STALLED
    assert place.running()["app"] == {old}


def test_a_pause_is_no_lack_of_progress(place: Place) -> None:
    place.service("v1", deploymentConfiguration=strategy("CANARY", hooks=[pause_hook("POST_SCALE_UP")]))
    place.environment(rollout={"progressDeadlineSeconds": 30})
    place.project()
    place.push("v2")
    place.release("v2")
    place.wait("AwaitingHook")
    place.stays("AwaitingHook", seconds=33)
    place.aws.continue_deployment("web", **where(place))
    place.wait("Succeeded")


def test_a_bad_image_never_gets_traffic(place: Place) -> None:
    serve(place, "CANARY")
    old = next(iter(place.running()["app"]))
    place.push("crash.v2", "v2")
    place.release("v2")
    assert triple(place.wait("RolledBack")) == STALLED
    assert place.running()["app"] == {old}


def test_an_abort_in_a_bake(place: Place) -> None:
    serve(place, "BLUE_GREEN", bakeTimeInMinutes=60)
    old = next(iter(place.running()["app"]))
    place.push("v2")
    place.release("v2")
    place.until(lambda: (place.status().get("rollout") or {}).get("stage") == "BAKE_TIME", "the bake")
    place.annotate("web", abort="1")
    place.wait("Aborted")
    place.until(lambda: place.running()["app"] == {old}, "ECS to go back")


def test_an_alarm_rolls_back_and_is_named(place: Place) -> None:
    alarms = {"alarmNames": ["errors"], "enable": True, "rollback": True}
    serve(place, "BLUE_GREEN", bakeTimeInMinutes=60, alarms=alarms)
    place.push("v2")
    place.release("v2")
    place.until(lambda: (place.status().get("rollout") or {}).get("stage") == "BAKE_TIME", "the bake")
    place.aws.trigger_alarm("web", "errors", **where(place))
    status = place.wait("RolledBack")
    assert "errors" in condition(status, "Ready")["message"]


@pytest.mark.parametrize("controller", ["CODE_DEPLOY", "EXTERNAL"])
def test_other_controllers_are_refused(place: Place, controller: str) -> None:
    place.service("v1", deploymentController={"type": controller}, wait=False)
    place.environment()
    place.project()
    place.push("v2")
    place.release("v2")
    status = place.wait("UnsupportedController")
    assert triple(status) == STALLED and controller in condition(status, "Ready")["message"]
    assert place.mutations() == []


def test_daemons_are_released(place: Place) -> None:
    place.aws.container_instances(2)
    place.service("v1", schedulingStrategy="DAEMON")
    place.environment()
    place.project()
    digest = place.push("v2")
    place.release("v2")
    status = place.wait("Succeeded")
    assert triple(status) == READY and place.running()["app"] == {digest}
    assert status["summary"]["tasks"] == "2/2"


def test_protected_tasks_are_named_where_they_hold_a_rollout(place: Place) -> None:
    place.service("v1", wait=True)
    place.environment(rollout={"progressDeadlineSeconds": 30})
    place.project()
    (task, *_) = place.aws.protect("web", 1, **where(place))
    place.push("v2")
    place.release("v2")
    name = task.rpartition("/")[2]
    place.until(lambda: name in condition(place.status(), "Ready").get("message", ""), "the protected task to be named")
    place.ecs().update_task_protection(cluster=place.name, tasks=[task], protectionEnabled=False)
    place.until(lambda: condition(place.status(), "Ready")["status"] == "True", "the rollout to end")


def test_a_sidecar_of_a_tag_is_left_to_ecs(place: Place) -> None:
    image = image_name(place.repository(), "ref.v1", account=place.account, region=place.region)
    place.push("v1")
    place.service("v1", push=False, containers={"app": image, "log": "fluent:2"}, deploymentConfiguration=strategy("BLUE_GREEN"))
    place.environment()
    place.project()
    place.push("v2")
    place.release("v2")
    place.wait("Succeeded")
    assert set(place.running()) == {"app", "log"}
