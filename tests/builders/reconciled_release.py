"""A canary's whole way, pass by pass: each stage is shown, a pause of a day costs nothing, and what is stuck still ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from ecs_release.api.release import Release
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ecs.service import Hook, Look, Service, ServiceDeployment
from ecs_release.domain.model.conditions import find
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.release.memory import Memory
from ecs_release.engine.release.reconciler import Reconciler
from ecs_release.engine.release.rollout_diagnostics import explain
from ecs_release.engine.runtime.settings import EngineSettings
from tests.builders.ecs import NOW, deployment, service, task
from tests.unit.domain.test_under_way import BOTH, KEY, facts
from tests.unit.engine.release.test_rollout_diagnostics import FakeEcs

CANARY = replace(BOTH, strategy="CANARY", bake_s=60, step_bake_s=600, steps=1)
DONE = service(deployment(2), tasks=(task(2), task(2)), strategy="CANARY")
RELEASE = ObjectKey("Release", "shop", "web")


@dataclass
class World:
    """The reconciler's surroundings: one Release, one service, and the time."""

    time: datetime = NOW
    seen: Service = CANARY
    ecs: FakeEcs = field(default_factory=FakeEcs)
    given: Facts = field(default_factory=lambda: facts(CANARY, idle_s=1))
    body: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.body = {"apiVersion": "v1", "kind": "Release", **self.given.release.to_kubernetes()}
        ports: dict[str, Any] = dict.fromkeys(("store", "cluster", "aws", "clock", "gatherer"), self)
        ignored: dict[str, Any] = dict.fromkeys(("again", "hurry", "told"), lambda *_: None)
        self.reconciler = Reconciler(settings=EngineSettings(), **ports, **ignored)

    # The ports that a pass needs.

    async def get(self, _: ObjectKey) -> Mapping[str, Any]:
        return self.body

    async def write_status(self, _: ObjectKey, status: Mapping[str, Any], **__: Any) -> Mapping[str, Any]:
        self.body = {**self.body, "status": status}
        return self.body

    def record(self, *_: Any) -> None: ...

    def wrote(self, _: Any) -> None: ...

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    async def gather(self, release: Release, memory: Memory) -> Facts:
        status = release.status or ReleaseStatus()
        memory.follow(status.rollout, self.time)
        found = replace(
            self.given, release=release, now=self.time, look=Look(KEY, self.seen, self.time, self.time), progress=memory.progress,
            patient_from=memory.patient_from,
        )  # fmt: skip
        assert found.target is not None
        return await explain(self.ecs, found.target, found, memory)  # type: ignore[arg-type]

    # What a test does.

    async def passes(
        self, stage: str, traffic: float, *, minutes: float = 1, hook: str = "", seen: Service = CANARY
    ) -> tuple[str, Any, Any]:
        """Let time pass in a stage, with a pass every half minute (more rarely in a day); return how the Release stands."""
        hooks = (Hook(hook, "AWAITING_ACTION", "PAUSE"),) if hook else ()
        self.seen, self.ecs.told = seen, ServiceDeployment("arn:sd", "IN_PROGRESS", stage=stage, traffic=traffic, hooks=hooks)
        until = self.time + timedelta(minutes=minutes)
        while self.time < until:
            self.time += timedelta(minutes=max(0.5, minutes / 100))
            await self.reconciler.reconcile(RELEASE)
        status = ReleaseStatus.model_validate(self.body["status"])
        ready = find(status.conditions, "Ready")
        assert ready is not None and status.rollout is not None
        return ready.reason, status.rollout.stage, status.rollout.traffic_percent


@pytest.fixture
def world() -> World:
    return World()


DAY = 24 * 60


async def test_a_canary_is_shown_stage_by_stage(world: World) -> None:
    assert await world.passes("SCALE_UP", 0.0) == ("RollingOut", "SCALE_UP", 0)
    assert await world.passes("POST_SCALE_UP", 0.0, minutes=DAY, hook="ABC") == ("AwaitingHook", "POST_SCALE_UP", 0)
    assert await world.passes("POST_SCALE_UP", 0.0, minutes=25) == ("RollingOut", "POST_SCALE_UP", 0)
    # The canary's bake of 10 minutes has no stage of its own: it is added to the 30 minutes of the deadline.
    assert await world.passes("PRODUCTION_TRAFFIC_SHIFT", 5.0, minutes=39) == ("RollingOut", "PRODUCTION_TRAFFIC_SHIFT", 5)
    assert await world.passes("BAKE_TIME", 100.0, minutes=DAY) == ("RollingOut", "BAKE_TIME", 100)
    assert await world.passes("CLEAN_UP", 100.0, seen=DONE) == ("Succeeded", "COMPLETED", None)


@pytest.mark.parametrize(("stage", "traffic", "minutes"), [("POST_SCALE_UP", 0.0, 31), ("PRODUCTION_TRAFFIC_SHIFT", 5.0, 41)])
async def test_the_deadline_runs_again_after_a_pause(world: World, stage: str, traffic: float, minutes: float) -> None:
    await world.passes("POST_SCALE_UP", 0.0, minutes=DAY, hook="ABC")
    assert (await world.passes(stage, traffic, minutes=minutes + 1))[0] == "DeadlineExceeded"
    # Still followed: it comes up late.
    assert (await world.passes("CLEAN_UP", 100.0, seen=DONE))[0] == "Succeeded"


async def test_a_restart_in_a_pause_forgets_nothing(world: World) -> None:
    await world.passes("POST_SCALE_UP", 0.0, minutes=DAY, hook="ABC")
    world.reconciler.forget(RELEASE)
    assert (await world.passes("POST_SCALE_UP", 0.0, minutes=DAY, hook="ABC"))[0] == "AwaitingHook"


async def test_without_the_api_a_canary_is_judged_all_the_same(world: World) -> None:
    world.ecs.told = None
    for seen, reason in ((CANARY, "RollingOut"), (DONE, "Succeeded")):
        world.seen, world.time = seen, world.time + timedelta(minutes=5)
        await world.reconciler.reconcile(RELEASE)
        ready = find(ReleaseStatus.model_validate(world.body["status"]).conditions, "Ready")
        assert ready is not None
        assert ready.reason == reason
