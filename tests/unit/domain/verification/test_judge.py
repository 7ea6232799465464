"""How a rollout is judged: a table of looks, and what can never be."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_release.domain.ecs.service import Service, ServiceDeployment
from ecs_release.domain.verification.judge import judge
from ecs_release.domain.verification.judgement import Verdict
from ecs_release.domain.verification.proof import ImageDigests
from tests.builders.ecs import NEW, NOW, OLD, OTHER, deployment, revision, service, task
from tests.builders.judging import NEW_TASKS, OLD_ACTIVE, OLD_TASKS, TIMEOUTS, WANTED, followed

FAILED = deployment(2, state="FAILED", running=0, rollout_state_reason="tasks failed to start")
LATE = timedelta(seconds=601)

TABLE = [
    ("completed, all tasks proven", service(deployment(2), tasks=NEW_TASKS), {}, Verdict.SUCCEEDED),
    ("in progress", service(deployment(2, state="IN_PROGRESS"), OLD_ACTIVE, tasks=OLD_TASKS), {}, Verdict.ROLLING_OUT),
    ("completed, one task is other", service(deployment(2), tasks=(task(2), task(2, OTHER))), {}, Verdict.VERIFYING),
    ("completed, one task is silent", service(deployment(2), tasks=(task(2), task(2, ""))), {}, Verdict.VERIFYING),
    (
        "completed was seen once: latched",
        service(deployment(2, state="IN_PROGRESS"), tasks=NEW_TASKS),
        {"stage": "COMPLETED"},
        Verdict.SUCCEEDED,
    ),
    ("no rolloutState: ours alone and whole", service(deployment(2, state=None), tasks=NEW_TASKS), {}, Verdict.SUCCEEDED),
    ("no rolloutState: the old one is there", service(deployment(2, state=None), OLD_ACTIVE, tasks=NEW_TASKS), {}, Verdict.ROLLING_OUT),
    ("desiredCount 0", service(deployment(2, desired=0, running=0), desired=0), {}, Verdict.NOTHING_RUNNING),
    ("not visible yet", service(deployment(1)), {"started": NOW - timedelta(seconds=5)}, Verdict.ROLLING_OUT),
    ("not visible for too long", service(deployment(1), tasks=OLD_TASKS), {}, Verdict.SUPERSEDED),
    (
        "failed, rollback to come",
        service(FAILED, OLD_ACTIVE, rollback=True),
        {"last_progress": NOW - timedelta(seconds=5)},
        Verdict.ROLLING_OUT,
    ),
    ("failed, no rollback", service(FAILED, OLD_ACTIVE), {}, Verdict.ROLLOUT_FAILED),
    ("failed, rollback never came", service(FAILED, rollback=True), {"last_progress": NOW - timedelta(seconds=61)}, Verdict.ROLLOUT_FAILED),
    ("gone, failed by the events", service(deployment(1), failed_deployments=frozenset({"ecs-svc/2"})), {}, Verdict.ROLLED_BACK),
    (
        "PRIMARY is the former one, rolling back",
        service(deployment(1, rollout_state_reason="ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1."), FAILED),
        {},
        Verdict.ROLLED_BACK,
    ),
    (
        "ECS rolls back what had replaced it",
        service(
            deployment(
                4, task_definition=revision(1), rollout_state_reason="ECS deployment circuit breaker: rolling back to deploymentId x."
            ),
            deployment(3, status="ACTIVE", state="FAILED", rollout_state_reason="ECS deployment circuit breaker: tasks failed to start."),
            tasks=(task(4, OTHER),),
        ),
        {},
        Verdict.SUPERSEDED,
    ),
    (
        "ECS goes back by its old id from what had replaced it",
        service(deployment(1), deployment(3, status="ACTIVE", state="FAILED"), tasks=OLD_TASKS),
        {"stage": "IN_PROGRESS", "missing_since": NOW - timedelta(seconds=30)},
        Verdict.SUPERSEDED,
    ),
    (
        "an old look shows what was there before what was listed, and its images are the wanted ones",
        service(deployment(1, age_s=900), tasks=(task(1), task(1))),
        {"listed_before": frozenset({"ecs-svc/3"}), "not_before": NOW - timedelta(seconds=61), "started": NOW - timedelta(seconds=20)},
        Verdict.ROLLING_OUT,
    ),
    (
        "an old look shows what somebody began just before ours",
        service(deployment(3, state="IN_PROGRESS", age_s=25), deployment(1, status="ACTIVE"), tasks=OLD_TASKS),
        {"started": NOW - timedelta(seconds=20)},
        Verdict.ROLLING_OUT,
    ),
    (
        "an old look shows what is known to be older than ours",
        service(deployment(3, state="IN_PROGRESS", age_s=25), deployment(1, status="ACTIVE"), tasks=(task(3, OTHER), *OLD_TASKS)),
        {"stage": "IN_PROGRESS", "not_before": NOW - timedelta(seconds=20)},
        Verdict.ROLLING_OUT,
    ),
    (
        "ECS goes back beyond what was listed, for as long as reads may lag",
        service(deployment(1, age_s=900), tasks=OLD_TASKS),
        {
            "listed_before": frozenset({"ecs-svc/3"}),
            "not_before": NOW - timedelta(seconds=61),
            "stage": "IN_PROGRESS",
            "missing_since": NOW - timedelta(seconds=30),
        },
        Verdict.ROLLED_BACK,
    ),
    (
        "what replaced it has failed",
        service(
            deployment(3, state="FAILED", rollout_state_reason="ECS deployment circuit breaker: tasks failed to start."),
            tasks=(task(3, OTHER),),
        ),
        {},
        Verdict.SUPERSEDED,
    ),
    (
        "ours was completed, and the tasks of it that are left show them, then another one began; each task resolves its tag",
        service(deployment(3, state="IN_PROGRESS"), deployment(2, status="ACTIVE"), tasks=(task(2), task(3, OTHER))),
        {"stage": "COMPLETED", "each_task_resolves": True},
        Verdict.SUPERSEDED,
    ),
    (
        "the same, and ECS resolves the tag once",
        service(deployment(3, state="IN_PROGRESS"), deployment(2, status="ACTIVE"), tasks=(task(2), task(3, OTHER))),
        {"stage": "COMPLETED"},
        Verdict.SUCCEEDED,
    ),
    ("replaced by other digests", service(deployment(3), tasks=(task(3, OTHER),)), {}, Verdict.SUPERSEDED),
    ("replaced by the same digests", service(deployment(3), tasks=(task(3),)), {}, Verdict.OVERTAKEN_SAME_DIGESTS),
    ("replaced by the same digests, under way", service(deployment(3, state="IN_PROGRESS"), tasks=(task(3),)), {}, Verdict.ROLLING_OUT),
    ("replaced by the same digests, of which one is silent", service(deployment(3), tasks=(task(3), task(3, ""))), {}, Verdict.ROLLING_OUT),
    ("replaced, nothing runs yet", service(deployment(3, state="IN_PROGRESS"), tasks=OLD_TASKS), {}, Verdict.ROLLING_OUT),
    ("no progress", service(deployment(2, state="IN_PROGRESS"), tasks=()), {"last_progress": NOW - LATE}, Verdict.DEADLINE_EXCEEDED),
    ("late, and then done", service(deployment(2), tasks=NEW_TASKS), {"late": True}, Verdict.SUCCEEDED_LATE),
    (
        "late, and still not done",
        service(deployment(2, state="IN_PROGRESS")),
        {"late": True, "last_progress": NOW - LATE},
        Verdict.ROLLING_OUT,
    ),
    (
        "back at the former one, ours was seen: a stale look, or a rollback",
        service(deployment(1), tasks=OLD_TASKS),
        {"stage": "IN_PROGRESS"},
        Verdict.ROLLING_OUT,
    ),
    (
        "back at the former one for as long as reads may lag",
        service(deployment(1), tasks=OLD_TASKS),
        {"stage": "IN_PROGRESS", "missing_since": NOW - timedelta(seconds=30)},
        Verdict.ROLLED_BACK,
    ),
    ("back at the former one, ours beside it", service(deployment(1), deployment(2, status="ACTIVE")), {}, Verdict.ROLLED_BACK),
    (
        "ours failed, and ECS returns to another revision than the expected one",
        service(deployment(3, state="IN_PROGRESS", task_definition=revision(7)), deployment(2, status="ACTIVE", state="FAILED")),
        {},
        Verdict.ROLLED_BACK,
    ),
    (
        "ours was completed and proven, then another one began",
        service(deployment(3, state="IN_PROGRESS"), deployment(2, status="ACTIVE"), tasks=NEW_TASKS),
        {"stage": "IN_PROGRESS"},
        Verdict.SUCCEEDED,
    ),
    ("completed, one of the tasks is not listed", service(deployment(2), tasks=(task(2),), running=2), {}, Verdict.VERIFYING),
    ("overtaken and done", service(deployment(2), tasks=NEW_TASKS), {"overtaken": True}, Verdict.OVERTAKEN_SAME_DIGESTS),
]


@pytest.mark.parametrize(("seen", "before", "verdict"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_verdicts(seen: Service, before: dict[str, Any], verdict: Verdict) -> None:
    assert judge(followed(**before), seen, WANTED, NOW, TIMEOUTS).verdict is verdict


@pytest.mark.parametrize(("seen", "before", "verdict"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_what_has_not_ended_says_when_to_look_again(seen: Service, before: dict[str, Any], verdict: Verdict) -> None:
    """Without a change in ECS nobody would look again, and the attempt would stay open for ever."""
    judgement = judge(followed(**before), seen, WANTED, NOW, TIMEOUTS)
    assert judgement.verdict.ended or judgement.left_s is not None
    if not judgement.verdict.ended and not before.get("late"):
        assert judgement.left_s is not None and judgement.left_s > 0


def test_what_replaced_it_and_was_rolled_back_is_named() -> None:
    seen = service(deployment(1), deployment(3, status="ACTIVE", state="FAILED"), tasks=OLD_TASKS)
    told = judge(followed(stage="IN_PROGRESS", missing_since=NOW - timedelta(seconds=30)), seen, WANTED, NOW, TIMEOUTS).message
    assert told == "deployment ecs-svc/3 of web:3 replaced ours before it was seen to be done, and ECS rolled that back to web:1"


def test_what_was_completed_and_not_proven_is_not_called_undone() -> None:
    seen = service(deployment(3), deployment(2, status="ACTIVE", desired=0, running=0), tasks=(task(3, OTHER),))
    judgement = judge(followed(), seen, WANTED, NOW, TIMEOUTS)
    assert judgement.verdict is Verdict.SUPERSEDED
    assert judgement.message == "deployment ecs-svc/3 of web:3 replaced ours before its tasks could prove it"


def test_one_that_took_over_with_the_same_digests_is_followed() -> None:
    seen = service(deployment(3, state="IN_PROGRESS"), tasks=OLD_TASKS)
    overtaken = judge(followed(), seen, WANTED, NOW, TIMEOUTS, primary_pins={"app": NEW})
    assert (overtaken.follow, overtaken.left_s) == ("ecs-svc/3", TIMEOUTS.deadline_s)
    assert judge(followed(), seen, WANTED, NOW, TIMEOUTS, primary_pins={"app": OTHER}).verdict is Verdict.SUPERSEDED


@pytest.mark.parametrize(
    ("wanted", "runs"), [((NEW, OTHER), OTHER), ((NEW, OTHER), NEW), ((NEW,), NEW), ((NEW,), "")], ids=["platform", "list", "plain", "none"]
)
def test_a_rollback_to_what_was_wanted_before_is_no_success(wanted: tuple[str, ...], runs: str) -> None:
    """A retry, or a newer base, of what runs: what it replaces runs an accepted digest, too, if any task of that runs."""
    tasks = (task(1, runs), task(1, runs)) if runs else ()
    seen = service(deployment(1), deployment(2, status="ACTIVE", state="FAILED"), tasks=tasks)
    accepted = {"app": ImageDigests(frozenset(wanted))}
    assert judge(followed(), seen, accepted, NOW, TIMEOUTS).verdict is Verdict.ROLLED_BACK


@pytest.mark.parametrize(("since_s", "verdict"), [(None, Verdict.ROLLING_OUT), (29, Verdict.ROLLING_OUT), (31, Verdict.ROLLED_BACK)])
def test_ecs_takes_no_successful_deployment_back(since_s: float | None, verdict: Verdict) -> None:
    """A look that shows what was there before is older than the service deployment, unless it stays so."""
    ours = followed(stage="IN_PROGRESS", missing_since=None if since_s is None else NOW - timedelta(seconds=since_s))
    seen = service(deployment(1), tasks=OLD_TASKS)
    assert judge(ours, seen, WANTED, NOW, TIMEOUTS, ServiceDeployment("arn", "SUCCESSFUL")).verdict is verdict


@pytest.mark.parametrize(("status", "verdict"), [("IN_PROGRESS", Verdict.ROLLING_OUT), ("ROLLBACK_SUCCESSFUL", Verdict.ROLLED_BACK)])
def test_the_service_deployment_api_decides_whether_a_look_is_stale(status: str, verdict: Verdict) -> None:
    late = NOW - timedelta(seconds=300)
    seen = service(deployment(1), tasks=OLD_TASKS)
    assert (
        judge(followed(stage="IN_PROGRESS", missing_since=late), seen, WANTED, NOW, TIMEOUTS, ServiceDeployment("arn", status)).verdict
        is verdict
    )


def test_tasks_that_name_the_service_prove_their_revision_since_the_deployment() -> None:
    created = deployment(3).created_at
    after = tuple(replace(task(3), started_by="web", created_at=created + timedelta(seconds=n)) for n in (1, 2))
    before = tuple(replace(one, created_at=created - timedelta(seconds=1)) for one in after)
    taken_over = judge(followed(), service(deployment(3, state="IN_PROGRESS"), tasks=after), WANTED, NOW, TIMEOUTS)
    assert taken_over.follow == "ecs-svc/3"
    assert "none of its tasks runs yet" in judge(followed(), service(deployment(3), tasks=before), WANTED, NOW, TIMEOUTS).message


@pytest.mark.parametrize("status", ["ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"])
def test_the_service_deployment_api_confirms_a_rollback(status: str) -> None:
    service_deployment = ServiceDeployment("arn", status, rollback_reason="the alarm went off")
    judgement = judge(followed(), service(deployment(1), tasks=OLD_TASKS), WANTED, NOW, TIMEOUTS, service_deployment)
    assert judgement.verdict is Verdict.ROLLED_BACK
    assert "the alarm went off" in judgement.message


@pytest.mark.parametrize(
    ("what", "late", "seen", "verdict"),
    [
        ("ECS does not roll back, and somebody repairs it", True, {}, Verdict.ROLLOUT_FAILED),
        ("the same with the same digests", True, {"tasks": (task(3), task(3))}, Verdict.ROLLOUT_FAILED),
        ("ECS rolls back late", True, {"rollback": True}, Verdict.ROLLED_BACK),
        ("it is told by the same look", False, {}, Verdict.ROLLED_BACK),
    ],
)
def test_who_took_the_place_of_what_had_failed(what: str, late: bool, seen: dict[str, Any], verdict: Verdict) -> None:
    found = service(deployment(3), replace(FAILED, status="ACTIVE"), **{"tasks": (task(3, OTHER), task(3, OTHER))} | seen)
    assert judge(followed(late=late, stage="FAILED"), found, WANTED, NOW, TIMEOUTS).verdict is verdict, what
    # ECS's own text, or an older deployment that is PRIMARY again, says that it did.
    by_ecs = replace(found, deployments=(replace(deployment(3), rollout_state_reason="ECS deployment circuit breaker: rolling back"),))
    assert judge(followed(late=late, stage="FAILED"), by_ecs, WANTED, NOW, TIMEOUTS).verdict is Verdict.ROLLED_BACK, what


states = st.sampled_from(["IN_PROGRESS", "COMPLETED", "FAILED", None])
seen_tasks = st.lists(st.builds(task, st.sampled_from([1, 2, 3]), st.sampled_from([OLD, NEW, OTHER, ""])), max_size=5).map(tuple)


@given(states, states, seen_tasks, st.booleans(), st.booleans(), st.sampled_from(["", "COMPLETED", "FAILED"]), st.integers(0, 3))
def test_never_done_while_a_task_shows_another_digest(
    ours: str | None, primary: str | None, tasks: tuple[Any, ...], is_primary: bool, late: bool, stage: str, desired: int
) -> None:
    listed = [deployment(2, state=ours)] if is_primary else [deployment(3, state=primary), deployment(2, status="ACTIVE", state=ours)]
    seen = service(*listed, tasks=tasks, desired=desired)
    judgement = judge(followed(late=late, stage=stage), seen, WANTED, NOW, TIMEOUTS)
    verdict = judgement.verdict
    running = {t.digest_of("app") for t in seen.running_tasks}
    if not verdict.ended:
        assert judgement.left_s is not None
    if verdict.good and is_primary:
        assert running <= {NEW}
        assert running or desired == 0
    elif verdict.good:
        assert "COMPLETED" in (ours, stage), "it was done before the other one began"
        assert {t.digest_of("app") for t in seen.running_tasks if t.started_by == "ecs-svc/2"} == {NEW}
