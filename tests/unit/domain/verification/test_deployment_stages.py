"""Strategies: what a service deployment's stage, hooks, traffic and status mean for a rollout."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_release.domain.ecs.service import Hook, Service, ServiceDeployment
from ecs_release.domain.verification import deployment_stages
from ecs_release.domain.verification.judge import judge
from ecs_release.domain.verification.judgement import Judgement, Progress, Verdict
from tests.builders.ecs import NOW, OLD, deployment, service, task
from tests.builders.judging import NEW_TASKS, OLD_ACTIVE, OLD_TASKS, TIMEOUTS, WANTED, followed

EXPIRES = datetime(2026, 5, 5, 14, 0, tzinfo=timezone(timedelta(hours=2)))
PAUSE = Hook("ABC", "AWAITING_ACTION", "PAUSE", "", EXPIRES, "ROLLBACK")
LAMBDA = Hook("DEF", "IN_PROGRESS", "AWS_LAMBDA", "arn:aws:lambda:eu-west-1:111122223333:function:smoke-test")
STATUSES = ["PENDING", "IN_PROGRESS", "SUCCESSFUL", "STOP_REQUESTED", "STOPPED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS",
            "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED", "SOMETHING_NEW"]  # fmt: skip


def told(status: str = "IN_PROGRESS", stage: str = "SCALE_UP", **more: Any) -> ServiceDeployment:
    return ServiceDeployment("arn", status, stage=stage, **more)


def blue_green(strategy: str = "BLUE_GREEN", **more: Any) -> Service:
    """All of the new tasks run, and the old ones, too."""
    return service(deployment(2, state="IN_PROGRESS"), OLD_ACTIVE, tasks=(*NEW_TASKS, *OLD_TASKS), strategy=strategy, **more)


def judged(service_deployment: ServiceDeployment | None, *, idle_s: float = 60, seen: Service | None = None, **before: Any) -> Judgement:
    before = {"last_progress": NOW - timedelta(seconds=idle_s)} | before
    return judge(followed(**before), seen or blue_green(), WANTED, NOW, TIMEOUTS, service_deployment)


@pytest.mark.parametrize(
    ("service_deployment", "waits", "words"),
    [
        (None, False, None),
        (told(), False, None),
        (told(stage="BAKE_TIME"), True, None),
        (told(stage="POST_SCALE_UP", hooks=(PAUSE,)), True, "hook ABC at POST_SCALE_UP"),
        (told(stage="POST_SCALE_UP", hooks=(LAMBDA,)), True, None),
        (told(hooks=(replace(LAMBDA, status="AWAITING_ACTION"),)), True, "hook smoke-test at SCALE_UP"),
        (told(stage="", hooks=(PAUSE,)), True, "hook ABC at a stage that ECS does not tell"),
        (told(hooks=(replace(PAUSE, status="SUCCEEDED"), replace(PAUSE, status="TIMED_OUT"))), False, None),
        (told(hooks=(replace(PAUSE, status="NEWLY_INVENTED"),)), False, None),
        (told("PENDING", hooks=(PAUSE,)), True, "hook ABC at SCALE_UP"),
        (told("SOMETHING_NEW", hooks=(PAUSE,)), True, "hook ABC at SCALE_UP"),
        (told("ROLLBACK_IN_PROGRESS", stage="BAKE_TIME", hooks=(PAUSE,)), False, None),
        (told("STOPPED", stage="BAKE_TIME", hooks=(PAUSE,)), False, None),
    ],
)
def test_a_hook_or_bake_time_is_waited_for(service_deployment: ServiceDeployment | None, waits: bool, words: str | None) -> None:
    assert deployment_stages.is_waiting(service_deployment) is waits
    assert deployment_stages.awaited_hook(service_deployment) == words


def test_what_is_to_be_done_about_a_hook_is_said() -> None:
    text = deployment_stages.describe(told(stage="POST_SCALE_UP", hooks=(PAUSE,), traffic=0.0))
    assert text == (
        "hook ABC at POST_SCALE_UP awaits action: kubectl ecs-release continue, or continue or roll back in the ECS console;"
        " else ECS rolls back at 2026-05-05 12:00 UTC; stage POST_SCALE_UP; 0 % of production traffic shifted"
    )
    assert "else ECS" not in deployment_stages.describe(told(hooks=(replace(PAUSE, expires_at=None),)))
    assert "else ECS continues at" in deployment_stages.describe(told(hooks=(replace(PAUSE, timeout_action="CONTINUE"),)))
    assert "hook smoke-test runs" in deployment_stages.describe(told(hooks=(LAMBDA,)))


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_is_said_as_it_is_meant(status: str) -> None:
    text = deployment_stages.describe(told(status, status_reason="because", triggered_alarms=("errors",)))
    goes_on = status in ("PENDING", "IN_PROGRESS", "SOMETHING_NEW")
    assert ("(because)" in text) is not goes_on
    assert "alarms: errors" in text
    assert ("SOMETHING_NEW" in text) is (status == "SOMETHING_NEW")
    assert deployment_stages.is_rolling_back(told(status)) is (
        status in ("ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL")
    )
    assert deployment_stages.ended_badly(told(status)) is (status in ("STOPPED", "ROLLBACK_FAILED"))


@pytest.mark.parametrize(
    ("weight", "percent"), [(None, None), (0.0, 0), (0.1, 1), (5.0, 5), (33.3, 33), (66.6, 67), (99.9, 99), (100.0, 100), (120.0, 100)]
)
def test_traffic_is_never_said_to_be_all_or_none_before_it_is(weight: float | None, percent: int | None) -> None:
    assert deployment_stages.traffic_percent(told(traffic=weight)) == percent


@pytest.mark.parametrize("service_deployment", [told(stage="BAKE_TIME"), told(hooks=(PAUSE,)), told(hooks=(LAMBDA,))])
def test_the_deadline_stands_still_while_ecs_waits_on_purpose(service_deployment: ServiceDeployment) -> None:
    judgement = judged(service_deployment, idle_s=100_000)
    assert (judgement.verdict, judgement.waits) == (Verdict.ROLLING_OUT, True)
    done = judge(
        followed(last_progress=NOW - timedelta(days=2)), service(deployment(2), tasks=OLD_TASKS), WANTED, NOW, TIMEOUTS, service_deployment
    )
    assert (done.verdict, done.waits) == (Verdict.VERIFYING, True)


@pytest.mark.parametrize("service_deployment", [told(), told("ROLLBACK_IN_PROGRESS"), told("PENDING", ""), told("SOMETHING_NEW")])
def test_else_it_runs(service_deployment: ServiceDeployment) -> None:
    assert judged(service_deployment, idle_s=599).verdict is Verdict.ROLLING_OUT
    assert judged(service_deployment, idle_s=601).verdict is Verdict.DEADLINE_EXCEEDED
    left = judged(service_deployment, idle_s=500).left_s
    assert left is not None
    assert abs(left - 100) < 1


LINEAR = blue_green("LINEAR", bake_s=300, step_bake_s=120, steps=3)


@pytest.mark.parametrize(
    ("seen", "service_deployment", "patience_s"),
    [
        (blue_green(bake_s=300), None, 900),
        (blue_green(bake_s=300), told(stage=""), 900),
        (blue_green(bake_s=300), told(), 600),
        (LINEAR, None, 1260),
        (LINEAR, told(stage="PRODUCTION_TRAFFIC_SHIFT", traffic=25), 720),
        (LINEAR, told(stage="POST_TEST_TRAFFIC_SHIFT"), 600),
        (service(deployment(2, state="IN_PROGRESS", running=1), strategy="LINEAR", bake_s=300), None, 600),
        (service(deployment(2, state="IN_PROGRESS"), tasks=NEW_TASKS, alarms=True), None, 1200),
        (service(deployment(2, state="IN_PROGRESS"), OLD_ACTIVE, tasks=NEW_TASKS, alarms=True), None, 600),
        (service(deployment(2, state="IN_PROGRESS"), tasks=NEW_TASKS, bake_s=60), None, 660),
        (service(deployment(2, state="IN_PROGRESS"), tasks=NEW_TASKS), None, 600),
    ],
)
def test_planned_bake_times_are_allowed_for_where_no_stage_tells(
    seen: Service, service_deployment: ServiceDeployment | None, patience_s: float
) -> None:
    """Once all new tasks run; bounded, so that what is stuck still ends."""
    assert judged(service_deployment, seen=seen, idle_s=patience_s - 1).verdict is Verdict.ROLLING_OUT
    assert judged(service_deployment, seen=seen, idle_s=patience_s + 1).verdict is Verdict.DEADLINE_EXCEEDED


@pytest.mark.parametrize("status", ["STOPPED", "ROLLBACK_FAILED"])
def test_what_ecs_gave_up_fails_sooner(status: str) -> None:
    service_deployment = told(status, status_reason="stopped by somebody")
    assert judged(service_deployment, idle_s=59).verdict is Verdict.ROLLING_OUT
    judgement = judged(service_deployment, idle_s=61, missing_since=NOW - timedelta(seconds=31))
    assert judgement.verdict is Verdict.ROLLOUT_FAILED
    assert "stopped by somebody" in judgement.message


def test_a_look_may_be_older_than_what_the_api_says() -> None:
    """It still shows ours as PRIMARY, and somebody else's may have taken its place."""
    first = judged(told("STOPPED"), idle_s=500)
    assert (first.verdict, first.missing, first.left_s) == (Verdict.ROLLING_OUT, True, 30)
    assert judged(told("STOPPED"), idle_s=500, missing_since=NOW - timedelta(seconds=29)).verdict is Verdict.ROLLING_OUT


@pytest.mark.parametrize(("status", "patience_s"), [("ROLLBACK_IN_PROGRESS", 600), ("IN_PROGRESS", 60), ("ROLLBACK_FAILED", 60)])
def test_a_rollback_that_is_under_way_is_given_time(status: str, patience_s: float) -> None:
    """Traffic goes back first, while ours may still be PRIMARY."""
    seen = service(deployment(2, state="FAILED"), OLD_ACTIVE, rollback=True, strategy="BLUE_GREEN")
    assert judged(told(status), seen=seen, idle_s=patience_s - 1).verdict is Verdict.ROLLING_OUT
    assert judged(told(status), seen=seen, idle_s=patience_s + 1).verdict is Verdict.ROLLOUT_FAILED


def test_one_that_was_replaced_is_superseded_although_its_status_is_stopped() -> None:
    seen = service(deployment(3), tasks=(task(3, OLD),))
    assert judged(told("STOPPED"), seen=seen).verdict is Verdict.SUPERSEDED


def test_shifted_traffic_and_a_new_stage_are_progress() -> None:
    shifting, baking, scaling = (frozenset({stage}) for stage in ("PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME", "SCALE_UP"))
    before = Progress(2, 2, shifting, 10)
    assert Progress(2, 2, shifting, 20).beyond(before)
    assert Progress(2, 2, baking, 10).beyond(before)
    assert not Progress(2, 2, shifting, 5).beyond(before)
    both = before.highest(Progress(1, 1, scaling, 50))
    assert both == Progress(2, 1, shifting | scaling, 50)
    assert not Progress(2, 2, scaling, 0).beyond(both), "it has been there"
    assert not Progress(0, 9, frozenset(), 0).beyond(Progress()), "no look has shown old tasks yet"
    progress = judged(told(stage="PRODUCTION_TRAFFIC_SHIFT", traffic=12.5)).progress
    assert progress == Progress(2, 2, shifting, 12)


hooks = st.lists(st.sampled_from([PAUSE, LAMBDA, replace(PAUSE, status="FAILED")]), max_size=2).map(tuple)
explanations = st.builds(told, st.sampled_from(STATUSES), st.sampled_from(["", "SCALE_UP", "BAKE_TIME", "CLEAN_UP"]), hooks=hooks,
                         traffic=st.sampled_from([None, 0.0, 50.0, 100.0]))  # fmt: skip
seen_tasks = st.lists(st.builds(task, st.sampled_from([1, 2]), st.sampled_from([OLD, "sha256:" + "b" * 64])), max_size=4).map(tuple)


@given(
    explanations, st.sampled_from(["IN_PROGRESS", "COMPLETED", "FAILED", None]), seen_tasks, st.sampled_from([0, 100, 700]), st.booleans()
)
def test_the_api_never_makes_a_rollout_good_or_undoes_it(
    service_deployment: ServiceDeployment, state: str | None, tasks: tuple[Any, ...], idle_s: int, rollback: bool
) -> None:
    """Design 3: it confirms and explains. What is done is done without it; it may only fail a rollout sooner, or have it waited for."""
    seen = service(deployment(2, state=state), OLD_ACTIVE, tasks=tasks, rollback=rollback, strategy="BLUE_GREEN")
    without, with_it = judged(None, seen=seen, idle_s=idle_s).verdict, judged(service_deployment, seen=seen, idle_s=idle_s).verdict
    assert without.good == with_it.good
    if without is not with_it:
        assert {without, with_it} <= {Verdict.ROLLING_OUT, Verdict.VERIFYING, Verdict.DEADLINE_EXCEEDED, Verdict.ROLLOUT_FAILED}


def test_times_are_said_in_utc() -> None:
    assert deployment_stages.format_time(datetime(2026, 5, 4, 12, 0, tzinfo=UTC)) == "2026-05-04 12:00 UTC"
