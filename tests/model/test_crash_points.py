"""The operator dies at each of its calls, or gets no answer: what was promised holds, and everything comes to rest."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.model.crash_points import LOOKS, SCENARIOS, CrashPoint, crash_at, crashed_at, fewer_reads, points, to_rest
from tests.model.faults import CRASH_AFTER, LOST_AFTER, READS, WRITES

_EVERY, _MOST_READS = 13, 20
"""Of the calls that change nothing in AWS, so many-th is met here, and of the reads of a scenario so many; `make soak` meets far more."""


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_operator_may_die_at_any_call(name: str) -> None:
    scenario = SCENARIOS[name]
    found = [(point, violation) for point in _chosen(list(points(scenario))) for violation in crash_at(scenario, point)]
    assert found == [], to_rest(scenario).to_json()


def _chosen(found: Sequence[CrashPoint]) -> list[CrashPoint]:
    """Choose all points of calls that change something in AWS, and some of the others, spread evenly."""
    few = fewer_reads(found, _MOST_READS, _EVERY)
    written = [p for p in few if p.call not in (*WRITES, *LOOKS)]
    return [p for p in few if p.call in WRITES or p.call in LOOKS] + written[::_EVERY]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "call"), [("abort", "stop_service_deployment"), ("abort without service deployments", "update_service")])
def test_an_abort_is_one_wherever_its_call_is_lost(name: str, call: str) -> None:
    """What took the deployment back is not ECS's doing, nor somebody else's, though nobody has seen the answer."""
    asked = [point for point in points(SCENARIOS[name], reads=False) if point.call == call]
    assert asked
    for point in (p for p in asked if p.index == asked[-1].index and p.fault in (CRASH_AFTER, LOST_AFTER)):
        with crashed_at(SCENARIOS[name], point) as run:
            status = (run.scene.objects.get(run.scene.key()) or {})["status"]
            assert status["history"][0]["outcome"] == "Aborted", point
            assert not status.get("foreign"), point


def test_each_call_that_changes_something_is_met() -> None:
    met = {point.call for scenario in SCENARIOS.values() for point in points(scenario, reads=False)}
    assert met >= {*WRITES, "write_status", "create", "replace"}
    assert met.isdisjoint(READS)


def test_a_point_that_is_not_met_is_an_error() -> None:
    scenario = SCENARIOS["adoption"]
    last = list(points(scenario))[-1]
    assert crash_at(scenario, last) == []
    with pytest.raises(AssertionError, match="was not met"):
        crash_at(scenario, type(last)(10**6, last.call, last.fault))
