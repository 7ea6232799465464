"""What is about to be done rests on what is there now: when a pass asks for a fresh look."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from ecs_release.api.conditions import Reason
from ecs_release.api.release_status import HealthStatus, Running
from ecs_release.domain.ecs.service import Look, Service
from ecs_release.domain.model.conditions import find
from ecs_release.domain.model.errors import Denied
from ecs_release.domain.release.decide import decide
from ecs_release.engine.observation.observed_service import ObservedService
from ecs_release.engine.release.gatherer import Gatherer
from ecs_release.engine.release.memory import Memory
from ecs_release.engine.runtime.settings import EngineSettings
from tests.builders.ecs import NOW
from tests.builders.facts import KEY, changed
from tests.builders.fake_ecs import FakeEcs
from tests.builders.scenarios import BOTH, RUNS, attempt_under_way, deployed, with_rollout


@dataclass
class OneService:
    """An observer whose latest look came just now."""

    look_s: float
    service: Service = BOTH
    asked: list[Any] = field(default_factory=list)

    async def refusal(self) -> None:
        return None

    @property
    def role_check(self) -> OneService:
        return self

    def unread_since(self, failed: Any) -> Any:
        return failed

    def observed(self, _: Any) -> ObservedService:
        look = Look(KEY, self.service, NOW, NOW, asked_time=NOW - timedelta(seconds=self.look_s))
        return ObservedService(KEY, None, look=look)  # type: ignore[arg-type]

    async def look(self, key: Any, *, tasks: bool) -> None:
        self.asked.append(key)


@pytest.mark.parametrize(("look_s", "asked"), [(2, []), (40, ["prod-store-front-web"])])
async def test_what_was_announced_is_not_done_on_an_answer_that_took_long(look_s: float, asked: list[Any]) -> None:
    """UpdateService is announced: what somebody deployed since the look was asked for would be undone by it."""
    observer = OneService(look_s)
    given = with_rollout(attempt_under_way(), intent={"accepted_time": None}, deployment_id=None)
    memory = Memory(NOW)
    memory.intend(given.status.rollout)
    await gatherer(observer)._seen(given, memory)
    assert [key.service for key in observer.asked] == asked


def gatherer(observer: OneService) -> Gatherer:
    others: dict[str, Any] = dict.fromkeys(part.name for part in fields(Gatherer))
    return Gatherer(**others | {"clock": SimpleNamespace(now=lambda: NOW), "observer_of": lambda _: observer, "settings": EngineSettings()})


def was(state: str, seconds: float) -> HealthStatus:
    return HealthStatus(state=state, since_time=NOW - timedelta(seconds=seconds), desired_count=2)


@pytest.mark.parametrize(
    ("recorded", "running", "asked", "unhealthy"),
    [
        (None, 2, 0, False),
        (None, 0, 0, False),
        (was("TooFewTasks", 200), 0, 0, False),
        (was("TooFewTasks", 301), 0, 0, True),
        (was("TasksUnhealthy", 3600), 0, 0, True),
        (was("TasksUnhealthy", 3600), 2, 0, True),
        (was("Recovering", 61), 2, 0, False),
    ],
)
async def test_a_new_process_goes_on_counting_too_few_tasks(
    recorded: HealthStatus | None, running: int, asked: int, unhealthy: bool
) -> None:
    given = deployed()
    given = changed(given, status=given.status.model_copy(update={"health": recorded}))
    observer = OneService(0, replace(RUNS, running=running))
    seen = await gatherer(observer)._seen(given, Memory(NOW))
    assert (len(observer.asked), seen.health.unhealthy) == (asked, unhealthy)


class NoHashes:
    """A resolver that names no digest."""

    async def hashes(self, *_: Any) -> dict[str, str]:
        return {}


@dataclass
class SilentOnThePast(FakeEcs):
    """ECS that lists no task definitions."""

    async def newest_task_definitions(self, family: str, limit: int) -> list[str]:
        raise Denied("ecs:ListTaskDefinitions: no")


async def test_a_past_that_cannot_be_read_is_said_once_the_grace_period_is_over() -> None:
    """It is unknown whether RegisterTaskDefinition was carried out."""
    given = with_rollout(attempt_under_way(intent="RegisterTaskDefinition"), intent={"accepted_time": None}, deployment_id=None)
    given = changed(given, status=given.status.model_copy(update={"running": Running()}))
    memory, target, ecs = Memory(NOW, doubt_since=NOW), given.place.target, SilentOnThePast()
    assert target is not None
    release = gatherer(OneService(0))
    release.aws, release.resolver = SimpleNamespace(ecs=lambda _: ecs), NoHashes()  # type: ignore[assignment]

    async def said(seconds: float) -> bool:
        decision = decide(await release._with_service(replace(given, now=NOW + timedelta(seconds=seconds)), target, memory))
        found = find(decision.status.conditions, "Ready")
        return found is not None and (found.status, found.reason) == ("Unknown", Reason.OBSERVATION_FAILED)

    assert [await said(at) for at in (0, 299, 301)] == [False, False, True]


async def test_too_few_tasks_are_reported_by_a_look_that_was_made_when_it_was_due() -> None:
    given, observer, memory = deployed(), OneService(0, replace(RUNS, running=0)), Memory(NOW)
    first = await gatherer(observer)._seen(given, memory)
    assert (first.health_due, observer.asked) == (NOW + timedelta(seconds=300), [])
    later = gatherer(observer)
    later.clock = SimpleNamespace(now=lambda: NOW + timedelta(seconds=300))  # type: ignore[assignment]
    await later._seen(given, memory)
    assert len(observer.asked) == 1
