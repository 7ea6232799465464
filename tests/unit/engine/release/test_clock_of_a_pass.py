"""A clock that AWS's first answer puts right while a pass is being prepared: nothing rests on the wrong time."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from ecs_release.api.release import Release
from ecs_release.api.release_status import LastReady, ReadyImage, Rollout
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.drift.base_revision import must_follow
from ecs_release.engine.release.gatherer import Gatherer
from ecs_release.engine.release.memory import Memory
from ecs_release.engine.runtime.aws_clock import AwsClock
from tests.builders.ecs import NEW, NOW
from tests.builders.facts import facts
from tests.builders.revisions import PIN, pinned_draft, registered, registered_by_us, with_revisions


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
    found: Facts | None = None

    async def _gather(self, release: Release, memory: Memory, now: datetime) -> Facts:
        self.times += (now,)
        self.clock.told(self.aws_time, 0.0)  # type: ignore[attr-defined]
        return replace(self.found or facts(release=release), now=self.clock.now())


def one_answer() -> OneAnswer:
    nothing: dict[str, Any] = {field.name: None for field in fields(Gatherer) if field.name != "clock"}
    return OneAnswer(clock=AwsClock(Ahead()), **nothing)


@pytest.mark.parametrize(("ahead_s", "times"), [(600, 2), (0.5, 1), (-600, 1)])
async def test_what_was_judged_by_a_clock_that_was_ahead_is_judged_again(ahead_s: float, times: int) -> None:
    gatherer = one_answer()
    gatherer.aws_time = Ahead().now() - timedelta(seconds=ahead_s)
    found = await gatherer.gather(facts().release, Memory(NOW))

    assert len(gatherer.times) == times
    assert abs((found.now - gatherer.aws_time).total_seconds()) <= 1 and (times == 1 or gatherer.times[-1] <= found.now)


async def test_a_new_base_is_not_rolled_out_by_a_clock_that_is_ahead() -> None:
    """It is seconds old by AWS's clock, and would have stood long enough by the machine's."""
    newest = replace(registered(3), registered_at=NOW - timedelta(seconds=5))
    rollout = {"baseRevision": "Latest", "onDrift": "Correct", "correctAfterSeconds": 60}
    gatherer, ready = one_answer(), pinned_draft()
    gatherer.found = with_revisions(registered_by_us(2), rollout=rollout, newest_foreign=newest)
    ready.rollout = Rollout(attempt_id="a1", outcome="Succeeded")
    ready.last_ready = LastReady(source_hash="src", time=NOW, images=[ReadyImage(container="app", digest=NEW)])
    found = await gatherer.gather(gatherer.found.release, Memory(NOW))
    assert not must_follow(found, ready, PIN)
    assert must_follow(replace(found, now=Ahead().now()), ready, PIN)
