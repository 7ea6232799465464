"""A target that becomes another one: nothing is deployed there unasked, and what was under way is not called what it was not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from ecs_release.api.names import RETRY_ANNOTATION
from ecs_release.domain.decision.facts import Doubt, Facts
from ecs_release.domain.ecs.service import Service
from ecs_release.domain.release.decide import decide
from tests.builders.conditions import condition, ready
from tests.builders.ecs import NEW, NOW, OLD, deployment, service, task, task_definition
from tests.builders.facts import changed
from tests.builders.objects import release
from tests.builders.scenarios import BOTH, RUNS, attempt_under_way, drifted, with_rollout

OTHER_SERVICE = service(deployment(1), tasks=(task(1, OLD), task(1, OLD)), arn="arn:aws:ecs:eu-west-1:111122223333:service/main/api")
MADE_AGAIN = replace(OTHER_SERVICE, arn=BOTH.arn, created_at=NOW)


def at(seen: Service, given: Facts) -> Facts:
    """The same at another service, where revision 1 runs; status has the former one as its target."""
    before = changed(given, seen=BOTH).target_seen
    return changed(given, seen=seen, status=given.status.model_copy(update={"target": before}), running=task_definition(1, OLD))


def under_way(intent: str, *, doubt: bool = False, deployed: bool = False) -> Facts:
    """An attempt that has announced an action; AWS has accepted it only if a deployment is known."""
    given = with_rollout(
        attempt_under_way(BOTH),
        intent={"action": intent, "accepted_time": NOW if deployed else None},
        deployment_id="ecs-svc/2" if deployed else None,
    )
    return changed(given, doubt=Doubt(NOW - timedelta(seconds=60)) if doubt else None)


@pytest.mark.parametrize("seen", [pytest.param(OTHER_SERVICE, id="another service"), pytest.param(MADE_AGAIN, id="made again")])
@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        pytest.param(under_way("UpdateService", deployed=True), "TargetChanged", id="it was deployed"),
        pytest.param(under_way("UpdateService", doubt=True), "TargetChanged", id="it may have been deployed"),
        pytest.param(under_way("UpdateService"), "Abandoned", id="it was about to be deployed"),
        pytest.param(under_way("RegisterTaskDefinition", doubt=True), "Abandoned", id="it was being registered"),
    ],
)
def test_an_attempt_ends_by_what_may_have_reached_ecs(seen: Service, given: Facts, outcome: str) -> None:
    decision = decide(at(seen, given))
    assert (decision.act, ready(decision.status)) == (None, ("False", "TargetChanged"))
    assert [e.outcome for e in decision.status.history or ()] == [outcome]


@pytest.mark.parametrize(
    ("seen", "outcome"),
    [
        pytest.param(RUNS, "SucceededLate", id="it has come up"),
        pytest.param(service(deployment(1), tasks=(task(1, OLD), task(1, OLD))), "RolledBack", id="it was rolled back"),
        pytest.param(BOTH, "TargetChanged", id="it comes up"),
    ],
)
def test_a_deployment_is_followed_again_when_the_target_comes_back(seen: Service, outcome: str) -> None:
    away = decide(at(OTHER_SERVICE, with_rollout(attempt_under_way(BOTH), stage="IN_PROGRESS"))).status
    back = changed(attempt_under_way(BOTH), status=away, seen=seen, missing_since=NOW - timedelta(minutes=1))
    decision = decide(back)
    assert decision.act is None
    assert [(e.attempt_id, e.outcome) for e in decision.status.history or ()] == [("a", outcome)]


def asked(*, suspended: bool = False, token: str = "") -> Facts:
    """Drift at another service, whose Release was Ready at the former one."""
    web = release(annotations={RETRY_ANNOTATION: token} if token else {}, suspend=suspended)
    given = at(OTHER_SERVICE, drifted(RUNS, stood_s=None))
    return changed(given, release=web.model_copy(update={"status": given.status}))


def test_a_retry_takes_the_target_in_when_its_attempt_begins() -> None:
    waits = decide(asked(suspended=True, token="1"))
    assert ready(waits.status) == ("False", "Suspended")
    assert waits.status.target == asked().status.target, "it may still be withdrawn"
    withdrawn = decide(changed(asked(), status=waits.status))
    assert (ready(withdrawn.status), withdrawn.status.drift) == (("False", "TargetChanged"), None)
    begins = decide(changed(asked(token="1"), status=waits.status))
    assert begins.status.target == asked().target_seen
    assert begins.status.rollout is not None and (begins.status.rollout.cause, begins.status.rollout.outcome) == ("Retry", None)


def test_while_a_retry_waits_nothing_is_ready_at_a_target_where_nothing_was_released() -> None:
    moving = replace(OTHER_SERVICE, deployments=(deployment(2, state="IN_PROGRESS"),), running=2, tasks=(task(2), task(2)))
    waits = decide(changed(asked(suspended=True, token="1"), seen=moving, running=task_definition(2, NEW)))
    assert ready(waits.status) == ("False", "Suspended")


def test_a_retry_that_has_nothing_to_do_takes_the_target_in() -> None:
    """No task is wanted there, and one would run the wanted images."""
    idle = replace(OTHER_SERVICE, deployments=(deployment(2, desired=0, running=0),), desired=0, running=0, tasks=())
    decision = decide(changed(asked(token="1"), seen=idle, running=task_definition(2, NEW)))
    assert ready(decision.status) == ("True", "NothingRunning")
    assert (decision.act, decision.status.target) == (None, asked().target_seen)
    assert ready(decide(changed(asked(), status=decision.status, seen=idle, running=task_definition(2, NEW))).status)[0] == "True"


def test_a_new_source_takes_the_target_in() -> None:
    given = asked(suspended=True)
    pin = given.status.pin
    assert pin is not None
    decision = decide(changed(given, pin=pin.model_copy(update={"resolved_time": NOW})))
    assert decision.status.target == given.target_seen


def test_what_runs_at_the_new_target_is_adopted() -> None:
    there = replace(OTHER_SERVICE, deployments=(deployment(2),), tasks=(task(2), task(2)))
    decision = decide(changed(asked(), seen=there, running=task_definition(2, NEW)))
    assert ready(decision.status) == ("True", "Succeeded")
    assert decision.status.target is not None and decision.status.target.service_arn == there.arn
    assert condition(decision.status, "Deployed").status == "True"
