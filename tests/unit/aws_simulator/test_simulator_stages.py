"""The simulator's BLUE_GREEN, LINEAR and CANARY deployments in virtual time: stages, traffic, bake times, hooks, ways to fail."""

from __future__ import annotations

from typing import Any

import pytest

from tests.aws_simulator.behaviour import made_up_digest
from tests.aws_simulator.ecs.failing import alarm
from tests.aws_simulator.ecs.stages import answer_hook, requested
from tests.aws_simulator.ecs.strategies import mistake, step_bake_s, steps, weights
from tests.unit.aws_simulator.virtual_service import Bench

_WAY = ["PRE_SCALE_UP", "SCALE_UP", "POST_SCALE_UP", "TEST_TRAFFIC_SHIFT", "POST_TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT",
        "POST_PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME", "CLEAN_UP"]  # fmt: skip
_BLUE_GREEN: dict[str, Any] = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5}
_BREAKER = {"enable": True, "rollback": True}


def bench(**configuration: Any) -> Bench:
    """A service of two tasks whose first deployment is complete."""
    made = Bench(**{**_BLUE_GREEN, **configuration})
    made.settle()
    assert made.service.primary.state == "COMPLETED"
    return made


def pause(stage: str, **timeout: Any) -> list[dict[str, Any]]:
    return [{"targetType": "PAUSE", "lifecycleStages": [stage], "timeoutConfiguration": timeout}]


def function(stage: str, arn: str = "arn:aws:lambda:eu-west-1:111122223333:function:check") -> list[dict[str, Any]]:
    return [{"targetType": "AWS_LAMBDA", "hookTargetArn": arn, "roleArn": "arn:aws:iam::1:role/r", "lifecycleStages": [stage]}]


def stages_of(made: Bench, deployment: Any) -> list[tuple[str, float, float]]:
    """Walk to the end and list each stage with its production share and how long it lasted."""
    seen: list[tuple[str, float, float]] = []
    while deployment.shifting:
        shift, began = deployment.shift, made.now
        stage = (shift.stage, shift.production)
        made.until(lambda shift=shift, stage=stage: (shift.stage, shift.production) != stage or not deployment.shifting)
        seen.append((*stage, made.now - began))
    return seen


def test_blue_green_goes_through_all_stages_in_order() -> None:
    made = bench()
    seen = stages_of(made, made.deploy("healthy:2"))
    assert [s for s, _, _ in seen] == _WAY
    assert {s: p for s, p, _ in seen} == dict.fromkeys(_WAY[:5], 0.0) | dict.fromkeys(_WAY[5:], 100.0)
    assert {s: t for s, _, t in seen}["BAKE_TIME"] == 300
    assert made.service.records.all[0].status == "SUCCESSFUL"
    assert made.digests() == {made_up_digest("healthy:2")}


def test_linear_shifts_in_equal_steps_and_bakes_after_all_but_the_last() -> None:
    made = bench(strategy="LINEAR", linearConfiguration={"stepPercent": 40.0, "stepBakeTimeInMinutes": 2})
    seen = [(p, t) for s, p, t in stages_of(made, made.deploy("healthy:2")) if s == "PRODUCTION_TRAFFIC_SHIFT"]
    assert seen == [(40.0, 120), (80.0, 120), (100.0, 5)]


def test_canary_shifts_twice() -> None:
    made = bench(strategy="CANARY", canaryConfiguration={"canaryPercent": 0.5, "canaryBakeTimeInMinutes": 3})
    seen = [(p, t) for s, p, t in stages_of(made, made.deploy("healthy:2")) if s == "PRODUCTION_TRAFFIC_SHIFT"]
    assert seen == [(0.5, 180), (100.0, 5)]


@pytest.mark.parametrize(
    ("configuration", "shares", "bake_s"),
    [
        ({"strategy": "LINEAR"}, [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0], 360),
        ({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 33.3}}, [33.3, 66.6, 99.9, 100.0], 360),
        ({"strategy": "CANARY"}, [5.0, 100.0], 600),
        ({"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 100.0}}, [100.0], 600),
        ({"strategy": "BLUE_GREEN"}, [100.0], 0),
    ],
)
def test_defaults_and_shares(configuration: dict[str, Any], shares: list[float], bake_s: float) -> None:
    assert weights(configuration) == shares
    assert step_bake_s(configuration) == bake_s


def test_the_old_revision_keeps_its_tasks_until_clean_up() -> None:
    made = bench()
    blue = made.service.primary
    green = made.deploy("healthy:2")
    assert (requested(made.service, green), requested(made.service, blue)) == (0, 2)
    made.until(lambda: green.shift.stage == "BAKE_TIME")
    assert (requested(made.service, green), requested(made.service, blue)) == (2, 2)
    assert made.digests() == {made_up_digest("healthy:1"), made_up_digest("healthy:2")}
    made.service.stop_task(next(t for t in made.running if t.deployment == blue.id), "Spot", "SpotInterruption", made.now)
    made.advance(60)
    assert sum(t.deployment == blue.id for t in made.running) == 2, "a lost task of the old revision is replaced"
    made.until(lambda: green.shift.stage == "CLEAN_UP")
    assert (requested(made.service, green), requested(made.service, blue)) == (2, 0)
    made.until(lambda: green.state == "COMPLETED")
    assert [d.id for d in made.service.deployments] == [green.id]


def test_reconciling_only_happens_with_more_than_one_active_revision() -> None:
    assert steps(_BLUE_GREEN, first=False, reconcile=True)[0].stage == "RECONCILE_SERVICE"
    made = bench()
    over = made.deploy("healthy:2")
    made.until(lambda: over.shift.stage == "POST_SCALE_UP")
    newer = made.deploy("healthy:3")
    assert newer.shift.stage == "RECONCILE_SERVICE"
    assert made.service.records.all[1].status_at(made.now) == "STOP_REQUESTED"
    made.until(lambda: newer.shift.stage == "PRE_SCALE_UP")
    assert made.digests() == {made_up_digest("healthy:1")}, "what was given up is gone, the old revision is not"
    made.settle(1200)
    assert made.digests() == {made_up_digest("healthy:3")}
    assert [r.status for r in made.service.records.all] == ["SUCCESSFUL", "STOPPED", "SUCCESSFUL"]


@pytest.mark.parametrize("kind", ["crash", "pullfail", "failcheck"])
def test_tasks_that_fail_roll_it_back_by_the_circuit_breaker(kind: str) -> None:
    made = Bench(breaker=_BREAKER, **_BLUE_GREEN)
    blue = made.settle()
    green = made.deploy(f"{kind}:2")
    made.until(lambda: green.state == "FAILED")
    assert made.service.records.all[0].status_at(made.now) == "ROLLBACK_IN_PROGRESS"
    assert (green.shift.production, made.service.primary) == (0.0, blue)
    made.settle()
    assert (made.service.records.all[0].status, made.service.records.all[0].breaker) == ("ROLLBACK_SUCCESSFUL", "TRIGGERED")
    assert made.digests() == {made_up_digest("healthy:1")}


@pytest.mark.parametrize("stage", ["SCALE_UP", "PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME"])
def test_it_is_rolled_back_on_request_at_any_stage(stage: str) -> None:
    made = bench()
    blue = made.service.primary
    green = made.deploy("healthy:2")
    made.until(lambda: green.shift.stage == stage)
    record = made.service.records.all[0]
    assert made.service.stop_deployment(record, made.now, abort=False)
    assert record.status_at(made.now) == "ROLLBACK_REQUESTED"
    made.advance(1)
    assert record.status_at(made.now) == "ROLLBACK_IN_PROGRESS"
    made.settle()
    assert (record.status_at(made.now), made.service.primary, green.shift.production) == ("ROLLBACK_SUCCESSFUL", blue, 0.0)


def test_abort_leaves_everything_as_it_is() -> None:
    made = bench()
    green = made.deploy("healthy:2")
    made.until(lambda: green.shift.stage == "BAKE_TIME")
    record = made.service.records.all[0]
    assert made.service.stop_deployment(record, made.now, abort=True)
    assert record.status_at(made.now) == "STOP_REQUESTED"
    made.settle()
    assert record.status_at(made.now) == "STOPPED"
    assert (green.shift.stage, green.shift.production, len(made.running)) == ("BAKE_TIME", 100.0, 4)


def test_a_rollback_that_is_overtaken_has_failed() -> None:
    made = bench()
    green = made.deploy("healthy:2")
    made.until(lambda: green.shift.stage == "BAKE_TIME")
    made.service.stop_deployment(made.service.records.all[0], made.now, abort=False)
    made.deploy("healthy:3")
    made.settle(1200)
    assert [r.status for r in made.service.records.all] == ["SUCCESSFUL", "ROLLBACK_FAILED", "SUCCESSFUL"]
    assert made.digests() == {made_up_digest("healthy:3")}


@pytest.mark.parametrize(("rollback", "status"), [(True, "ROLLBACK_SUCCESSFUL"), (False, "STOPPED")])
@pytest.mark.parametrize("strategy", ["BLUE_GREEN", "ROLLING"])
def test_an_alarm_ends_it(strategy: str, rollback: bool, status: str) -> None:
    made = bench(strategy=strategy, alarms={"alarmNames": ["errors"], "enable": True, "rollback": rollback})
    assert not alarm(made.service, "errors", made.now), "nothing is under way"
    made.deploy("healthy:2")
    made.advance(20)
    assert not alarm(made.service, "others", made.now)
    assert alarm(made.service, "errors", made.now)
    made.settle()
    record = made.service.records.all[0]
    assert (record.status_at(made.now), record.alarms, record.triggered) == (status, "TRIGGERED", ["errors"])
    assert made.service.records.all[1].alarms == "MONITORING_COMPLETE"


@pytest.mark.parametrize("stage", ["PRE_SCALE_UP", "POST_SCALE_UP", "POST_TEST_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT"])
def test_a_pause_waits_until_it_is_continued(stage: str) -> None:
    made = bench(lifecycleHooks=pause(stage))
    green = made.deploy("healthy:2")
    made.settle(3600)
    (hook,) = green.shift.hooks
    assert (green.shift.stage, hook.status, hook.target_type, hook.timeout_action) == (stage, "AWAITING_ACTION", "PAUSE", "ROLLBACK")
    assert made.names("ECS Hook State Change") == ["HOOK_AWAITING_ACTION"]
    assert not answer_hook(made.service, green, "another", "CONTINUE", made.now)
    assert answer_hook(made.service, green, hook.id, "CONTINUE", made.now)
    made.settle(1200)
    assert (hook.status, green.state) == ("SUCCEEDED", "COMPLETED")
    assert not answer_hook(made.service, green, hook.id, "CONTINUE", made.now)


def test_a_pause_before_each_step_of_a_canary() -> None:
    made = bench(strategy="CANARY", lifecycleHooks=pause("PRE_PRODUCTION_TRAFFIC_SHIFT"))
    green = made.deploy("healthy:2")
    for share in (0.0, 5.0):
        made.settle(3600)
        assert (green.shift.stage, green.shift.production) == ("PRE_PRODUCTION_TRAFFIC_SHIFT", share)
        assert answer_hook(made.service, green, green.shift.hooks[-1].id, "CONTINUE", made.now)
    made.settle(3600)
    assert green.state == "COMPLETED"


def test_a_pause_is_rolled_back() -> None:
    made = bench(lifecycleHooks=pause("POST_PRODUCTION_TRAFFIC_SHIFT"))
    green = made.deploy("healthy:2")
    made.settle()
    assert answer_hook(made.service, green, green.shift.hooks[0].id, "ROLLBACK", made.now)
    assert made.service.records.all[0].status_at(made.now) == "ROLLBACK_REQUESTED"
    made.settle()
    assert made.service.records.all[0].status == "ROLLBACK_SUCCESSFUL"
    assert (green.shift.hooks[0].status, made.digests()) == ("FAILED", {made_up_digest("healthy:1")})


@pytest.mark.parametrize(("action", "status"), [("CONTINUE", "SUCCESSFUL"), ("ROLLBACK", "ROLLBACK_SUCCESSFUL")])
def test_a_pause_times_out(action: str, status: str) -> None:
    made = bench(lifecycleHooks=pause("POST_SCALE_UP", timeoutInMinutes=30, action=action))
    green = made.deploy("healthy:2")
    made.advance(1200)
    assert green.shift.hooks[0].status == "AWAITING_ACTION"
    made.settle(3600)
    assert (green.shift.hooks[0].status, made.service.records.all[0].status) == ("TIMED_OUT", status)


def test_a_function_is_asked_until_it_knows() -> None:
    made = bench(lifecycleHooks=function("POST_TEST_TRAFFIC_SHIFT"))
    answers = {"now": "IN_PROGRESS"}
    made.service.world.hook_result = lambda arn: answers["now"]
    green = made.deploy("healthy:2")
    made.settle(3600)
    assert (green.shift.stage, green.shift.hooks[0].status) == ("POST_TEST_TRAFFIC_SHIFT", "IN_PROGRESS")
    answers["now"] = "SUCCEEDED"
    made.settle(1200)
    assert (green.state, green.shift.hooks[0].status) == ("COMPLETED", "SUCCEEDED")
    answers["now"] = "FAILED"
    made.deploy("healthy:3")
    made.settle(1200)
    assert (made.service.records.all[0].status, made.service.primary) == ("ROLLBACK_SUCCESSFUL", green)


def test_a_first_deployment_runs_no_hooks_and_has_no_bake() -> None:
    made = Bench(**_BLUE_GREEN, lifecycleHooks=pause("PRE_SCALE_UP"))
    assert made.settle(120).state == "COMPLETED"


def test_a_protected_task_of_the_old_revision_holds_up_clean_up() -> None:
    made = bench()
    made.running[0].protected_until = made.now + 7200
    green = made.deploy("healthy:2")
    made.settle(3600)
    assert (green.shift.stage, green.state, len(made.running)) == ("CLEAN_UP", "IN_PROGRESS", 3)
    assert "was unable to scale in due to (reason 1 tasks under protection)" in made.messages()
    made.settle(3700)
    assert (green.state, len(made.running)) == ("COMPLETED", 2)


def test_desired_0_goes_through_stages_without_a_task() -> None:
    made = Bench(desired=0, **_BLUE_GREEN)
    made.settle()
    made.deploy("healthy:2")
    made.settle()
    assert (made.service.primary.state, made.running) == ("COMPLETED", [])


@pytest.mark.parametrize(
    ("configuration", "words"),
    [
        ({"strategy": "BLUE_GREEN"}, "bakeTimeInMinutes must"),
        ({"strategy": "RED_BLACK"}, "Invalid deployment strategy"),
        ({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 2.0}}, "stepPercent"),
        ({"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 0.0}}, "canaryPercent"),
        ({**_BLUE_GREEN, "lifecycleHooks": pause("PRODUCTION_TRAFFIC_SHIFT")}, "PAUSE hooks cannot"),
        ({**_BLUE_GREEN, "lifecycleHooks": pause("BAKE_TIME")}, "cannot be configured at BAKE_TIME"),
        ({**_BLUE_GREEN, "lifecycleHooks": [{"targetType": "PAUSE"}]}, "lifecycleStages must"),
        ({**_BLUE_GREEN, "lifecycleHooks": function("PRE_SCALE_UP", "")}, "hookTargetArn must"),
    ],
)
def test_what_is_refused(configuration: dict[str, Any], words: str) -> None:
    assert words in mistake(configuration)
    assert mistake(_BLUE_GREEN) == mistake({}) == mistake({**_BLUE_GREEN, "lifecycleHooks": function("PRODUCTION_TRAFFIC_SHIFT")}) == ""
