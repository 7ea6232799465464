"""Sweeps that stall are told of: by the Environment's condition, and by nothing that would end the process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from ecs_release.api.environment import EnvironmentStatus
from ecs_release.domain.ecs.service import Look
from ecs_release.domain.model.conditions import find
from ecs_release.domain.model.errors import Blocked, Denied, Problem, Retryable
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.environments.status_writer import Statuses
from ecs_release.engine.ledger.recorder import Recorder
from ecs_release.engine.notifications.notifier import Notifier
from ecs_release.engine.observation.freshness import observed, oldest_look, stale_in_s
from ecs_release.engine.observation.observed_service import Unread, Watched
from ecs_release.engine.observation.observer import Observer
from ecs_release.engine.runtime.settings import EngineSettings
from ecs_release.engine.store.store import Store
from tests.builders.ecs import NOW
from tests.builders.simulated_time import SimulatedClock, run_simulated
from tests.unit.engine.observation.test_observer import ACCESS, FakeAws, key

GONE = Blocked("ServiceNotFound", "no such cluster")


def watched(number: int, *, ago: float | None = None, problem: Problem | None = None, added: float = 300) -> Watched:
    one = Watched(key(number), ACCESS, added=NOW - timedelta(seconds=added))
    if ago is not None:
        one.look = Look(one.key, None, NOW, NOW - timedelta(seconds=ago), 1)
    if problem is not None:
        one.unread = Unread(problem, NOW)
    return one


@pytest.mark.parametrize(
    ("services", "age"),
    [
        ([], None),
        ([watched(1, added=7)], 7),
        ([watched(1, ago=5), watched(2, ago=9)], 9),
        ([watched(1, ago=5), watched(2, added=2)], 5),
        ([watched(1, ago=5), watched(2, added=200)], 200),
        ([watched(1, ago=5), watched(2, ago=90, problem=Retryable("500"))], 90),
        ([watched(1, ago=5), watched(2, problem=Retryable("500"), added=80)], 80),
        ([watched(1, ago=5), watched(2, ago=90, problem=Denied("no"))], 5),
        ([watched(1, ago=5), watched(2, problem=GONE)], 5),
        ([watched(1, ago=70, problem=Denied("no")), watched(2, problem=Denied("no"), added=80)], 80),
    ],
    ids=["nothing", "not yet", "oldest", "a new one", "one that is never seen", "faults", "never read", "refused", "gone", "all refused"],
)
def test_the_oldest_look(services: list[Watched], age: float | None) -> None:
    assert oldest_look(services) == (None if age is None else NOW - timedelta(seconds=age))


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
    assert observed(observer, NOW).status == status
    assert stale_in_s(observer, NOW) == (pytest.approx(again_s) if again_s is not None else None)


@dataclass
class OneEnvironment:
    """The API server's part of it."""

    status: dict[str, Any] = field(default_factory=dict)
    writes: int = 0

    async def get(self, _: ObjectKey) -> Mapping[str, Any]:
        spec = {"aws": {"accountID": "111122223333", "region": "eu-west-1"}, "target": {"cluster": "main", "serviceName": "{service}"}}
        return {"metadata": {"name": "prod", "uid": "1", "generation": 1, "resourceVersion": "1"}, "spec": spec, "status": self.status}

    async def write_status(self, _: ObjectKey, status: Mapping[str, Any], **__: Any) -> None:
        self.status, self.writes = dict(status), self.writes + 1

    async def has_policy(self, *_: str) -> bool:
        return True

    def said(self) -> tuple[str, str]:
        found = find(EnvironmentStatus.model_validate(self.status).conditions, "Observed")
        assert found is not None
        return found.status, found.reason


def test_sweeps_that_stall_show_without_anybody_asking() -> None:
    """DescribeServices hangs: no sweep wakes the Environment, it comes by itself. It says so once, and once that it is over."""
    aws, cluster = FakeAws(), OneEnvironment()

    async def main() -> None:
        clock = SimulatedClock()
        due = asyncio.Event()
        observer = Observer("prod", aws, clock, EngineSettings(), changed=lambda _: None, swept=lambda _: due.set())  # type: ignore[arg-type]
        observer.watch(ACCESS, {key(n): ACCESS for n in range(3)})
        store = Store()
        notifier = Notifier(store, cluster, aws, clock, "default", lambda _: None)  # type: ignore[arg-type]
        recorder = Recorder(None, clock, lambda _key, _s: None, lambda: None)
        statuses = Statuses(store, cluster, clock, EngineSettings(), lambda _: observer, lambda _: None, notifier, recorder)  # type: ignore[arg-type]

        async def passes() -> None:
            """The queue's part: a pass when a sweep is told of, or when the last pass asked for the next."""
            again: float | None = None
            while True:
                try:
                    await asyncio.wait_for(due.wait(), again)
                except TimeoutError:
                    pass
                due.clear()
                again = await statuses.environment(ObjectKey("Environment", "", "prod"))

        tasks = [asyncio.create_task(observer.run()), asyncio.create_task(passes())]
        await asyncio.sleep(300)
        assert cluster.said() == ("True", "Valid")
        hangs = asyncio.Event()

        async def hang(*_: Any, **__: Any) -> Any:
            await hangs.wait()
            raise Retryable("timeout")

        answers, aws.describe_services, aws.caller = aws.describe_services, hang, hang  # type: ignore[method-assign]
        await asyncio.sleep(120)
        assert cluster.said() == ("True", "Valid")
        await asyncio.sleep(130)
        assert cluster.said() == ("False", "ObservationFailed")
        writes = cluster.writes
        await asyncio.sleep(3600)
        assert cluster.writes == writes, "lastSweepTime stands, the condition too: nothing to write"
        aws.describe_services = answers  # type: ignore[method-assign]
        hangs.set()
        await asyncio.sleep(130)
        assert cluster.said() == ("True", "Valid")
        assert dict(statuses.said()["prod"])["Observed"] == "True"
        for task in tasks:
            task.cancel()

    run_simulated(main())
