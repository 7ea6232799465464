"""Windows: new intent waits while one is closed; what is under way, and what goes back, passes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from ecs_release.domain.sets.child_manifests import child_name
from tests.control_plane.cluster import KubectlError
from tests.e2e.bed import READY, ROOT, STALLED, WAITING, Place, condition, triple
from tests.e2e.sets import push


def at(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def deny(opens_s: float = 3600, name: str = "freeze") -> dict[str, Any]:
    return {"name": name, "kind": "Deny", "startTime": at(-60), "endTime": at(opens_s), "reason": "stocktaking"}


def test_new_intent_waits_and_says_until_when(shop: Place) -> None:
    shop.environment(windows=[deny()])
    shop.push("v2")
    shop.release("v2")
    status = shop.wait("AwaitingWindow", phase="Waiting")
    assert triple(status) == WAITING
    closed = status["closedWindow"]
    assert (closed["name"], closed["reason"]) == ("freeze", "stocktaking") and closed["nextOpenTime"] > at(3000)
    assert "stocktaking" in condition(status, "Ready")["message"] and "would deploy" in status["plan"]["message"]
    assert shop.mutations() == []
    environment = shop.until(lambda: shop.get_environment()["status"].get("closedWindow"), "the Environment to say so")
    assert environment["name"] == "freeze"
    shop.environment(windows=None)
    status = shop.wait("Succeeded")
    assert "closedWindow" not in status


def test_it_goes_by_itself_when_the_window_opens(shop: Place) -> None:
    shop.environment(windows=[deny(opens_s=6)])
    shop.push("v2")
    shop.release("v2")
    shop.wait("AwaitingWindow")
    assert triple(shop.wait("Succeeded")) == READY


def test_an_allow_window_is_closed_outside(shop: Place) -> None:
    shop.environment(
        windows=[{"name": "leap", "kind": "Allow", "cron": "0 3 29 2 *", "durationSeconds": 3600, "timeZone": "Europe/London"}]
    )
    shop.push("v2")
    shop.release("v2")
    assert shop.wait("AwaitingWindow")["closedWindow"]["name"] == "leap"


def test_a_bad_window_holds_everything_and_is_named(shop: Place) -> None:
    shop.environment(windows=[{"name": "odd", "kind": "Deny", "cron": "0 25 * * *", "durationSeconds": 3600}])
    shop.push("v2")
    shop.release("v2")
    status = shop.wait("InvalidSpec")
    assert triple(status) == STALLED and "odd" in condition(status, "Ready")["message"]
    assert shop.mutations() == []
    shop.until(lambda: condition(shop.get_environment().get("status") or {}, "Ready").get("reason") == "InvalidSpec", "the Environment")


def test_what_is_under_way_is_left_to_finish(shop: Place) -> None:
    shop.push("slow.v2", "v2")
    shop.release("v2")
    shop.deployed()
    shop.environment(windows=[deny()])
    shop.wait("Succeeded")


def test_an_override_lets_one_attempt_through(shop: Place) -> None:
    shop.environment(windows=[deny()])
    for tag in ("v2", "v3"):
        shop.push(tag)
    shop.release("v2")
    shop.wait("AwaitingWindow")
    shop.annotate("web", **{"override-window": "only-a-token"})
    shop.until(lambda: shop.status().get("lastHandledOverride") == "only-a-token", "the bad one to be acknowledged")
    shop.annotate("web", **{"override-window": "inc-7/payments are down"})
    status = shop.wait("Succeeded")
    assert status["lastHandledOverride"] == "inc-7/payments are down"
    assert status["history"][0]["window"] == "freeze: override inc-7: payments are down"
    shop.release("v3", annotations={"ecs-release.dev/override-window": "inc-7/payments are down"})
    shop.wait("AwaitingWindow")
    shop.stays("AwaitingWindow")


def test_an_override_that_nothing_waits_for_is_not_kept(shop: Place) -> None:
    shop.push("v2")
    shop.push("v3")
    shop.release("v2")
    shop.wait("Succeeded")
    shop.annotate("web", **{"override-window": "a/early"})
    shop.until(lambda: shop.status().get("lastHandledOverride") == "a/early", "the token")
    shop.environment(windows=[deny()])
    shop.release("v3", annotations={"ecs-release.dev/override-window": "a/early"})
    shop.wait("AwaitingWindow")
    shop.stays("AwaitingWindow")


def test_a_return_to_what_was_ready_lately_passes_and_is_recorded(shop: Place) -> None:
    shop.push("v2")
    old = next(iter(shop.running()["app"]))
    shop.release("v1")
    shop.wait("Succeeded")
    shop.release("v2")
    shop.wait("Succeeded")
    shop.environment(windows=[deny()])
    shop.release("v1")
    status = shop.wait("Succeeded")
    assert shop.running()["app"] == {old}
    assert "returns to what was Ready" in status["history"][0]["window"]
    assert "WindowPassed" in {e["reason"] for e in shop.events()}


def test_an_abort_passes(shop: Place) -> None:
    shop.push("slow.v2", "v2")
    shop.release("v2")
    shop.deployed()
    shop.environment(windows=[deny()])
    shop.annotate("web", abort="1")
    shop.wait("Aborted")


def test_a_set_waits_is_overridden_as_a_whole_and_rolls_back_through_it(place: Place) -> None:
    place.environment(rollout={"settleSeconds": 0}, windows=[deny()])
    place.services("api", "web")
    push(place, "v2", "api")
    place.push("crash.v2", "v2", service="web")
    waves = [{"services": ["api"]}]
    place.release_set("v2", strategy={"waves": waves, "onFailure": "RollBack"})
    status = place.wait_set("AwaitingWindow")
    assert triple(status) == WAITING and "stocktaking" in condition(status, "Ready")["message"]
    place.annotate("all", "releaseset", **{"override-window": "inc-8/must go"})
    status = place.wait_set("RolledBack")
    assert status["history"][1]["override"] == "inc-8/must go"
    assert place.children()["web"]["status"]["lastHandledOverride"] == "inc-8/must go"
    api = place.children()["api"]["status"]["history"]
    assert api[0]["cause"] == "Rollback" and "a rollback may pass" in api[0]["window"]
    assert "override inc-8: must go" in api[1]["window"]
    assert status["history"][1]["waitedSeconds"] >= 0


def test_only_those_with_the_verb_may_override(shop: Place) -> None:
    cluster = shop.bed.cluster
    cluster.kubectl("apply", "-f", str(ROOT / "examples" / "policies" / "override-window.yaml"))
    subject = {"kind": "User", "name": "dev", "apiGroup": "rbac.authorization.k8s.io"}
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": f"{shop.name}-dev"}}
    rules = [{"apiGroups": ["ecs-release.dev"], "resources": ["releases"], "verbs": ["*"]}]
    cluster.apply({**role, "kind": "ClusterRole", "rules": rules})
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole"}
    binding = {**role, "kind": "ClusterRoleBinding", "subjects": [subject]}
    cluster.apply({**binding, "roleRef": {**reference, "name": f"{shop.name}-dev"}})
    shop.release("v1")
    shop.wait("Succeeded")
    as_dev = ("--as=dev", "annotate", "--overwrite", "release", "web")

    def refused() -> bool:
        try:
            shop.kubectl(*as_dev, "ecs-release.dev/override-window=1/mine")
        except KubectlError as error:
            return "may not override the windows" in str(error)
        shop.kubectl("annotate", "release", "web", "ecs-release.dev/override-window-")
        return False

    shop.until(refused, "the policy to be in force")
    shop.kubectl(*as_dev, "ecs-release.dev/refresh=1")
    meta = {**role["metadata"], "name": f"{shop.name}-override"}
    cluster.apply({**binding, "metadata": meta, "roleRef": {**reference, "name": "ecs-release-override-window"}})
    shop.until(lambda: not refused(), "the verb to be given")


def test_nothing_starts_in_a_suspended_environment(place: Place) -> None:
    place.environment(rollout={"settleSeconds": 0}, suspend={"reason": "audit"})
    place.services("api", "web")
    push(place, "v2", "api", "web")
    place.release_set("v2")
    name = child_name("all", "api")
    place.until_set(lambda: name in {c["metadata"]["name"] for c in place.children().values()}, "the children")
    place.wait("Suspended", name)
    place.until_set(lambda: "audit" in json.dumps(place.set_status()["services"]), "the reason")
    assert place.mutations() == []
    place.environment(rollout={"settleSeconds": 0})
    place.wait_set("Succeeded")
