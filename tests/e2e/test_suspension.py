"""Suspensions that end by themselves: of a Release, a ReleaseSet, an Environment; while the operator runs, and while it is down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.e2e.bed import READY, Place, condition, triple
from tests.e2e.sets import push


def until(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def told(place: Place, name: str = "web") -> list[str]:
    return sorted(e["reason"] for e in place.events(name) if e["reason"].startswith("Suspension"))


def suspended(seconds: float, reason: str = "stocktaking") -> dict[str, Any]:
    return {"suspend": True, "suspension": {"reason": reason, "until": until(seconds)}}


def test_it_ends_by_itself_and_the_spec_stays(shop: Place) -> None:
    shop.push("v2")
    shop.release("v2", **suspended(12))
    status = shop.wait("Suspended", phase="Suspended")
    assert "spec.suspend is true (stocktaking): nothing is changed in AWS before" in condition(status, "Ready")["message"]
    assert status["suspension"]["state"] == "EndsSoon" and shop.mutations() == []
    spec = shop.get()["spec"]
    status = shop.wait("Succeeded")
    assert triple(status) == READY and status["suspension"] == {"until": spec["suspension"]["until"], "state": "Ended"}
    assert shop.get()["spec"] == spec, "a person's"
    shop.until(lambda: told(shop) == ["SuspensionEnded", "SuspensionEnds"], "the Events")
    shop.bed.restart_operator()
    shop.push("v3")
    shop.release("v3", suspend=True, suspension=spec["suspension"])
    shop.wait("Succeeded")
    assert told(shop) == ["SuspensionEnded", "SuspensionEnds"], "each once"


def test_an_end_that_is_past_suspends_nothing_and_is_named(shop: Place) -> None:
    shop.push("v2")
    shop.release("v2", **suspended(-60))
    assert shop.wait("Succeeded")["suspension"]["state"] == "Ended"
    event = shop.until(lambda: [e for e in shop.events() if e["reason"] == "SuspensionEnded"], "the Event")[0]
    assert event["type"] == "Warning" and "which is past: it suspends nothing" in event["note"]


def test_another_end_counts_at_once(shop: Place) -> None:
    shop.push("v2")
    shop.release("v2", **suspended(8))
    shop.wait("Suspended")
    shop.release("v2", **suspended(3600, "longer than thought"))
    shop.until(lambda: "longer than thought" in condition(shop.status(), "Ready").get("message", ""), "the new end")
    shop.stays("Suspended", seconds=12)
    assert shop.mutations() == []
    shop.release("v2", **suspended(2))
    shop.wait("Succeeded")


def test_what_ended_while_the_operator_was_down_goes_on_with_it(shop: Place) -> None:
    shop.push("v2")
    shop.release("v2", **suspended(8))
    shop.wait("Suspended")
    shop.bed.operator.stop()
    ends = shop.get()["spec"]["suspension"]["until"]
    try:
        shop.until(lambda: until(0) > ends, "its end")
    finally:
        shop.bed.operator.start()
        shop.bed.operator.wait_until_ready()
    shop.wait("Succeeded")
    shop.until(lambda: told(shop) == ["SuspensionEnded", "SuspensionEnds"], "the Events")


def test_the_latest_that_still_holds_wins(shop: Place) -> None:
    """The message names both as long as they do."""
    shop.push("v2")
    shop.environment(suspend={"reason": "incident 7", "until": until(6)})
    shop.release("v2", **suspended(90))
    message = condition(shop.wait("Suspended"), "Ready")["message"]
    assert "incident 7" in message and "stocktaking" in message
    shop.until(lambda: "incident 7" not in condition(shop.status(), "Ready")["message"], "the Environment's end")
    assert condition(shop.status(), "Ready")["reason"] == "Suspended" and shop.mutations() == []
    assert shop.get_environment()["status"]["suspension"]["state"] == "Ended"
    shop.release("v2", **suspended(1))
    shop.wait("Succeeded")


def test_a_set_goes_on_in_its_waves(place: Place) -> None:
    place.services("api", "web")
    place.environment()
    push(place, "v2", "api", "web")
    place.release_set("v2", strategy={"waves": [{"services": ["api"]}, {"services": ["web"]}]}, **suspended(10))
    status = place.wait_set("Suspended")
    assert "no further service starts before" in condition(status, "Ready")["message"] and place.mutations() == []
    assert place.wait_set("Succeeded")["suspension"]["state"] == "Ended"
    assert {"SuspensionEnds", "SuspensionEnded"} <= {e["reason"] for e in place.events("all")}


def test_an_environment_ends_for_all_and_says_so(place: Place) -> None:
    names = [f"s{n}" for n in range(6)]
    place.services(*names)
    place.environment(suspend={"reason": "audit week", "until": until(15)})
    for name in names:
        place.push("v2", service=name)
        place.release("v2", name=name, service=name)
    for name in names:
        assert "audit week" in condition(place.wait("Suspended", name), "Ready")["message"]
    for name in names:
        place.wait("Succeeded", name)
    begun = sorted(place.status(name)["history"][0]["startTime"] for name in names)
    assert begun[0] >= place.get_environment()["spec"]["suspend"]["until"] and len(set(begun)) > 1, "not all at once"
    listed = place.bed.cluster.get("events.events.k8s.io", "-n", "default")["items"]
    assert {"SuspensionEnds", "SuspensionEnded"} <= {e["reason"] for e in listed if e["regarding"]["name"] == place.name}
