"""`onDrift: Correct` (law 5): what somebody else deployed over a Release is put right, once it has stood, and not for ever."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.e2e.bed import READY, STALLED, WAITING, Place, condition, triple

CLOSED = [{"name": "freeze", "kind": "Deny", "startTime": "2020-01-01T00:00:00Z", "endTime": "2090-01-01T00:00:00Z", "reason": "audit"}]


def correct(place: Place, after_s: int = 1, **spec: Any) -> None:
    place.environment(rollout={"onDrift": "Correct", "correctAfterSeconds": after_s, "settleSeconds": 0}, **spec)


@pytest.fixture
def released(shop: Place) -> Place:
    """`web` was released at v2; v3 is there for somebody else."""
    correct(shop)
    shop.push("v2")
    shop.push("v3")
    shop.release("v2")
    shop.wait("Succeeded")
    return shop


def corrections(place: Place) -> list[dict[str, Any]]:
    return [h for h in place.status()["history"] if h["cause"] == "DriftCorrection"]


def message(status: dict[str, Any]) -> str:
    return str(condition(status, "Ready")["message"])


def test_a_change_by_hand_is_corrected_and_recorded(released: Place) -> None:
    digest = released.running()["app"]
    correct(released, 4)
    deployment = released.deploy("v3")
    status = released.wait("Drifted")
    assert triple(status) == STALLED
    assert "app runs v3 instead of v2 since " in message(status) and deployment in message(status)
    status = released.until(lambda: (s := released.status()).get("drift", {}).get("correctTime") and s, "the time of the correction")
    assert status["drift"]["deploymentID"] == deployment
    completed, due = (datetime.fromisoformat(status["drift"][k]) for k in ("completedTime", "correctTime"))
    assert (due - completed).total_seconds() == 4
    assert "it is corrected at " in message(released.until(lambda: "corrected at" in message(s := released.status()) and s, "when"))
    released.until(lambda: triple(released.status()) == WAITING and condition(released.status(), "Ready")["reason"] == "Drifted", "it")
    assert datetime.now(UTC) >= due
    status = released.wait("Succeeded")
    assert triple(status) == READY and released.running()["app"] == digest and "drift" not in status
    entry = status["history"][0]
    assert (entry["cause"], entry["outcome"]) == ("DriftCorrection", "Succeeded")
    assert [(i.get("fromHash"), i.get("toHash")) for i in entry["images"]] == [("v3", "v2")]
    assert (datetime.fromisoformat(entry["startTime"]) - due).total_seconds() < 3, "on time, though looks are five seconds apart"
    assert len(released.updates()) == 2 and "desiredCount" not in released.updates()[-1]["parameters"]
    assert {"Drifted", "CorrectingDrift"} <= {e["reason"] for e in released.events()}


def test_a_tug_of_war_ends_in_hold(released: Place) -> None:
    for number in (1, 2, 3):
        released.deploy("v3")
        released.until(
            lambda n=number: [h for h in corrections(released) if h.get("outcome") == "Succeeded"][n - 1 :], f"correction {number}"
        )
        released.wait("Succeeded")
    released.deploy("v3")
    status = released.until(lambda: "something keeps changing it" in message(s := released.status()) and s, "the operator to give up")
    assert triple(status) == STALLED and "corrected 3 times" in message(status)
    released.bed.restart_operator()
    released.stays("Drifted", seconds=4)
    assert len(corrections(released)) == 3 and "correctTime" not in released.status()["drift"]
    released.annotate("web", retry="1")
    released.wait("Succeeded")
    assert released.status()["history"][0]["cause"] == "Retry"


def test_a_failed_pin_is_never_corrected_to(released: Place) -> None:
    (digest,) = released.running()["app"]
    released.deploy("v3")
    released.aws.behave(digest, "crash")
    released.wait("RolledBack")
    assert [h["outcome"] for h in corrections(released)] == ["RolledBack"]
    updates = len(released.updates())
    released.stays("RolledBack", seconds=4)
    released.deploy("v1")
    released.aws.wait_steady("web", cluster=released.name, account=released.account, region=released.region)
    time.sleep(3)
    assert len(released.updates()) == updates and len(corrections(released)) == 1


def test_a_closed_window_holds_it(released: Place) -> None:
    correct(released, windows=CLOSED)
    released.deploy("v3")
    status = released.wait("AwaitingWindow")
    assert triple(status) == WAITING and "app runs v3 instead of v2" in message(status)
    assert status["closedWindow"]["name"] == "freeze" and "v3 to v2" in status["plan"]["message"]
    released.stays("AwaitingWindow", seconds=3)
    assert len(released.updates()) == 1
    correct(released)
    released.wait("Succeeded")
    assert released.status()["history"][0]["cause"] == "DriftCorrection"


@pytest.mark.parametrize(("brake", "reason"), [("suspend", "Suspended"), ("Observe", "Observing")])
def test_a_brake_holds_it(released: Place, brake: str, reason: str) -> None:
    if brake == "suspend":
        released.release("v2", suspend=True)
    else:
        correct(released, mode="Observe")
    released.wait(reason)
    released.deploy("v3")
    status = released.until(lambda: (s := released.status()).get("plan", {}).get("message") and s, "the plan")
    assert "would deploy app: v3 to v2" in status["plan"]["message"]
    released.stays(reason, seconds=4)
    assert len(released.updates()) == 1


def test_a_restart_while_it_waits_forgets_nothing(released: Place) -> None:
    correct(released, 5)
    released.deploy("v3")
    drift = released.until(lambda: (d := released.status().get("drift") or {}).get("correctTime") and d, "the time of the correction")
    released.bed.restart_operator()
    released.until(lambda: corrections(released), "the correction")
    assert datetime.fromisoformat(corrections(released)[0]["startTime"]) >= datetime.fromisoformat(drift["correctTime"]).replace(
        microsecond=0
    )
    released.wait("Succeeded")


def test_a_child_is_corrected_within_its_deployment_set(place: Place) -> None:
    place.services("web", "api")
    correct(place)
    for service in ("web", "api"):
        place.push("v2", service=service)
        place.push("v3", service=service)
    place.release_set("v2")
    place.wait_set("Succeeded")
    place.deploy("v3", "api")
    place.wait_set("Drifted")
    status = place.until_set(lambda: _back(place), "the set to be Ready again")
    assert len(status["history"]) == 1 and status["history"][0]["outcome"] == "Succeeded", "it is no deployment set of its own"
    child = place.children()["api"]
    assert child["status"]["history"][0]["cause"] == "DriftCorrection"


def _back(place: Place) -> Any:
    corrected = place.children()["api"]["status"]["history"][0]
    status = place.set_status()
    return status if corrected["cause"] == "DriftCorrection" and condition(status, "Ready").get("reason") == "Succeeded" else None


def test_a_child_of_a_suspended_set_is_not_corrected(place: Place) -> None:
    place.services("web")
    correct(place)
    place.push("v2")
    place.push("v3")
    place.release_set("v2")
    place.wait_set("Succeeded")
    place.release_set("v2", suspend=True)
    place.deploy("v3")
    name = place.children()["web"]["metadata"]["name"]
    place.wait("Suspended", name)
    place.stays("Suspended", name, seconds=3)
    assert len(place.updates()) == 1
    place.release_set("v2")
    place.wait("Succeeded", name)
