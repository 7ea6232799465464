"""A clock that AWS's first answer puts right while a pass is being prepared: nothing rests on the wrong time."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from ecs_release.api.release import Release
from ecs_release.domain.decision.facts import Facts
from ecs_release.engine.release.gatherer import Gatherer
from ecs_release.engine.release.memory import Memory
from ecs_release.engine.runtime.aws_clock import AwsClock
from tests.builders.ecs import NOW
from tests.builders.facts import facts


class Ahead:
    """A machine's clock that is ten minutes ahead."""

    def now(self) -> datetime:
        return NOW + timedelta(minutes=10)

    def monotonic(self) -> float:
        return 0.0


class OneAnswer(Gatherer):
    """Reads nothing but the time; AWS answers in between."""

    times: tuple[datetime, ...] = ()
    aws_time = NOW

    async def _gather(self, release: Release, memory: Memory, now: datetime) -> Facts:
        self.times += (now,)
        self.clock.told(self.aws_time, 0.0)  # type: ignore[attr-defined]
        return replace(facts(release=release), now=self.clock.now())


@pytest.mark.parametrize(("ahead_s", "times"), [(600, 2), (0.5, 1), (-600, 1)])
async def test_what_was_judged_by_a_clock_that_was_ahead_is_judged_again(ahead_s: float, times: int) -> None:
    nothing: dict[str, Any] = {field.name: None for field in fields(Gatherer) if field.name != "clock"}
    gatherer = OneAnswer(clock=AwsClock(Ahead()), **nothing)
    gatherer.aws_time = Ahead().now() - timedelta(seconds=ahead_s)
    found = await gatherer.gather(facts().release, Memory(NOW))

    assert len(gatherer.times) == times
    assert abs((found.now - gatherer.aws_time).total_seconds()) <= 1 and (times == 1 or gatherer.times[-1] <= found.now)
