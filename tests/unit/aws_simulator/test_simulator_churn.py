"""Churn in the simulator: autoscaling and Spot are no deployments, and leave their traces."""

from __future__ import annotations

import random
import time

import pytest

from tests.aws_simulator.churn import churn
from tests.aws_simulator.client import Simulator, image_name


def test_it_is_no_deployment_and_ends_steady(sim: Simulator) -> None:
    sim.push_image("app", ["v1"])
    sim.create_service("web", {"app": image_name("app", "v1")}, desired=3)
    before = sim.wait_steady("web")["deployments"][0]
    with churn(sim, "web", desired=(1, 3, 6), every_s=0.1) as done:
        time.sleep(2)
    assert done.scaled > 5 and done.lost > 5
    sim.scale("web", 3)
    after = sim.wait_steady("web")
    assert [d["id"] for d in after["deployments"]] == [before["id"]] and after["taskDefinition"] == before["taskDefinition"]
    assert (after["desiredCount"], after["runningCount"]) == (3, 3)
    ecs = sim.client("ecs")
    stopped = ecs.list_tasks(cluster="main", serviceName="web", desiredStatus="STOPPED")["taskArns"]
    codes = [t["stopCode"] for t in ecs.describe_tasks(cluster="main", tasks=stopped[:100])["tasks"]]
    assert codes.count("SpotInterruption") > 5 and codes.count("ServiceSchedulerInitiated") > 0
    assert any("has started" in e["message"] for e in after["events"])


def test_nothing_that_runs_is_nothing_to_lose(sim: Simulator) -> None:
    sim.push_image("app", ["v1"])
    sim.create_service("web", {"app": image_name("app", "v1")}, desired=0)
    assert sim.lose_any_task("web", random.Random(1)) == ""


def test_a_fault_of_the_churn_is_not_swallowed(sim: Simulator) -> None:
    sim.client("ecs").create_cluster(clusterName="main")
    with pytest.raises(Exception, match="ServiceNotFound"), churn(sim, "none", every_s=0.05):
        time.sleep(0.5)
