"""The watch may go on for a moment after the engine has ended: whatever it tells then, nothing begins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from ecs_release.api.names import ENVIRONMENT, PROJECT, RELEASE
from ecs_release.engine.engine import Engine
from ecs_release.engine.runtime.settings import EngineSettings
from tests.builders.simulated_time import SimulatedClock, run_simulated
from tests.unit.engine.observation.test_event_router import PROD, SHARED, environment, meta

SERVICES = [{"name": "web", "containers": [{"name": "app", "repository": "shop/web"}]}]


@dataclass
class Nothing:
    """A cluster and an AWS in which there is nothing; what is asked of AWS is remembered."""

    asked: list[str] = field(default_factory=list)

    async def count(self, _: str) -> int:
        return 0

    async def names(self, _: str) -> AsyncIterator[tuple[str, str, str]]:
        for nothing in ():
            yield nothing

    async def get(self, _: object) -> None:
        return None

    def __getattr__(self, name: str) -> Any:
        def call(*_: Any) -> Any:
            self.asked.append(name)
            return self

        async def answer(*_: Any, **__: Any) -> list[Any]:
            self.asked.append(name)
            await asyncio.sleep(1)
            return []

        return call if name in ("ecs", "registry", "event_queue", "sink") else answer


def test_no_observer_listener_or_notifier_begins_after_the_end() -> None:
    outside = Nothing()
    project = {"metadata": meta("shop", "team"), "spec": {"serviceSets": [{"name": "all", "services": SERVICES}]}}
    spec = {"projectRef": {"name": "shop"}, "service": "web", "environmentRef": {"name": "prod"}, "source": {"tag": "x"}}
    release = {"metadata": meta("web", "team"), "spec": spec, "status": {}}

    async def main() -> set[str]:
        engine, leading = Engine(outside, outside, SimulatedClock(), EngineSettings()), asyncio.Event()  # type: ignore[arg-type]
        leading.set()
        running = asyncio.create_task(engine.run(leading))
        engine.changed(ENVIRONMENT, environment("prod", PROD, SHARED))
        engine.changed(PROJECT, project)
        engine.changed(RELEASE, release)
        await asyncio.sleep(30)
        assert "event_queue" in outside.asked, "it has begun"
        running.cancel()
        await asyncio.wait([running])
        outside.asked.clear()
        engine.changed(RELEASE, release | {"metadata": meta("web", "team") | {"generation": 2}})
        await asyncio.sleep(30)
        return {task.get_name() for task in asyncio.all_tasks()} - {asyncio.current_task().get_name()}  # type: ignore[union-attr]

    assert run_simulated(main()) == set()
    assert outside.asked == []
