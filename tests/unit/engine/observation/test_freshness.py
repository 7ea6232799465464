"""Sweeps that stall are told of: by the Environment's condition, and by nothing that would end the process."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from ecs_release.domain.ecs.service import Look
from ecs_release.domain.model.errors import Blocked, Denied, Problem, Retryable
from ecs_release.engine.observation.freshness import all_read_since, observed_condition, oldest_look, stale_in_s
from ecs_release.engine.observation.observed_service import ObservedService, ReadFailure
from tests.builders.ecs import NOW
from tests.builders.fake_observation import ACCESS, service_key

GONE = Blocked("ServiceNotFound", "no such cluster")


def watched(number: int, *, ago: float | None = None, problem: Problem | None = None, added: float = 300) -> ObservedService:
    one = ObservedService(service_key(number), ACCESS, added=NOW - timedelta(seconds=added))
    if ago is not None:
        one.look = Look(one.key, None, NOW, NOW - timedelta(seconds=ago), 1)
    if problem is not None:
        one.unread = ReadFailure(problem, NOW)
    return one


@pytest.mark.parametrize(
    ("services", "age", "read"),
    [
        ([], None, None),
        ([watched(1, added=7)], 7, None),
        ([watched(1, ago=5), watched(2, ago=9)], 9, 9),
        ([watched(1, ago=5), watched(2, added=2)], 5, None),
        ([watched(1, ago=5), watched(2, added=200)], 200, None),
        ([watched(1, ago=5), watched(2, ago=90, problem=Retryable("500"))], 90, 90),
        ([watched(1, ago=5), watched(2, problem=Retryable("500"), added=80)], 80, None),
        ([watched(1, ago=5), watched(2, ago=90, problem=Denied("no"))], 5, 5),
        ([watched(1, ago=5), watched(2, problem=GONE)], 5, 5),
        ([watched(1, ago=70, problem=Denied("no")), watched(2, problem=Denied("no"), added=80)], 80, None),
    ],
    ids=["nothing", "not yet", "oldest", "a new one", "one that is never seen", "faults", "never read", "refused", "gone", "all refused"],
)
def test_the_oldest_look_and_since_when_each_was_read(services: list[ObservedService], age: float | None, read: float | None) -> None:
    assert oldest_look(services) == (None if age is None else NOW - timedelta(seconds=age))
    assert all_read_since(services) == (None if read is None else NOW - timedelta(seconds=read))


@dataclass
class Since:
    """An observer, as far as its freshness goes."""

    age_s: float | None
    interval_s: float = 60.0

    @property
    def observed_since(self) -> Any:
        return None if self.age_s is None else NOW - timedelta(seconds=self.age_s)


@pytest.mark.parametrize(
    ("observer", "status", "again_s"),
    [
        (None, "Unknown", None),
        (Since(None), "Unknown", None),
        (Since(0), "True", 180.1),
        (Since(180), "True", 60),
        (Since(181), "False", 60),
        (Since(20, interval_s=5), "False", 5),
    ],
)
def test_stale_after_three_intervals(observer: Since | None, status: str, again_s: float | None) -> None:
    assert observed_condition(observer, NOW).status == status
    assert stale_in_s(observer, NOW) == (pytest.approx(again_s) if again_s is not None else None)
