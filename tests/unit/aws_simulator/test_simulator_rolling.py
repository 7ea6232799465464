"""The simulator's rules of a rolling update: rounding, bounds that are never broken, the circuit breaker's threshold."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.aws_simulator.ecs.rolling import Bounds, breaker_threshold, plan
from tests.unit.aws_simulator.virtual_service import Bench


@pytest.mark.parametrize(
    ("desired", "least_percent", "most_percent", "least", "most"),
    [
        (2, 100, 200, 2, 4),
        (3, 50, 150, 2, 4),
        (3, 100, 125, 3, 3),
        (1, 50, 100, 1, 1),
        (5, 0, 100, 0, 5),
        (0, 100, 200, 0, 0),
        (7, 34, 134, 3, 9),
    ],
)
def test_minimum_is_rounded_up_and_maximum_down(desired: int, least_percent: int, most_percent: int, least: int, most: int) -> None:
    bounds = Bounds(desired, least_percent, most_percent)
    assert (bounds.least_healthy, bounds.most) == (least, most)


@pytest.mark.parametrize(
    ("breaker", "desired", "threshold"),
    [
        ({}, 1, 3),
        ({}, 10, 5),
        ({}, 11, 6),
        ({}, 1000, 200),
        ({"thresholdConfiguration": {"type": "COUNT", "value": 1}}, 10, 1),
        ({"thresholdConfiguration": {"type": "BOUNDED_PERCENT", "value": 10}}, 10, 3),
        ({"thresholdConfiguration": {"type": "UNBOUNDED_PERCENT", "value": 10}}, 10, 1),
        ({"thresholdConfiguration": {"type": "UNBOUNDED_PERCENT", "value": 100}}, 1000, 1000),
    ],
)
def test_threshold_of_the_circuit_breaker(breaker: dict[str, Any], desired: int, threshold: int) -> None:
    assert breaker_threshold(breaker, desired) == threshold


def test_protected_tasks_are_not_replaced() -> None:
    bench = Bench(desired=2)
    bench.settle()
    for task in bench.service.tasks:
        task.protected_until = bench.now + 7200
    old = bench.deploy("healthy:2")
    bench.settle()
    assert len(bench.running) == 4
    assert old.state == "IN_PROGRESS"
    bench.advance(7200)
    assert len(bench.running) == 2
    assert old.state == "COMPLETED"


@settings(max_examples=60, deadline=None)
@given(
    desired=st.integers(1, 7),
    least=st.integers(0, 100),
    most=st.integers(100, 250),
    steps=st.lists(st.tuples(st.sampled_from(["healthy:2", "slow:3", "crash:4", "pullfail:5", "scale"]), st.integers(1, 90)), max_size=5),
)
def test_bounds_hold_at_every_moment_of_any_rollout(desired: int, least: int, most: int, steps: list[tuple[str, int]]) -> None:
    bench = Bench(desired=desired, minimumHealthyPercent=least, maximumPercent=most)
    bench.settle()
    assert sum(t.healthy for t in bench.running) == desired
    bounds = bench.service.bounds
    for image, seconds in [*steps, ("healthy:9", 0)]:
        if image == "scale":
            continue
        bench.deploy(image)
        end = bench.now + seconds
        while (at := bench.service.next_at()) is not None and at <= end:
            bench.now = max(at, bench.now)
            bench.service.catch_up(bench.now)
            staying = [t for t in bench.service.tasks if t.alive and not t.leaving]
            assert sum(t.healthy for t in staying) >= bounds.least_healthy
            assert len(staying) <= bounds.most
        bench.now = end
    bench.settle(3600)
    deadlocked = bounds.least_healthy == desired == bounds.most
    assert (bench.service.primary.state == "COMPLETED") != deadlocked


def test_a_plan_launches_nothing_beyond_what_is_desired() -> None:
    bench = Bench(desired=3)
    bench.settle()
    assert plan(bench.service.bounds, bench.running, [], bench.now) == plan(Bounds(3), bench.running, [], bench.now)
    assert plan(Bounds(3), bench.running, [], bench.now).launch == 0
    assert len(plan(Bounds(1), bench.running, [], bench.now).stop) == 2
