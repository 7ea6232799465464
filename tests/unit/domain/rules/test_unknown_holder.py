"""Who holds a service may not be known yet: that delays what begins, and no status."""

from __future__ import annotations

from typing import Any

import pytest

from ecs_release.api.conditions import Condition
from ecs_release.domain.decision.decision import MoveTags, Register, Stop, Update
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.environments.claims import Claim
from ecs_release.domain.model.conditions import find
from ecs_release.domain.release.decide import decide
from tests.builders.conditions import ready_and_reconciling
from tests.builders.ecs import NEW, NOW, OTHER, deployment, service, task, task_definition
from tests.builders.facts import changed
from tests.builders.scenarios import attempt_due, attempt_under_way, deployed, drifted, with_rollout

MINE = Claim(NOW, "shop/web")
OLDER, YOUNGER = (Claim(NOW.replace(year=year), name, is_known=False) for year, name in ((2020, "a/web"), (2040, "z/web")))
UNKNOWN = ("Unknown", "ProgressingWithRetry", "True")


def runs_new(**more: Any) -> Facts:
    """An attempt is due, and its images run already."""
    return changed(attempt_due(), seen=service(deployment(2), tasks=(task(2), task(2))), running=task_definition(2, NEW), **more)


@pytest.mark.parametrize("given", [attempt_due(), runs_new()], ids=["to be deployed", "runs already"])
def test_nothing_begins_and_nothing_is_adopted_before_it_is_known(given: Facts) -> None:
    waits = decide(changed(given, claims=(MINE, OLDER)))
    assert (waits.act, waits.status.rollout, waits.status.history) == (None, None, None)
    assert ready_and_reconciling(waits) == UNKNOWN
    ready = find(waits.status.conditions, "Ready")
    assert ready is not None and "Release a/web would hold" in ready.message
    for known in ((MINE,), (MINE, YOUNGER)):
        assert decide(changed(given, claims=known)).status.rollout is not None


def test_a_call_that_is_announced_is_not_made_before_it_is_known() -> None:
    for act in ("RegisterTaskDefinition", "UpdateService"):
        given = announced(act)
        assert isinstance(decide(changed(given, claims=(MINE,))).act, Register | Update | MoveTags)
        waits = decide(changed(given, claims=(MINE, OLDER)))
        assert waits.act is None and ready_and_reconciling(waits) == UNKNOWN


def announced(act: str) -> Facts:
    given = attempt_under_way(service(deployment(1), tasks=(task(1, OTHER),)), intent=act, running=task_definition(1, OTHER))
    intent = {"action": act, "accepted_time": None, "deployments": ["ecs-svc/1"], "primary_id": "ecs-svc/1"}
    return with_rollout(given, intent=intent, deployment_id=None)


def test_what_is_under_way_is_followed_and_taken_back_all_the_same() -> None:
    given = attempt_under_way()
    assert decide(changed(given, claims=(MINE, OLDER))) == decide(changed(given, claims=(MINE,)))
    stopping = attempt_under_way(intent="StopServiceDeployment")
    decision = decide(changed(stopping, claims=(MINE, OLDER)))
    assert isinstance(decision.act, Stop) and decision == decide(changed(stopping, claims=(MINE,)))


def test_a_release_at_rest_is_reported_as_it_is() -> None:
    assert decide(changed(deployed(), claims=(MINE, OLDER))) == decide(changed(deployed(), claims=(MINE,)))


def test_drift_is_reported_and_not_corrected_before_it_is_known() -> None:
    given = drifted()
    assert decide(given).status.rollout != given.status.rollout
    waits = decide(changed(given, claims=(MINE, OLDER)))
    assert waits.status.rollout == given.status.rollout and ready_and_reconciling(waits)[1] == "Drifted"


@pytest.mark.parametrize(("generation", "reason"), [(1, "TargetConflict"), (0, "ProgressingWithRetry")])
def test_a_conflict_stays_until_it_is_known_to_have_ended(generation: int, reason: str) -> None:
    given = attempt_due()
    conflict = Condition(type="Ready", status="False", last_transition_time=NOW, reason="TargetConflict", message="held by a/web")
    status = given.status.model_copy(update={"conditions": [conflict], "observed_generation": generation})
    decision = decide(changed(given, status=status, claims=(MINE, OLDER)))
    ready = find(decision.status.conditions, "Ready")
    assert decision.act is None and ready is not None and ready.reason == reason
    assert decide(changed(given, status=status, claims=(MINE,))).status.rollout is not None
