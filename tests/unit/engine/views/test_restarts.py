"""What was not shown yet when the process died, though all that is noted as shown is: drift, its end, and what is in doubt."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ecs_release.api.names import RELEASE
from ecs_release.domain.ports.protocols import ObjectKey
from tests.unit.engine.views.slack_world import SET, World, at, run

LONE, WEB = (ObjectKey(RELEASE, "shop", name) for name in ("lone", "web"))


def ended(an_id: str, begins_s: float = 1) -> dict[str, Any]:
    name = "id" if an_id.startswith("set") else "attemptID"
    times = {"startTime": at(begins_s), "completionTime": at(begins_s + 1)}
    return {name: an_id, "hash": "v2", "cause": "Requested", "outcome": "Succeeded", **times}


async def release(world: World, key: ObjectKey) -> None:
    if key == WEB:
        world.writes(SET, history=[ended("set-1")], services=[{"name": "web", "state": "Ready"}])
    world.writes(key, history=[ended("attempt-1")])
    await asyncio.sleep(30)


@pytest.mark.parametrize("key", [LONE, WEB])
def test_a_drift_and_its_end_are_said_though_the_process_died(key: ObjectKey) -> None:
    async def main(world: World) -> None:
        await release(world, key)
        shown = len(world.lines)
        drift = {"deploymentID": "d", "message": "task definition web:9 instead of web:8", "startTime": at(40)}
        world.writes(key, lastDrift=drift)
        world.start()
        await asyncio.sleep(60)
        assert len(world.lines) == shown + 1 and "runs something else than was released" in world.lines[-1]
        world.writes(key, lastDrift={**drift, "endTime": at(100)})
        world.start()
        await asyncio.sleep(60)
        assert len(world.lines) == shown + 1 and "that is over" in world.lines[-1]
        calls = len(world.sink.calls)
        world.start()
        await asyncio.sleep(60)
        assert len(world.sink.calls) == calls
        # What came later is noted, and nothing is read.
        world.writes(SET if key == WEB else key, history=[ended("set-2" if key == WEB else "attempt-2", 300)])
        await asyncio.sleep(300)
        reads = world.cluster.reads
        world.start()
        await asyncio.sleep(60)
        assert world.cluster.reads == reads

    run(main)


def test_what_an_older_one_left_in_doubt_is_cleared_up_after_a_restart() -> None:
    """Its message is there twice, and the process dies before that is looked for; meanwhile another one is shown in full."""

    async def main(world: World) -> None:
        world.sink.late_s, world.sink.loses = 35, 1
        world.writes(LONE, history=[ended("attempt-1")])
        await asyncio.sleep(48)
        assert world.sink.calls.count("create") >= 2
        world.sink.late_s = 0
        world.writes(LONE, history=[ended("attempt-2", 20), ended("attempt-1")])
        await asyncio.sleep(10)
        (latest,) = (v for v in world.views_of(LONE) if v["id"] == "slack/attempt-2")
        assert latest.get("outcome") == "Succeeded"
        world.start()
        await asyncio.sleep(300)
        keys = [thing.key for thing in world.sink.things.values()]
        assert len(keys) == len(set(keys)) and world.sink.removed == ["2"]

    run(main)
