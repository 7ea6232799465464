"""Reminders of what is overdue: once, again on another day, in working time, not after a restart, and that they are over."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ecs_release.api.names import ENVIRONMENT, RELEASE
from ecs_release.domain.ports.protocols import ObjectKey
from tests.unit.engine.views.slack_world import SET, World, at, run


def promotion(told: int = 1, told_s: float = 1, state: str = "Overdue") -> dict[str, Any]:
    return {"environment": "staging", "hash": "v2", "state": state, "sinceTime": at(-7200), "toldTime": at(told_s), "told": told}


DAY = 86400.0


def test_once_for_a_set_and_again_a_day_later_and_over() -> None:
    async def main(world: World) -> None:
        world.says("web", promotion())
        await asyncio.sleep(10)
        assert world.lines == ["○ store: front v2 is overdue in prod: web"]
        world.says("api", promotion(told_s=600))
        await asyncio.sleep(600)
        assert world.lines == ["○ store: front v2 is overdue in prod: web, api"]
        assert world.sink.calls == ["create", "change"]
        await asyncio.sleep(DAY)
        world.says("web", promotion(2, DAY + 1))
        world.says("api", promotion(2, DAY + 600))
        await asyncio.sleep(60)
        assert [line[:32] for line in world.lines] == ["○ store: front v2 is overdue in ", "> ○ store: front v2 is overdue i"]
        world.says("web", None)
        await asyncio.sleep(60)
        assert [line.endswith("is overdue in prod: api") for line in world.lines] == [True, True]
        world.says("api", None)
        await asyncio.sleep(60)
        assert [line.removeprefix("> ") for line in world.lines] == ["– store: front is no longer overdue in prod"] * 2
        assert world.views_of(SET) == [], "what is overdue next is said anew"
        world.says("web", promotion(told_s=DAY + 3600))
        await asyncio.sleep(60)
        assert world.lines[2:] == ["○ store: front v2 is overdue in prod: web"]

    run(main)


@pytest.mark.parametrize("name", ["web", "lone"])
def test_a_restart_says_nothing_twice_and_forgets_nothing(name: str) -> None:
    async def main(world: World) -> None:
        world.says(name, promotion())
        await asyncio.sleep(10)
        for _ in range(2):
            world.start()
            await asyncio.sleep(60)
        assert world.sink.calls == ["create"]
        # Said in status, and the process dies before it is shown; so with its end.
        world.says(name, promotion(2, DAY))
        world.start()
        await asyncio.sleep(60)
        assert len(world.lines) == 2
        world.says(name, None)
        world.start()
        await asyncio.sleep(60)
        assert all("is no longer overdue" in line for line in world.lines)
        calls = len(world.sink.calls)
        world.start()
        await asyncio.sleep(60)
        assert len(world.sink.calls) == calls

    run(main)


@pytest.mark.parametrize("after", range(1, 14))
def test_there_is_one_wherever_it_is_killed(after: int) -> None:
    async def main(world: World) -> None:
        world.sink.takes_s, world.sink.loses, world.sink.late_s = 0.2, 1, 10
        world.says("lone", promotion())
        for _ in range(2):
            await asyncio.sleep(1.0 + after * 0.05)
            world.start()
        await asyncio.sleep(600)
        assert world.lines == ["○ store: lone v2 is overdue in prod"]

    run(main)


def test_what_is_on_its_way_or_not_proven_just_now_is_not_said_anew() -> None:
    async def main(world: World) -> None:
        world.says("lone", promotion())
        await asyncio.sleep(10)
        for state in ("Unproven", "Waiting"):
            world.says("lone", promotion(state=state))
            await asyncio.sleep(60)
            assert world.lines == ["– store: lone is no longer overdue in prod"]
            world.says("lone", promotion())
            await asyncio.sleep(60)
            assert world.lines == ["○ store: lone v2 is overdue in prod"]
        assert world.sink.calls.count("create") == 1

    run(main)


def test_a_project_that_is_moved_is_told_in_its_new_place() -> None:
    async def main(world: World) -> None:
        world.says("lone", promotion())
        await asyncio.sleep(10)
        environment = world.cluster.objects[ObjectKey(ENVIRONMENT, "", "prod")]
        slack = {"credentials": "main", "channel": "C2"}
        world.cluster.put({**environment, "spec": {**environment["spec"], "notify": {"slack": slack}}})
        world.start()
        await asyncio.sleep(60)
        assert [thing.address for thing in world.sink.things.values()] == ["C1", "C2"]
        world.says("lone", None)
        await asyncio.sleep(60)
        assert world.lines == ["○ store: lone v2 is overdue in prod", "– store: lone is no longer overdue in prod"]
        assert world.views_of(ObjectKey(RELEASE, "shop", "lone")) == []

    run(main)


def test_what_was_said_before_slack_was_named_is_past() -> None:
    async def main(world: World) -> None:
        world.says("lone", promotion(told_s=-60))
        await asyncio.sleep(60)
        world.start()
        await asyncio.sleep(60)
        assert world.sink.calls == []
        world.says("lone", promotion(2, 60))
        await asyncio.sleep(60)
        assert world.lines == ["○ store: lone v2 is overdue in prod"]

    run(main)


def test_what_could_not_be_sent_in_time_waits_for_working_time() -> None:
    """It is 09:00; Slack is down until after work, and comes back in the night."""

    async def main(world: World) -> None:
        await asyncio.sleep(9 * 3600)
        world.sink.busy_s = 8 * 3600.0 + 60
        world.says("lone", promotion(told_s=9 * 3600))
        await asyncio.sleep(8 * 3600)
        world.sink.busy_s = 0
        await asyncio.sleep(15 * 3600)
        assert world.sink.calls == []
        await asyncio.sleep(3600 + 60)
        assert world.lines == ["○ store: lone v2 is overdue in prod"]

    run(main, hours={"days": ["Thu", "Fri"], "from": "09:00", "to": "17:00"})
