"""What a call whose answer was lost has done: found in the service, by the tasks that it left behind, or not known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ecs.service import Deployment
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
NAMELESS = replace(GONE, started_by="web")
"""Some endpoints name the service as what started a task."""
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
        ("a task that names the service was, and has stopped", FakeEcs(stopped=[NAMELESS]), "", False),
        ("one that names the service had stopped before", FakeEcs(stopped=[replace(NAMELESS, created_at=NOW - LONG)]), "", True),
        (
            "one of another revision, which names the service, has stopped",
            FakeEcs(stopped=[replace(NAMELESS, task_definition=revision(1))]),
            "",
            True,
        ),
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


BACK, BY_ECS = (
    deployment(1),
    deployment(
        3, task_definition=revision(1), rollout_state_reason="ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1."
    ),
)


@pytest.mark.parametrize(
    ("what", "primary", "doubted_s", "outcome"),
    [
        ("ECS has gone back to what was there", BACK, 60, "RolledBack"),
        ("ECS has gone back, to a deployment of a new id", BY_ECS, 60, "RolledBack"),
        ("somebody has deployed since", deployment(3), 60, "Superseded"),
        ("the look may be an old one", BACK, 10, None),
    ],
)
async def test_a_deployment_of_which_only_tasks_are_known_is_not_forgotten(
    what: str, primary: Deployment, doubted_s: float, outcome: str | None
) -> None:
    """It failed and is not listed any more: the source is held, and neither deployed again nor called abandoned."""
    given, memory = in_doubt()
    memory.doubt_since = NOW - timedelta(seconds=doubted_s)
    given = changed(given, seen=service(primary, tasks=(task(1, OLD),)))
    assert given.place.target is not None
    tracking = await track(FakeEcs(stopped=[NAMELESS]), given.place.target, given, memory)  # type: ignore[arg-type]
    decision = decide(changed(given, doubt=tracking.doubt))
    assert decision.act is None, what
    assert decision.status.rollout is not None
    assert decision.status.rollout.outcome == outcome, what
    assert [e.outcome for e in decision.status.history or ()] == [outcome] if outcome else True
    assert outcome is None or "web:2" in (decision.status.rollout.message or "")


@pytest.mark.parametrize("earlier", [deployment(1, task_definition=revision(2)), deployment(1)])
async def test_tasks_of_a_revision_that_ran_before_tell_nothing(earlier: Deployment) -> None:
    """The revision was deployed before the attempt, which was to force it: the tasks may be of that deployment."""
    given, memory = in_doubt()
    assert given.status.rollout is not None and given.place.target is not None
    if earlier.task_definition != revision(2):
        given = with_rollout(given, rollback_target=revision(2))
    given = changed(given, seen=service(earlier))
    tracking = await track(FakeEcs(stopped=[NAMELESS]), given.place.target, given, memory)  # type: ignore[arg-type]
    assert tracking.doubt is not None and not tracking.doubt.left_tasks
