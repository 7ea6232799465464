"""kubectl as the tracking view: what it prints, waits for and tells."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from tests.control_plane.cluster import KubectlError
from tests.e2e.bed import Place


def test_events_tell_the_story(shop: Place) -> None:
    shop.push("crash.v2", "v2")
    shop.release("v2")
    shop.wait("RolledBack")
    shop.until(lambda: any(e["reason"] == "RolledBack" for e in shop.events()), "the Event")
    shown = shop.kubectl("describe", "release", "web")
    assert "RollingOut" in shown
    assert "Warning" in shown
    event = next(e for e in shop.events() if e["reason"] == "RolledBack")
    assert (event["reportingController"], event["type"]) == ("ecs-release.dev/operator", "Warning")
    assert event["note"].startswith("ECS rolled back to")
    assert len(shop.events()) <= 3


def test_kubectl_wait_waits_for_the_spec_that_was_applied(shop: Place) -> None:
    shop.release("v1")
    shop.wait("Succeeded")
    shop.push("v2")
    shop.release("v2")
    assert "condition met" in shop.kubectl("wait", "release/web", "--for=condition=Ready", "--timeout=40s")
    assert shop.status()["running"]["hash"] == "v2"
    shop.release("not-there")
    with pytest.raises(KubectlError, match="timed out"):
        shop.kubectl("wait", "release/web", "--for=condition=Ready", "--timeout=3s")


def test_releases_are_found_by_what_runs(shop: Place) -> None:
    shop.release("v1")
    shop.wait("Succeeded")
    selector = f"status.summary.runningHash=v1,spec.environmentRef.name={shop.name}"
    assert shop.kubectl("get", "releases", "-A", f"--field-selector={selector}", "-o", "name").strip() == "release.ecs-release.dev/web"


def test_an_environment_says_how_fresh_the_claim_is(shop: Place) -> None:
    shop.release("v1")
    shop.wait("Succeeded")
    environment = shop.until(lambda: (e := shop.get_environment()).get("status", {}).get("lastSweepTime") and e, "lastSweepTime")
    swept = datetime.fromisoformat(environment["status"]["lastSweepTime"])
    assert abs((datetime.now(UTC) - swept).total_seconds()) < 30
    assert environment["status"]["caller"].startswith(f"arn:aws:sts::{shop.account}:assumed-role/{shop.name}/")
    time.sleep(3)
    before = shop.get_environment()["metadata"]["resourceVersion"]
    time.sleep(12)
    assert shop.get_environment()["metadata"]["resourceVersion"] == before, "law 13: once a minute at most"
    row = shop.bed.cluster.kubectl("get", "environment", shop.name).splitlines()[1].split()
    assert row[:5] == [shop.name, shop.account, shop.region, "Deploy", "True"]
