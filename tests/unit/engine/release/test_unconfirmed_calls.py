"""What a call whose answer was lost has done: found in the service, by the tasks that it left behind, or not known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.model.errors import Retryable
from ecs_release.domain.release.decide import decide
from ecs_release.engine.release.memory import Memory
from ecs_release.engine.release.unconfirmed_calls import track
from tests.builders.ecs import NOW, OLD, deployment, revision, service, task
from tests.builders.facts import changed
from tests.builders.fake_ecs import FakeEcs
from tests.builders.scenarios import attempt_under_way, with_rollout

BEFORE = service(deployment(1), tasks=(task(1, OLD), task(1, OLD)))
GONE = replace(task(2), created_at=NOW - timedelta(seconds=50))
LONG = timedelta(minutes=10)


@dataclass
class Unreadable(FakeEcs):
    """ECS that does not list stopped tasks."""

    async def list_stopped_tasks(self, cluster: str, **_: Any) -> list[str]:
        raise Retryable("ecs:ListTasks: Rate exceeded")


def in_doubt() -> tuple[Facts, Memory]:
    """An UpdateService whose answer was lost ten minutes ago; ECS shows what was there before."""
    intent = {"accepted_time": None, "task_definition": revision(2), "aws_time": NOW - timedelta(seconds=60)}
    given = with_rollout(attempt_under_way(BEFORE), deployment_id=None, intent=intent)
    assert given.status.rollout is not None
    memory = Memory(NOW)
    memory.attempt, memory.doubt_since = given.status.rollout.attempt_id, NOW - LONG
    return given, memory


@pytest.mark.parametrize(
    ("what", "ecs", "started", "repeated"),
    [
        ("nothing was started", FakeEcs(), "", True),
        ("a task was, and has stopped", FakeEcs(stopped=[GONE]), "ecs-svc/2", False),
        ("it cannot be looked for", Unreadable(), "", False),
    ],
)
async def test_what_was_started(what: str, ecs: FakeEcs, started: str, *, repeated: bool) -> None:
    given, memory = in_doubt()
    assert given.place.target is not None
    tracking = await track(ecs, given.place.target, given, memory)  # type: ignore[arg-type]
    assert tracking.doubt is not None
    assert tracking.doubt.started == started, what
    decision = decide(changed(given, doubt=tracking.doubt))
    assert (decision.act is not None) == repeated, what


async def test_a_deployment_of_the_same_revision_that_somebody_forced_later_is_not_ours() -> None:
    given, memory = in_doubt()
    forced = deployment(3, state="IN_PROGRESS", task_definition=revision(2), age_s=10)
    ours = deployment(2, status="ACTIVE", state="IN_PROGRESS", age_s=50)
    given = changed(given, seen=service(forced, ours))
    assert given.place.target is not None
    tracking = await track(FakeEcs(), given.place.target, given, memory)  # type: ignore[arg-type]
    assert tracking.doubt is not None and tracking.doubt.started == "ecs-svc/2"
