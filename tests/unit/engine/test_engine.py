"""The watch may go on for a moment after the engine has ended: whatever it tells then, nothing begins."""

from __future__ import annotations

import asyncio

from ecs_release.api.names import ENVIRONMENT, PROJECT, RELEASE
from ecs_release.engine.engine import Engine
from ecs_release.engine.runtime.settings import EngineSettings
from tests.builders.fake_outside import Nothing
from tests.builders.objects import environment_object, project_object, release_object
from tests.builders.simulated_time import SimulatedClock, run_simulated


def test_no_observer_listener_or_notifier_begins_after_the_end() -> None:
    outside = Nothing()
    release = release_object()

    async def main() -> set[str]:
        engine, leading = Engine(outside, outside, SimulatedClock(), EngineSettings()), asyncio.Event()  # type: ignore[arg-type]
        leading.set()
        running = asyncio.create_task(engine.run(leading))
        engine.changed(
            ENVIRONMENT, environment_object(observation={"eventQueueURL": "https://sqs.eu-west-1.amazonaws.com/111122223333/events"})
        )
        engine.changed(PROJECT, project_object())
        engine.changed(RELEASE, release)
        await asyncio.sleep(30)
        assert "event_queue" in outside.asked, "it has begun"
        running.cancel()
        await asyncio.wait([running])
        outside.asked.clear()
        engine.changed(RELEASE, release_object(meta={"generation": 2}))
        await asyncio.sleep(30)
        return {task.get_name() for task in asyncio.all_tasks()} - {asyncio.current_task().get_name()}  # type: ignore[union-attr]

    assert run_simulated(main()) == set()
    assert outside.asked == []
