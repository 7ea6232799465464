"""One Release, one service, and the reconciler between them: passes are made as time goes by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from ecs_release.api.release import Release
from ecs_release.api.release_status import ReleaseStatus
from ecs_release.domain.decision.facts import Facts
from ecs_release.domain.ecs.service import Hook, Look, Service, ServiceDeployment
from ecs_release.domain.model.conditions import find
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.release.memory import Memory
from ecs_release.engine.release.reconciler import Reconciler
from ecs_release.engine.release.rollout_diagnostics import diagnose
from ecs_release.engine.runtime.settings import EngineSettings
from tests.builders.ecs import NOW, deployment, service, task
from tests.builders.facts import KEY, changed
from tests.builders.fake_ecs import FakeEcs
from tests.builders.scenarios import BOTH, attempt_under_way

CANARY = replace(BOTH, strategy="CANARY", bake_s=60, step_bake_s=600, steps=1)


DONE = service(deployment(2), tasks=(task(2), task(2)), strategy="CANARY")


RELEASE = ObjectKey("Release", "shop", "web")


@dataclass
class ReconciledRelease:
    """The reconciler's surroundings: one Release, one service, and the time."""

    time: datetime = NOW
    seen: Service = CANARY
    ecs: FakeEcs = field(default_factory=FakeEcs)
    given: Facts = field(default_factory=lambda: attempt_under_way(CANARY, idle_s=1))
    body: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.body = {"apiVersion": "v1", "kind": "Release", **self.given.release.to_kubernetes()}
        ports: dict[str, Any] = dict.fromkeys(("store", "cluster", "aws", "clock", "gatherer"), self)
        ignored: dict[str, Any] = dict.fromkeys(("again", "set_fast", "status_changed"), lambda *_: None)
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
        found = changed(
            self.given, release=release, now=self.time, look=Look(KEY, self.seen, self.time, self.time),
            outage=memory.outage_to_reckon(),
        )  # fmt: skip
        assert found.place.target is not None
        return replace(found, diagnostics=await diagnose(self.ecs, found.place.target, found, memory))  # type: ignore[arg-type]

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
