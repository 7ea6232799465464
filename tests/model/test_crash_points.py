"""The operator dies at each of its calls, or gets no answer: what was promised holds, and everything comes to rest."""

from __future__ import annotations

import pytest

from tests.model.crash_points import SCENARIOS, crash_at, points, to_rest
from tests.model.faults import READS, WRITES

_EVERY = 13
"""Of the calls that change nothing in AWS, so many-th is met here; `make soak` meets all."""


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_operator_may_die_at_any_call(name: str) -> None:
    scenario = SCENARIOS[name]
    chosen = [p for n, p in enumerate(points(scenario)) if p.call in WRITES or n % _EVERY == 0]
    found = [(point, violation) for point in chosen for violation in crash_at(scenario, point)]
    assert found == [], to_rest(scenario).to_json()


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
