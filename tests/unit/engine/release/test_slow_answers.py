"""UpdateService that takes long to be answered: until it is, looks at the service do not show what it does."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from ecs_release.api.release import Release
from ecs_release.api.release_status import ReleaseStatus, Rollout
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ecs.service import Look
from ecs_release.domain.model.errors import Ambiguous, Problem
from ecs_release.domain.ports.protocols import StartedDeployment
from ecs_release.engine.release.memory import Memory
from tests.builders.ecs import NOW, OLD, deployment, service, task
from tests.builders.facts import KEY, changed
from tests.builders.reconciled_release import RELEASE, ReconciledRelease
from tests.builders.scenarios import attempt_under_way, with_rollout

BEFORE = service(deployment(1, age_s=3600), tasks=(task(1, OLD), task(1, OLD)))
ANSWERED = NOW + timedelta(seconds=40)


@dataclass
class SlowWorld(ReconciledRelease):
    """ECS answers UpdateService after 40 s. The observer's latest look was taken a second after the call was sent, before ECS got it."""

    given: Facts = field(
        default_factory=lambda: with_rollout(attempt_under_way(BEFORE), intent={"accepted_time": None}, deployment_id=None)
    )
    problem: Problem | None = None
    memory: Memory | None = None

    def ecs_of(self, _: Any) -> SlowWorld:
        return self

    async def update_service(self, *_: Any, **__: Any) -> StartedDeployment:
        self.time = ANSWERED
        if self.problem is not None:
            raise self.problem
        return StartedDeployment("ecs-svc/2", "", self.time)

    async def gather(self, release: Release, memory: Memory) -> Facts:
        self.memory = memory
        memory.follow((release.status or ReleaseStatus()).rollout, self.time)
        taken = min(self.time, NOW + timedelta(seconds=1))
        return changed(self.given, release=release, now=self.time, look=Look(KEY, BEFORE, taken, taken))

    async def rollout(self) -> Rollout:
        await self.reconciler.reconcile(RELEASE)
        rollout = ReleaseStatus.model_validate(self.body["status"]).rollout
        assert rollout is not None
        return rollout


@pytest.fixture
def world() -> SlowWorld:
    made = SlowWorld()
    made.reconciler._aws = type("Aws", (), {"ecs": made.ecs_of})  # type: ignore[assignment]
    return made


async def test_a_look_from_before_the_answer_supersedes_nothing(world: SlowWorld) -> None:
    rollout = await world.rollout()
    assert rollout.intent is not None
    assert (rollout.deployment_id, rollout.outcome, rollout.intent.accepted_time) == ("ecs-svc/2", None, ANSWERED)


async def test_doubt_begins_when_the_answer_is_lost(world: SlowWorld) -> None:
    """ECS may have carried the call out at any time until then, and reads may lag behind that."""
    world.problem = Ambiguous("no answer")
    await world.rollout()
    assert world.memory is not None
    in_doubt_since: datetime | None = world.memory.doubt_since
    assert in_doubt_since == ANSWERED
