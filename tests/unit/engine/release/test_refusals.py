"""A call that AWS refuses is made again after a pause that grows, however many events bring passes meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from ecs_release.api.conditions import Reason
from ecs_release.api.release import Release
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.model.conditions import find
from ecs_release.domain.model.errors import Ambiguous, Blocked, Denied, Problem, Retryable
from ecs_release.domain.ports.protocols import StartedDeployment
from ecs_release.engine.release.memory import Memory
from tests.builders.ecs import NOW, OLD, deployment, service, task
from tests.builders.facts import changed
from tests.builders.reconciled_release import RELEASE, ReconciledRelease
from tests.builders.scenarios import attempt_under_way, with_rollout

BEFORE = service(deployment(1, age_s=3600), tasks=(task(1, OLD), task(1, OLD)))
PASSES = Retryable("ecs:UpdateService on web: Too many concurrent attempts")
DENIED = Denied("ecs:UpdateService on web: no policy allows it")


@dataclass
class RefusingWorld(ReconciledRelease):
    """UpdateService is announced, and ECS refuses it so many times. There is a pass each second."""

    problem: Problem = DENIED
    times: int = 100
    seen: Any = BEFORE
    given: Any = field(default_factory=lambda: with_rollout(attempt_under_way(BEFORE), intent={"accepted_time": None}, deployment_id=None))
    called: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.reconciler._aws = type("Aws", (), {"ecs": lambda _, access: self})()  # type: ignore[assignment]

    async def update_service(self, *_: Any, **__: Any) -> StartedDeployment:
        self.called.append((self.time - NOW).total_seconds())
        if len(self.called) <= self.times:
            raise self.problem
        return StartedDeployment("ecs-svc/2", "", self.time)

    async def gather(self, release: Release, memory: Memory) -> Facts:
        if not self.called:
            # This process has announced the call.
            memory.follow(self.given.status.rollout, self.time)
            memory.intend(self.given.status.rollout)
        found = await super().gather(release, memory)
        return changed(found, doubt=memory.doubt(found.status.rollout, self.time, None))

    async def runs(self, seconds: int) -> ReleaseStatus:
        """Make a pass a second."""
        for _ in range(seconds):
            await self.reconciler.reconcile(RELEASE)
            self.time += timedelta(seconds=1)
        return ReleaseStatus.model_validate(self.body["status"])


@pytest.mark.parametrize("problem", [PASSES, DENIED, Blocked(Reason.REJECTED_BY_AWS, "ecs:UpdateService on web: no")])
async def test_the_pause_doubles_up_to_the_interval(problem: Problem) -> None:
    world = RefusingWorld(problem=problem)
    await world.runs(200)

    assert world.called == [0, 10, 30, 70, 130, 190]


@pytest.mark.parametrize(("problem", "expected"), [(PASSES, ("Unknown", "ProgressingWithRetry")), (DENIED, ("False", "AccessDenied"))])
async def test_status_says_what_was_refused_and_since_when(problem: Problem, expected: tuple[str, str]) -> None:
    world = RefusingWorld(problem=problem)
    statuses = [await world.runs(1), await world.runs(5), await world.runs(60)]

    for status in statuses:
        ready = find(status.conditions, "Ready")
        assert ready is not None and (ready.status, ready.reason) == expected
        assert status.rollout is not None
        since: datetime | None = status.rollout.refused_time
        assert since == (NOW if problem is DENIED else None)


async def test_once_it_is_accepted_nothing_is_left_of_a_refusal() -> None:
    world = RefusingWorld(times=2)
    status = await world.runs(31)

    assert world.called == [0, 10, 30]
    assert status.rollout is not None
    assert (status.rollout.deployment_id, status.rollout.refused_time) == ("ecs-svc/2", None)


async def test_a_lost_answer_is_looked_into_for_as_long_as_reads_may_lag() -> None:
    """Sooner a deployment of the first call may still be invisible, and a forced one would be made twice."""
    world = RefusingWorld(problem=Ambiguous("no answer"), times=1)
    await world.runs(60)

    assert world.called == [0, 30]
