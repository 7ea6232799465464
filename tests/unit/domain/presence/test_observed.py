"""A status that the operator does not renew any more, and one that is about what was seen just now: each as `decide` writes it."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_release.api.conditions import Reason
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.model.conditions import find
from ecs_release.domain.model.errors import Blocked, Problem, Waiting
from ecs_release.domain.presence.observed import unobserved
from ecs_release.domain.release.decide import decide
from tests.builders.facts import changed, facts
from tests.builders.scenarios import RUNS


def status(**parts: Any) -> ReleaseStatus:
    """What is written after a look, and then of other facts."""
    given = facts(seen=RUNS)
    return decide(changed(given, status=decide(given).status, **parts)).status


@pytest.mark.parametrize(
    "problem",
    [
        Blocked(Reason.TARGET_NOT_ALLOWED, "ask its owner"),
        Blocked(Reason.INVALID_SPEC, "no such service"),
        Waiting(Reason.AWAITING_PROJECT, "there is no Project"),
        Waiting(Reason.AWAITING_ENVIRONMENT, "there is no Environment"),
    ],
)
def test_of_a_release_that_goes_nowhere_what_ran_last_is_left(problem: Problem) -> None:
    found = status(place_problem=problem, target=None, look=None)
    assert found.running is not None, "so it would be taken for what runs"
    ready = unobserved(found.conditions)
    assert ready is not None and (ready.reason, ready.message) == (problem.reason, problem.message)


@pytest.mark.parametrize("problem", [Blocked(Reason.ARTIFACT_NOT_FOUND, "no such tag"), Blocked(Reason.SOURCE_NOT_READY, "not there yet")])
def test_one_that_is_stalled_for_another_reason_is_looked_at(problem: Problem) -> None:
    found = status(wanted_problem=problem, seen=RUNS)
    assert found.running is not None and found.running.running_count == 2
    in_sync = find(found.conditions, "InSync")
    assert in_sync is not None and in_sync.reason == "NotObserved", "nothing is pinned that could be compared"
    assert unobserved(found.conditions) is None
