"""The order in which a ReleaseSet moves its services, and what happens when one fails or something else is wanted."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from ecs_release.domain.sets.child_manifests import child_name
from tests.aws_simulator.client_rollouts import pause_hook, strategy
from tests.e2e.bed import PROGRESSING, STALLED, UNREADY, WAITING, Place, condition, triple
from tests.e2e.sets import lines, push
from tests.e2e.terraform import terraform

NAMES = ("api", "bags", "web")
WAVES = [{"services": ["bags"]}, {"services": ["api"]}]


@pytest.fixture
def trio(place: Place) -> Place:
    """Three services on v1, an Environment that settles at once, no ReleaseSet yet."""
    place.environment(rollout={"settleSeconds": 0})
    place.services(*NAMES)
    return place


def states(place: Place) -> dict[str, str]:
    return {n: s.get("state", "") for n, s in lines(place.set_status()).items()}


def wave_states(status: dict[str, Any]) -> list[str]:
    return [w["state"] for w in status.get("waves") or ()]


def runs(place: Place, service: str, digest: str) -> bool:
    return place.running(service).get("app") == {digest}


def slow(place: Place, tag: str, service: str) -> str:
    return place.push(f"slow.{tag}", tag, service=service)


def broken(place: Place, tag: str, service: str) -> str:
    return place.push(f"crash.{tag}", tag, service=service)


def test_waves_go_one_after_the_other_and_services_in_none_last(trio: Place) -> None:
    push(trio, "v2", *NAMES)
    trio.release_set("v2", strategy={"waves": WAVES})
    status = trio.wait_set("Succeeded")
    assert [u["parameters"]["service"] for u in trio.updates()] == ["bags", "api", "web"]
    assert [(w["services"], w["state"]) for w in status["waves"]] == [(["bags"], "Finished"), (["api"], "Finished"), (["web"], "Finished")]
    times = [(w["startTime"], w["completionTime"]) for w in status["waves"]]
    assert all(times[i][1] <= times[i + 1][0] for i in range(2))
    history = {s: c["status"]["history"][0] for s, c in trio.children().items()}
    assert (
        history["bags"]["completionTime"] <= history["api"]["startTime"] <= history["api"]["completionTime"] <= history["web"]["startTime"]
    )


def test_a_wave_settles_before_the_next(place: Place) -> None:
    place.environment(rollout={"settleSeconds": 3})
    place.services("api", "web")
    push(place, "v2", "api", "web")
    place.release_set("v2", strategy={"waves": [{"services": ["api"]}]})
    status = place.wait_set("Succeeded")
    first = place.children()["api"]["status"]
    ready = condition(first, "Ready")["lastTransitionTime"]
    second = place.children()["web"]["status"]["history"][0]["startTime"]
    assert _seconds(second) - _seconds(ready) >= 3
    assert status["history"][0]["outcome"] == "Succeeded"


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


def test_no_more_than_max_parallel_at_once(trio: Place) -> None:
    for name in NAMES:
        slow(trio, "v2", name)
    trio.release_set("v2", strategy={"maxParallel": 1})
    most = 0
    end = time.monotonic() + 40
    while condition(trio.set_status(), "Ready").get("reason") != "Succeeded":
        assert time.monotonic() < end
        most = max(
            most, sum(not c["status"]["rollout"].get("outcome") for c in trio.children().values() if "rollout" in c.get("status", {}))
        )
        time.sleep(0.1)
    assert most == 1
    assert len(trio.updates()) == 3


def test_halt_starts_nothing_further_and_says_who_failed(trio: Place) -> None:
    pushed = push(trio, "v2", "bags", "web")
    broken(trio, "v2", "api")
    trio.release_set("v2", strategy={"waves": WAVES})
    status = trio.wait_set("RolledBack")
    assert triple(status) == STALLED
    assert status["summary"]["progress"] == "1/3 ready, wave 2/3: api RolledBack"
    trio.until_set(lambda: trio.set_status()["history"][0].get("outcome") == "Failed", "the outcome")
    assert states(trio) == {"api": "Failed", "bags": "Ready", "web": "Pending"}
    assert set(trio.children()) == {"api", "bags"}
    assert runs(trio, "bags", pushed["bags"])
    assert "retry" in condition(trio.set_status(), "Ready")["message"]
    assert trio.set_status()["releases"] == {"total": 3, "ready": 1, "failed": 1, "waiting": 1, "progressing": 0}


def test_a_retry_goes_on_after_a_halt(trio: Place) -> None:
    push(trio, "v2", "bags", "web")
    digest = broken(trio, "v2", "api")
    trio.release_set("v2", strategy={"waves": WAVES})
    trio.until_set(lambda: (trio.set_status().get("history") or [{}])[0].get("outcome") == "Failed", "the halt")
    trio.aws.behave(digest, "healthy")
    trio.annotate("all", "releaseset", retry="1")
    status = trio.wait_set("Succeeded")
    assert status["lastHandledRetry"] == "1"
    assert [(h["cause"], h["outcome"]) for h in status["history"]] == [("Retry", "Succeeded"), ("Requested", "Failed")]
    assert [h["cause"] for h in trio.children()["api"]["status"]["history"]] == ["Retry", "Requested"]
    assert len(trio.children()["bags"]["status"]["history"]) == 1


def test_roll_back_returns_everything_that_moved(trio: Place) -> None:
    old = {s: next(iter(trio.running(s)["app"])) for s in NAMES}
    push(trio, "v2", "bags", "web")
    broken(trio, "v2", "api")
    trio.release_set("v2", strategy={"waves": WAVES, "onFailure": "RollBack"})
    status = trio.wait_set("RolledBack")
    assert triple(status) == STALLED
    assert all(runs(trio, s, d) for s, d in old.items())
    assert [(h["cause"], h["outcome"]) for h in status["history"]] == [("Rollback", "RolledBack"), ("Requested", "Failed")]
    assert "api RolledBack" in status["history"][0]["message"]
    bags = trio.children()["bags"]["status"]["history"][0]
    assert (bags["cause"], bags["outcome"]) == ("Rollback", "Succeeded") and "api RolledBack" in bags["description"]
    assert states(trio) == {"api": "RolledBack", "bags": "RolledBack", "web": "Pending"}
    assert "web" not in trio.children()
    reasons = {e["reason"] for e in trio.events("all")}
    assert "RollingBack" in reasons


def test_roll_back_goes_back_to_the_last_ready_pins_last_wave_first(trio: Place) -> None:
    good = push(trio, "v2", *NAMES)
    trio.release_set("v2")
    trio.wait_set("Succeeded")
    push(trio, "v3", "api", "bags")
    broken(trio, "v3", "web")
    mark = len(trio.updates())
    trio.release_set("v3", strategy={"waves": WAVES, "onFailure": "RollBack"})
    status = trio.wait_set("RolledBack")
    assert all(runs(trio, s, d) for s, d in good.items())
    assert [u["parameters"]["service"] for u in trio.updates()[mark:]] == ["bags", "api", "web", "api", "bags"]
    assert status["history"][0]["hash"] == "v2"
    assert status["lastReady"]["sourceHash"] != status["sourceHash"]
    trio.release_set("v2", strategy={"waves": WAVES})
    trio.wait_set("Succeeded")


def test_a_refusal_takes_a_set_back_only_if_it_lasts(trio: Place) -> None:
    trio.environment(rollout={"settleSeconds": 0, "progressDeadlineSeconds": 60})
    pushed = push(trio, "v2", *NAMES)
    busy = "Too many concurrent attempts to create a new revision of the specified family."
    trio.aws.fault("RegisterTaskDefinition", code="ClientException", message=busy, status=400, times=2, match=f"{trio.name}-api")
    trio.aws.deny(action="UpdateService", match=f"{trio.name}-api")
    trio.release_set("v2", strategy={"waves": WAVES, "onFailure": "RollBack"})
    status = trio.wait_set("AccessDenied")
    assert triple(status) == STALLED and states(trio) == {"api": "Failed", "bags": "Ready", "web": "Pending"}
    assert trio.children()["api"]["status"]["rollout"]["refusedTime"]
    trio.aws.control("clear-faults", match=f"{trio.name}-api")
    status = trio.wait_set("Succeeded")
    assert [h["cause"] for h in status["history"]] == ["Requested"] and all(runs(trio, s, d) for s, d in pushed.items())


def test_a_newer_base_revision_stops_no_wave(trio: Place) -> None:
    """It is found within ten seconds, while the first wave settles."""
    trio.environment(rollout={"settleSeconds": 12, "baseRevision": "Latest"})
    pushed = push(trio, "v2", *NAMES)
    trio.release_set("v2", strategy={"waves": [{"services": ["web"]}]})
    trio.until_set(lambda: states(trio).get("web") == "Ready", "the first wave to be through")
    terraform(trio, cpu="512")
    status = trio.wait_set("BaseRevisionOutdated")
    assert triple(status) == UNREADY and f"{trio.name}-web:3" in condition(status, "Ready")["message"]
    assert wave_states(status) == ["Finished"] * 2 and all(runs(trio, s, d) for s, d in pushed.items())
    assert [h["outcome"] for h in status["history"]] == ["Succeeded"]
    trio.annotate("all", "releaseset", retry="1")
    status = trio.wait_set("Succeeded")
    assert [h["cause"] for h in status["history"]] == ["Retry", "Requested"] and runs(trio, "web", pushed["web"])


def test_a_child_edited_to_what_its_wave_will_bring_waits_for_it(trio: Place) -> None:
    push(trio, "v2", *NAMES)
    trio.release_set("v2", strategy={"waves": WAVES})
    trio.wait_set("Succeeded")
    pushed, mark = {**push(trio, "v3", "api", "web"), "bags": slow(trio, "v3", "bags")}, len(trio.updates())
    trio.release_set("v3", strategy={"waves": WAVES})
    trio.until_set(lambda: len(trio.updates()) > mark, "the first wave to move")
    name = child_name("all", "web")
    source = {"images": [{"container": "app", "digest": pushed["web"]}]}
    trio.kubectl("patch", "release", name, "--type=merge", "-p", json.dumps({"spec": {"source": source}}))
    edited = trio.get(name)["metadata"]["generation"]
    trio.until(lambda: trio.get(name)["spec"]["source"]["images"][0]["digest"] != pushed["web"], "the edit to be put back", name)
    assert trio.get(name)["metadata"]["generation"] > edited
    trio.wait_set("Succeeded")
    assert [u["parameters"]["service"] for u in trio.updates()[mark:]] == ["bags", "api", "web"]


def test_a_child_edited_to_what_its_suspended_set_wants_waits_until_it_is_resumed(trio: Place) -> None:
    one_by_one = {"maxParallel": 1}
    push(trio, "v2", *NAMES)
    trio.release_set("v2", strategy=one_by_one)
    trio.wait_set("Succeeded")
    pushed, mark = {s: slow(trio, "v3", s) for s in NAMES}, len(trio.updates())
    trio.release_set("v3", strategy=one_by_one)
    trio.until_set(lambda: len(trio.updates()) > mark, "the first service to move")
    trio.release_set("v3", strategy=one_by_one, suspend=True)
    trio.wait_set("Suspended")
    name = child_name("all", "web")
    source = {"images": [{"container": "app", "digest": pushed["web"]}]}
    trio.kubectl("patch", "release", name, "--type=merge", "-p", json.dumps({"spec": {"source": source}}))
    trio.until(lambda: trio.get(name)["spec"]["source"]["images"][0]["digest"] != pushed["web"], "the edit to be put back", name)
    trio.wait_set("Suspended")
    assert len(trio.updates()) == mark + 1, "what is under way is finished, and nothing else begins"
    trio.release_set("v3", strategy=one_by_one)
    trio.wait_set("Succeeded")
    assert sorted(u["parameters"]["service"] for u in trio.updates()[mark:]) == sorted(NAMES)


def test_continue_goes_on_and_tells_at_the_end(trio: Place) -> None:
    pushed = push(trio, "v2", "bags", "web")
    broken(trio, "v2", "api")
    trio.release_set("v2", strategy={"waves": WAVES, "onFailure": "Continue"})
    trio.until_set(lambda: (trio.set_status().get("history") or [{}])[0].get("outcome") == "Failed", "the end")
    status = trio.wait_set("RolledBack")
    assert status["summary"]["progress"] == "2/3 ready: api RolledBack"
    assert runs(trio, "web", pushed["web"]) and wave_states(status) == ["Finished"] * 3


def test_a_new_source_takes_over(trio: Place) -> None:
    push(trio, "v2", "api", "web")
    slow(trio, "v2", "bags")
    third = push(trio, "v3", *NAMES)
    trio.release_set("v2", strategy={"waves": WAVES})
    trio.until_set(trio.updates, "the first wave to move")
    trio.release_set("v3", strategy={"waves": WAVES})
    status = trio.wait_set("Succeeded")
    assert all(runs(trio, s, d) for s, d in third.items())
    assert [u["parameters"]["service"] for u in trio.updates()] == ["bags", "bags", "api", "web"]
    assert [(h["hash"], h["outcome"]) for h in status["history"]] == [("v3", "Succeeded"), ("v2", "Superseded")]


def test_a_new_source_leaves_alone_what_runs_it_already(trio: Place) -> None:
    push(trio, "v2", *NAMES)
    trio.release_set("v2")
    trio.wait_set("Succeeded")
    web = trio.push("v3", service="web")
    mark = len(trio.mutations())
    for name in ("api", "bags"):
        trio.push("v3", service=name, content=f"{trio.repository(name)} ref.v2")
    trio.release_set("v3")
    trio.wait_set("Succeeded")
    assert runs(trio, "web", web)
    assert {m["action"] for m in trio.mutations()[mark:]} == {"RegisterTaskDefinition", "UpdateService"}
    assert len(trio.mutations()[mark:]) == 2
    assert trio.children()["api"]["status"]["summary"]["hash"] == "v3"


def test_a_rollback_of_ecs_that_is_still_running_is_waited_for(trio: Place) -> None:
    push(trio, "v2", "api", "bags")
    broken(trio, "v2", "web")
    third = push(trio, "v3", *NAMES)
    trio.release_set("v2")
    name = child_name("all", "web")
    trio.until_set(lambda: name in {r["metadata"]["name"] for r in trio.children().values()}, "the child")
    trio.wait("RolledBack", name)
    trio.release_set("v3")
    trio.wait_set("Succeeded")
    assert runs(trio, "web", third["web"])


def test_suspend_holds_between_services_and_shows_the_plan(trio: Place) -> None:
    pushed = push(trio, "v2", *NAMES)
    trio.release_set("v2", suspend=True)
    status = trio.wait_set("Suspended")
    assert {p["service"] for p in status["plan"]} == set(NAMES)
    assert status["plan"][0]["images"][0]["toDigest"] == pushed[status["plan"][0]["service"]]
    assert status["plan"][0]["images"][0]["fromHash"] == "v1"
    assert trio.children() == {} and trio.mutations() == []
    trio.release_set("v2", suspend=False)
    status = trio.wait_set("Succeeded")
    assert "plan" not in status
    assert len(status["history"]) == 1


def test_suspend_lets_what_is_under_way_finish(trio: Place) -> None:
    push(trio, "v2", "api", "web")
    slow(trio, "v2", "bags")
    trio.release_set("v2", strategy={"waves": WAVES})
    trio.until_set(trio.updates, "the first wave to move")
    trio.release_set("v2", strategy={"waves": WAVES}, suspend=True)
    status = trio.wait_set("Suspended")
    assert states(trio) == {"api": "Pending", "bags": "Ready", "web": "Pending"}
    assert len(trio.updates()) == 1 and len(status["plan"]) == 2


def test_observe_changes_nothing_and_shows_the_plan(trio: Place) -> None:
    push(trio, "v2", *NAMES)
    trio.environment(rollout={"settleSeconds": 0}, mode="Observe")
    trio.release_set("v2")
    status = trio.wait_set("Observing")
    assert {p["service"] for p in status["plan"]} == set(NAMES) and trio.children() == {}
    trio.environment(rollout={"settleSeconds": 0})
    trio.wait_set("Succeeded")


def test_abort_ends_what_is_under_way(trio: Place) -> None:
    old = next(iter(trio.running("bags")["app"]))
    push(trio, "v2", "api", "web")
    slow(trio, "v2", "bags")
    trio.release_set("v2", strategy={"waves": WAVES})
    trio.until_set(trio.updates, "the first wave to move")
    assert triple(trio.set_status()) == PROGRESSING
    trio.annotate("all", "releaseset", abort="stop-it")
    status = trio.wait_set("Aborted")
    assert triple(status) == STALLED and status["lastHandledAbort"] == "stop-it"
    assert status["history"][0]["outcome"] == "Aborted"
    trio.wait("Aborted", child_name("all", "bags"))
    trio.until_set(lambda: runs(trio, "bags", old), "ECS to go back")
    assert set(trio.children()) == {"bags"}


def test_refresh_resolves_a_moving_tag_again(trio: Place) -> None:
    first = {s: trio.push("latest", service=s, content=f"{s}1") for s in NAMES}
    trio.release_set({"tag": "latest"})
    trio.wait_set("Succeeded")
    second = trio.push("latest", service="web", content="web2")
    trio.annotate("all", "releaseset", refresh="1")
    trio.until_set(lambda: runs(trio, "web", second), "the refresh")
    status = trio.wait_set("Succeeded")
    assert len(status["history"]) == 2 and runs(trio, "api", first["api"])
    trio.annotate("all", "releaseset", refresh="2")
    trio.until_set(lambda: trio.set_status().get("lastHandledRefresh") == "2", "the second refresh")
    assert len(trio.wait_set("Succeeded")["history"]) == 2


def test_somebody_elses_deployment_is_waited_for(place: Place) -> None:
    place.environment(rollout={"settleSeconds": 0})
    place.service("v1", "api")
    place.service("v1", "web", deploymentConfiguration=strategy("BLUE_GREEN", hooks=[pause_hook("POST_SCALE_UP")]))
    place.project("api", "web")
    push(place, "v2", "api", "web")
    place.push("other", service="web")
    place.deploy("other", "web")
    where = {"cluster": place.name, "account": place.account, "region": place.region}
    place.aws.wait_paused("web", **where)
    place.release_set("v2")
    place.until_set(lambda: place.set_status().get("releases", {}).get("ready") == 1, "api to be ready")
    status = place.wait_set("AwaitingSteady")
    assert triple(status) == WAITING and "web waits" in condition(status, "Ready")["message"]
    place.aws.continue_deployment("web", **where)
    status = place.wait_set("AwaitingHook")
    assert "POST_SCALE_UP" in condition(status, "Ready")["message"]
    place.aws.continue_deployment("web", **where)
    place.wait_set("Succeeded")


def test_restarts_lose_nothing(trio: Place) -> None:
    pushed = push(trio, "v2", *NAMES)
    trio.release_set("v2", strategy={"waves": WAVES, "maxParallel": 1})
    for _ in range(4):
        time.sleep(1.2)
        trio.bed.operator.kill()
        trio.bed.operator.start()
    trio.bed.operator.wait_until_ready()
    status = trio.wait_set("Succeeded")
    assert [u["parameters"]["service"] for u in trio.updates()] == ["bags", "api", "web"]
    assert all(runs(trio, s, d) for s, d in pushed.items())
    assert len(status["history"]) == 1
