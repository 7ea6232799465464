"""What is warned of when an attempt begins, and what is waited for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.names import RETRY_ANNOTATION
from ecs_release.api.release_status import Pin, PinnedImage, Running
from ecs_release.domain.decision.decision import Draft
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ecs.service import Outage, Service, TaskDefinition
from ecs_release.domain.release.decide import decide
from ecs_release.domain.rules.new_attempt import foreign_deployment, no_rollback
from tests.builders.conditions import ready_and_reconciling
from tests.builders.ecs import NEW, NOW, OLD, OTHER, deployment, revision, service, task, task_definition
from tests.builders.facts import changed
from tests.builders.objects import environment, release, target
from tests.builders.scenarios import PAUSE, attempt_due, attempt_under_way, service_deployment, with_rollout

GUARDED = {"circuit_breaker": True, "rollback": True}


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (service(deployment(1), **GUARDED), ""),
        (service(deployment(1, state=None), **GUARDED), ""),
        (service(deployment(1)), "no deployment circuit breaker"),
        (service(deployment(1), circuit_breaker=True), "does not roll back"),
        (service(deployment(1, state="FAILED"), **GUARDED), "nothing to return to"),
    ],
)
def test_a_deployment_that_ecs_would_not_roll_back_is_warned_of(seen: Service, why: str) -> None:
    assert why in no_rollback(seen)
    assert bool(no_rollback(seen)) == bool(why)


@pytest.mark.parametrize(
    ("age_s", "more", "waited_for"),
    [
        (1000, {}, True),
        (2000, {}, True),
        (2200, {}, False),
        (None, {}, True),
        (100_000, {"foreign": service_deployment(hooks=(PAUSE,))}, True),
        (100_000, {"foreign": service_deployment()}, False),
        (None, {"foreign": service_deployment()}, True),
        (100_000, {"outage": Outage(NOW - timedelta(seconds=100_000), NOW - timedelta(seconds=2000))}, True),
        (100_000, {"outage": Outage(NOW - timedelta(seconds=2000), NOW)}, False),
    ],
)
def test_somebody_elses_deployment_may_bake_and_pause(age_s: float | None, more: dict[str, Any], waited_for: bool) -> None:
    """The deadline is 1800 s, and the service bakes for 300. The age is since it was seen under way; a pause that has ended left none."""
    seen = service(deployment(3, state="IN_PROGRESS", age_s=100_000), tasks=(task(3, OLD),), strategy="BLUE_GREEN", bake_s=300)
    given = attempt_under_way(seen, **more)
    since = NOW - timedelta(seconds=age_s) if age_s is not None else None
    running = Running(deployment_id="ecs-svc/3", under_way_since_time=since)
    given = changed(given, status=given.status.model_copy(update={"running": running}))
    assert (foreign_deployment(given, Draft.of(given.status), seen) is not None) is waited_for


def test_what_holds_somebody_elses_deployment_is_said() -> None:
    seen = service(deployment(3, state="IN_PROGRESS", age_s=100_000), tasks=(task(3, OLD),), strategy="BLUE_GREEN")
    given = attempt_under_way(seen, foreign=service_deployment(hooks=(PAUSE,)))
    status = given.status.model_copy(update={"rollout": None})
    decision = decide(changed(given, status=status))
    assert ready_and_reconciling(decision) == ("False", "AwaitingSteady", "True")
    assert "hook ABC at POST_SCALE_UP awaits action" in str(decision.status.summary)
    assert decision.status.running is not None
    assert (decision.status.running.under_way_since_time, decision.fast) == (None, True)


@pytest.mark.parametrize(
    ("what", "outcome", "beside", "reason", "waited_for"),
    [
        ("its own, which a newer attempt replaces", None, (), "", False),
        ("its own, too late", "DeadlineExceeded", (), "", False),
        ("its own, that scales", "Succeeded", (), "", False),
        ("a rollback to it", "Succeeded", (deployment(5, status="ACTIVE", state="FAILED"),), "", True),
        ("a rollback to it, by ECS's words", "Superseded", (), "ECS deployment circuit breaker: rolling back to deploymentId 2.", True),
    ],
)
def test_a_rollback_to_the_latest_attempts_own_deployment_is_waited_for(
    what: str, outcome: str | None, beside: tuple[Any, ...], reason: str, waited_for: bool
) -> None:
    seen = service(deployment(2, state="IN_PROGRESS", age_s=100_000, rollout_state_reason=reason), *beside, tasks=(task(2),))
    given = with_rollout(attempt_under_way(seen), outcome=outcome)
    assert (foreign_deployment(given, Draft.of(given.status), seen) is not None) is waited_for, what


COMES_UP = service(
    deployment(2, state="IN_PROGRESS"), deployment(1, status="ACTIVE"), tasks=(task(2), task(1, OLD)), circuit_breaker=True, rollback=True
)


def untried(seen: Service = COMES_UP, *, revision: TaskDefinition | None = None, retry: bool = False, **more: Any) -> Facts:
    """A source that has had no attempt, and a deployment of somebody else; its revision names the wanted digest, if nothing else is given."""
    given = attempt_due()
    places = {"attempt_id": "b", **more}
    if "environment" in places:
        places["target"] = target(places["environment"])
    web = release(annotations={RETRY_ANNOTATION: "1"} if retry else {})
    status = given.status.model_copy(update={"last_handled_retry": None})
    running = revision or task_definition(2, NEW)
    return changed(given, release=web.model_copy(update={"status": status}), seen=seen, running=running, **places)


BY_TAG = {"environment": environment(rollout={"method": "EnvironmentTag"}, artifacts={"environmentTag": "env.prod"}), "tags": {"app": NEW}}
TAGGED = task_definition(2, "")
FAILED = service(deployment(2, state="FAILED"), deployment(1, status="ACTIVE"), tasks=(task(2), task(1, OLD)))
ONE_OF_TWO = service(deployment(2, state="IN_PROGRESS"), deployment(1, status="ACTIVE", desired=0, running=0), tasks=(task(2),))
NO_TASK_YET = service(deployment(2, state="IN_PROGRESS"), deployment(1, status="ACTIVE"), tasks=(task(1, OLD),))


@pytest.mark.parametrize(
    ("given", "followed"),
    [
        pytest.param(untried(), True, id="the revision names the wanted digest"),
        pytest.param(untried(NO_TASK_YET), True, id="the same, before its first task"),
        pytest.param(untried(ONE_OF_TWO), True, id="the same, when one of two tasks runs, and no other"),
        pytest.param(untried(environment=environment(suspend={"reason": "audit"})), True, id="it is suspended: nothing is called"),
        pytest.param(untried(revision=TAGGED, **BY_TAG), True, id="the revision names a tag, and its tasks show the wanted digest"),
        pytest.param(untried(NO_TASK_YET, revision=TAGGED, **BY_TAG), False, id="the same, before its first task: it may run anything"),
        pytest.param(untried(revision=task_definition(2, OTHER)), False, id="the revision names another digest"),
        pytest.param(untried(FAILED), False, id="ECS has given it up"),
        pytest.param(untried(retry=True), False, id="a retry may deploy over it"),
    ],
)
def test_a_deployment_of_the_wanted_images_that_is_under_way_is_followed(given: Facts, *, followed: bool) -> None:
    decision = decide(given)
    rollout = decision.status.rollout
    assert (rollout is not None and rollout.cause == "Adopted", decision.act) == (followed, None)
    assert ready_and_reconciling(decision)[0] != "True"
    if rollout is not None and followed:
        assert (rollout.deployment_id, rollout.outcome, rollout.rollback_target) == ("ecs-svc/2", None, revision(1))
        assert rollout.intent is not None and rollout.intent.deployments == ["ecs-svc/1"]


def test_what_was_adopted_under_way_stays_somebody_elses() -> None:
    """A newer source waits for it, as it would have if its images were others."""
    given = untried()
    adopted = decide(given).status
    newer = Pin(source_hash="newer", resolved_time=NOW, images=[PinnedImage(container="app", digest=OTHER)])
    decision = decide(changed(given, status=adopted, pin=newer))
    assert (ready_and_reconciling(decision)[1], decision.act) == ("AwaitingSteady", None)
    assert decision.status.rollout is not None and (decision.status.rollout.cause, decision.status.rollout.outcome) == ("Adopted", None)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (service(deployment(2), tasks=(task(2), task(2))), ("True", "Succeeded")),
        (service(deployment(1, rollout_state_reason="ECS rolled back"), tasks=(task(1, OLD),)), ("False", "RolledBack")),
        (service(deployment(2, state="FAILED"), tasks=(task(2),)), ("False", "RolloutFailed")),
    ],
)
def test_what_was_adopted_under_way_ends_as_its_deployment_does(seen: Service, expected: tuple[str, str]) -> None:
    given = untried()
    adopted = decide(changed(given, now=NOW - timedelta(seconds=60))).status
    decision = decide(changed(given, status=adopted, seen=seen, missing_since=NOW - timedelta(seconds=60)))
    assert (ready_and_reconciling(decision)[:2], decision.act) == (expected, None)


def test_what_ecs_has_given_up_is_tried_again_though_all_its_tasks_run() -> None:
    """A circuit breaker or an alarm failed it, and nothing rolls it back: a retry is no request for what runs already."""
    seen = service(deployment(2, state="FAILED"), tasks=(task(2), task(2)))
    given = with_rollout(attempt_under_way(seen, attempt_id="b"), outcome="RolloutFailed", message="the circuit breaker")
    assert ready_and_reconciling(decide(given))[:2] == ("False", "RolloutFailed")
    retried = given.release.metadata.model_copy(update={"annotations": {RETRY_ANNOTATION: "1"}})
    decision = decide(changed(given, release=given.release.model_copy(update={"metadata": retried})))
    rollout = decision.status.rollout
    assert rollout is not None and (rollout.attempt_id, rollout.cause, rollout.outcome) == ("b", "Retry", None)
    assert decision.status.last_handled_retry == "1"
