"""Tasks come and go without a deployment (autoscaling, Spot): what that changes in decisions, and what is written of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ecs.service import Service, Task
from ecs_release.domain.model.conditions import find
from ecs_release.domain.release.decide import decide
from ecs_release.domain.release.status_diff import Change, compare
from ecs_release.domain.verification.judge import judge
from ecs_release.domain.verification.judgement import Verdict
from tests.builders.conditions import ready
from tests.builders.ecs import NEW, NOW, OTHER, deployment, service, task, task_definition
from tests.builders.facts import changed
from tests.builders.judging import NEW_TASKS, TIMEOUTS, WANTED, followed
from tests.builders.scenarios import drifted


def running(*tasks: Task, desired: int = 2, state: str | None = "COMPLETED", **more: Any) -> Service:
    return service(deployment(2, state=state, desired=desired, running=len(tasks)), tasks=tasks, desired=desired, **more)


def at_rest() -> Facts:
    """A Release that is Ready, with a look that shows it."""
    return settled(drifted(running(*NEW_TASKS), stood_s=None, running=task_definition(2, NEW)))


def settled(found: Facts) -> Facts:
    return with_status(found, decide(found).status)


def with_status(found: Facts, status: ReleaseStatus) -> Facts:
    return changed(found, status=status)


def seen(found: Facts, service: Service, **more: Any) -> Facts:
    return changed(found, seen=service, now=NOW + timedelta(seconds=60), **more)


CHURN = [
    ("scaled out, the new ones start", running(*NEW_TASKS, desired=8, pending=6)),
    ("scaled out", running(*NEW_TASKS * 4, desired=8)),
    ("scaled in", running(task(2), desired=1)),
    ("scaled in, the old ones still run", running(*NEW_TASKS * 2, desired=1)),
    ("one lost", running(task(2))),
    ("all lost", running(pending=2)),
    ("a new one does not tell its digest yet", running(task(2), task(2, ""))),
    ("none tells its digest yet", running(task(2, ""), task(2, ""))),
]


@pytest.mark.parametrize("look", [row[1] for row in CHURN], ids=[row[0] for row in CHURN])
@pytest.mark.parametrize("place", [{}, {"suspend": {"reason": "audit"}}])
def test_churn_is_counts_and_no_news(look: Service, place: dict[str, Any]) -> None:
    before = at_rest()
    if place:
        before = settled(drifted(running(*NEW_TASKS), stood_s=None, running=task_definition(2, NEW), place=place))
    after = decide(seen(before, look)).status
    assert compare(before.status, after) is Change.COUNTS
    assert ready(after) == ready(before.status) and ready(after)[0] == "True"
    in_sync = find(after.conditions, "InSync")
    assert in_sync is not None and in_sync.status == "True"
    back = decide(seen(with_status(before, after), running(*NEW_TASKS))).status
    assert compare(after, back) is Change.COUNTS and compare(before.status, back) in (Change.NOTHING, Change.COUNTS)


@pytest.mark.parametrize(
    ("what", "look", "reason"),
    [
        ("another digest is drift", running(task(2), task(2, OTHER)), "Drifted"),
        ("another deployment proves itself anew", service(deployment(4), tasks=(task(4, ""),)), "Verifying"),
        ("nothing wanted is said", running(desired=0), "NothingRunning"),
    ],
)
def test_what_is_news_stays_news(what: str, look: Service, reason: str) -> None:
    before = at_rest()
    after = decide(seen(before, look)).status
    assert compare(before.status, after) is Change.NEWS and ready(after)[1] == reason, what


def test_who_was_never_ready_here_must_be_proven_by_every_task() -> None:
    found = at_rest()
    status = found.status.model_copy(update={"last_ready": None})
    after = decide(seen(with_status(found, status), running(task(2), task(2, "")))).status
    assert ready(after)[0] != "True"


@pytest.mark.parametrize(
    ("what", "look", "stage", "verdict"),
    [
        ("scaled out while it rolls out", service(deployment(2, state="IN_PROGRESS", desired=9, running=2), tasks=NEW_TASKS, desired=9), "", Verdict.ROLLING_OUT),
        ("a task lost after it was done", running(task(2)), "COMPLETED", Verdict.SUCCEEDED),
        ("all lost before they were looked at", running(pending=2), "COMPLETED", Verdict.VERIFYING),
        ("a new one is silent", running(task(2), task(2, "")), "COMPLETED", Verdict.VERIFYING),
        ("in progress again after a loss: latched", running(*NEW_TASKS, state="IN_PROGRESS"), "COMPLETED", Verdict.SUCCEEDED),
        ("scaled to none", running(desired=0), "COMPLETED", Verdict.NOTHING_RUNNING),
    ],
)  # fmt: skip
def test_a_rollout_is_judged_through_churn(what: str, look: Service, stage: str, verdict: Verdict) -> None:
    assert judge(followed(stage=stage), look, WANTED, NOW, TIMEOUTS).verdict is verdict, what
