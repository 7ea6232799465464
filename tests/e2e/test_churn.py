"""Autoscaling and Spot: what only counts tasks flaps no condition, and is written at most once a counts interval (law 13)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from kubernetes import watch

from tests.aws_simulator.churn import churn
from tests.e2e.bed import GROUP, VERSION, Bed, Place, condition
from tests.operator_process import FAST

COUNTS_S, LOOKS_S, LASTS_S = 12, 5, 36
SETTINGS = {**FAST, "ECS_RELEASE_COUNTS_INTERVAL_SECONDS": str(COUNTS_S), "ECS_RELEASE_UNHEALTHY_AFTER_SECONDS": "300"}


@dataclass
class Written:
    """What the API server had of each Release's status: every version of it."""

    versions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def of(self, name: str) -> list[dict[str, Any]]:
        return self.versions.get(name, [])


@contextmanager
def written(place: Place) -> Iterator[Written]:
    """Watch the Releases of a place: the API server sends one event for each write, and none is missed."""
    found, ends, begun = Written(), threading.Event(), place.bed.api.list_namespaced_custom_object(GROUP, VERSION, place.name, "releases")

    def follow() -> None:
        stream = watch.Watch().stream(
            place.bed.api.list_namespaced_custom_object, GROUP, VERSION, place.name, "releases",
            resource_version=begun["metadata"]["resourceVersion"], timeout_seconds=LASTS_S + 5,
        )  # fmt: skip
        for event in stream:
            found.versions.setdefault(event["object"]["metadata"]["name"], []).append(event["object"])
        ends.set()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    yield found
    assert ends.wait(LASTS_S + 15)


@pytest.fixture
def slow_writer(bed: Bed) -> Iterator[None]:
    """An operator that writes counts more seldom than it looks, so that the bound shows."""
    bed.operator.stop()
    bed.operator.start(SETTINGS)
    bed.operator.wait_until_ready()
    yield
    bed.restart_operator()


@pytest.mark.usefixtures("slow_writer")
def test_churn_flaps_nothing_and_is_written_now_and_then(place: Place) -> None:
    place.services("scaled", desired=4)
    place.push("slow.v2", "v2", service="single")
    place.service("v1", "single", desired=1)
    place.project("scaled", "single")
    place.environment(observation={"intervalSeconds": LOOKS_S, "graceSeconds": 60})
    place.push("v2", service="scaled")
    for name in ("scaled", "single"):
        place.release("v2", name)
        place.wait("Succeeded", name)
    ended = {name: place.get(name)["status"] for name in ("scaled", "single")}
    with (
        written(place) as found,
        churn(place.aws, "scaled", desired=(1, 2, 4, 8), cluster=place.name) as scaling,
        churn(place.aws, "single", every_s=1.1, cluster=place.name) as losses,
    ):
        time.sleep(LASTS_S)
    assert scaling.scaled > 20 and scaling.lost > 20 and losses.lost > 3
    for name, before in ended.items():
        versions = found.of(name)
        seen = {(condition(v["status"], "Ready")["status"], condition(v["status"], "Ready")["reason"]) for v in versions}
        assert seen <= {("True", "Succeeded")}, name
        assert {condition(v["status"], "InSync")["status"] for v in versions} <= {"True"}, name
        assert 1 <= len(versions) <= LASTS_S // COUNTS_S + 1, (name, len(versions))
        after = place.status(name)
        for kind in ("Ready", "InSync"):
            assert condition(after, kind)["lastTransitionTime"] == condition(before, kind)["lastTransitionTime"], "it did not even flicker"
        assert after["running"]["sinceTime"] == before["running"]["sinceTime"] and len(after["history"]) == 1
    assert len(place.updates()) == 2
    assert [e["reason"] for e in place.events("scaled") if e["reason"] in ("TasksUnhealthy", "Verifying", "Drifted")] == []
