"""Old tasks that are protected from scale-in: when they are asked for, and how they are named."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ecs_release.domain.ecs.service import ProtectedTask, Service
from ecs_release.domain.release.decide import decide
from ecs_release.domain.rules import protected_tasks
from tests.builders.ecs import NOW, OLD, deployment, service, task
from tests.builders.facts import KEY
from tests.builders.scenarios import BOTH, attempt_under_way


def test_protected_tasks_are_named() -> None:
    names = tuple(ProtectedTask(f"{KEY}/task/t{n}", NOW + timedelta(hours=n) if n else None) for n in range(7))
    decision = decide(attempt_under_way(protected=names, idle_s=300))
    assert decision.status.rollout is not None
    message = decision.status.rollout.message or ""
    assert "old tasks are protected from scale-in: t0, t1 until 2026-05-04 13:00 UTC, t2" in message
    assert "t4 until 2026-05-04 16:00 UTC and 2 more" in message
    assert "protected" in str(decide(attempt_under_way(protected=names[:1], idle_s=2000)).status.rollout)
    assert "protected" not in str(decide(attempt_under_way(service(deployment(2), tasks=(task(2),)), protected=names)).status.rollout)


@pytest.mark.parametrize(
    ("seen", "idle_s", "due_s", "again_s"),
    [
        (BOTH, 0, 120, 120),
        (BOTH, 100, 20, 20),
        (BOTH, 130, -10, 60),
        (BOTH, 1790, -1670, 10),
        (service(deployment(2, state="IN_PROGRESS"), tasks=(task(2),)), 100, None, 1700),
    ],
)
def test_it_is_asked_of_after_a_while_and_looked_at_again_in_time(
    seen: Service, idle_s: float, due_s: float | None, again_s: float
) -> None:
    given = attempt_under_way(seen, idle_s=idle_s)
    assert given.status.rollout is not None
    assert protected_tasks.due_in_s(given, given.status.rollout) == due_s
    assert decide(given).again_s == again_s


def test_suspects_are_running_tasks_of_other_deployments() -> None:
    assert protected_tasks.suspects(BOTH, "ecs-svc/2") == (task(1, OLD).arn, task(1, OLD).arn)
