"""How a rollout is judged: a table of looks, and what can never be."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_release.domain.ecs.service import Service, ServiceDeployment
from ecs_release.domain.verification.judge import judge
from ecs_release.domain.verification.judgement import Followed, Patience, Verdict
from tests.builders.ecs import NEW, NOW, OLD, OTHER, deployment, revision, service, task

WANTED = {"app": frozenset({NEW})}
PATIENCE = Patience(deadline_s=600, visible_s=30, rollback_s=60)


def followed(**more: Any) -> Followed:
    facts: dict[str, Any] = {
        "deployment_id": "ecs-svc/2", "rollback_target": revision(1), "started": NOW - timedelta(seconds=60),
        "last_progress": NOW - timedelta(seconds=60), "listed_before": frozenset({"ecs-svc/1"}),
    }  # fmt: skip
    return Followed(**facts | more)


OLD_ACTIVE = deployment(1, status="ACTIVE")
NEW_TASKS, OLD_TASKS = (task(2), task(2)), (task(1, OLD), task(1, OLD))
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
    ("replaced by other digests", service(deployment(3), tasks=(task(3, OTHER),)), {}, Verdict.SUPERSEDED),
    ("replaced by the same digests", service(deployment(3), tasks=(task(3),)), {}, Verdict.ROLLING_OUT),
    ("replaced, nothing runs yet", service(deployment(3, state="IN_PROGRESS"), tasks=OLD_TASKS), {}, Verdict.ROLLING_OUT),
    ("no progress", service(deployment(2, state="IN_PROGRESS"), tasks=()), {"last_progress": NOW - LATE}, Verdict.DEADLINE_EXCEEDED),
    ("late, and then done", service(deployment(2), tasks=NEW_TASKS), {"late": True}, Verdict.SUCCEEDED_LATE),
    (
        "late, and still not done",
        service(deployment(2, state="IN_PROGRESS")),
        {"late": True, "last_progress": NOW - LATE},
        Verdict.ROLLING_OUT,
    ),
    ("overtaken and done", service(deployment(2), tasks=NEW_TASKS), {"overtaken": True}, Verdict.OVERTAKEN_SAME_DIGESTS),
]


@pytest.mark.parametrize(("seen", "before", "verdict"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_verdicts(seen: Service, before: dict[str, Any], verdict: Verdict) -> None:
    assert judge(followed(**before), seen, WANTED, NOW, PATIENCE).verdict is verdict


def test_one_that_took_over_with_the_same_digests_is_followed() -> None:
    seen = service(deployment(3, state="IN_PROGRESS"), tasks=OLD_TASKS)
    assert judge(followed(), seen, WANTED, NOW, PATIENCE, primary_pins={"app": NEW}).follow == "ecs-svc/3"
    assert judge(followed(), seen, WANTED, NOW, PATIENCE, primary_pins={"app": OTHER}).verdict is Verdict.SUPERSEDED


@pytest.mark.parametrize("status", ["ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"])
def test_the_service_deployment_api_confirms_a_rollback(status: str) -> None:
    explained = ServiceDeployment("arn", status, rollback_reason="the alarm went off")
    judgement = judge(followed(), service(deployment(1), tasks=OLD_TASKS), WANTED, NOW, PATIENCE, explained)
    assert judgement.verdict is Verdict.ROLLED_BACK
    assert "the alarm went off" in judgement.message


states = st.sampled_from(["IN_PROGRESS", "COMPLETED", "FAILED", None])
seen_tasks = st.lists(st.builds(task, st.sampled_from([1, 2, 3]), st.sampled_from([OLD, NEW, OTHER, ""])), max_size=5).map(tuple)


@given(states, states, seen_tasks, st.booleans(), st.booleans(), st.sampled_from(["", "COMPLETED", "FAILED"]), st.integers(0, 3))
def test_never_done_while_a_task_shows_another_digest(
    ours: str | None, primary: str | None, tasks: tuple[Any, ...], is_primary: bool, late: bool, stage: str, desired: int
) -> None:
    listed = [deployment(2, state=ours)] if is_primary else [deployment(3, state=primary), deployment(2, status="ACTIVE", state=ours)]
    seen = service(*listed, tasks=tasks, desired=desired)
    verdict = judge(followed(late=late, stage=stage), seen, WANTED, NOW, PATIENCE).verdict
    running = {t.digest_of("app") for t in seen.running_tasks}
    if verdict.good:
        assert is_primary
        assert running <= {NEW}
        assert running or desired == 0
