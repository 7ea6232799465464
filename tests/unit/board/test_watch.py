"""What is watched is not called up to date while it is not known what has changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

from ecs_release.api.names import RELEASE
from ecs_release.board.freshness import Freshness
from ecs_release.board.inventory import Inventory
from ecs_release.board.watch import Source, Watch
from ecs_release.cluster.api_server import ApiServer, Gone
from tests.builders.board import Clock
from tests.builders.simulated_time import run_simulated
from tests.unit.cli.kubectl.objects import release


class SlowServer:
    """Lists; its watch ends for its version is too old, and then a list takes as long as the test wants."""

    def __init__(self) -> None:
        self.lists = 0
        self.go_on = asyncio.Event()

    async def versioned_pages(self, _: object) -> AsyncIterator[tuple[list[dict[str, Any]], str]]:
        self.lists += 1
        if self.lists > 1:
            await self.go_on.wait()
        yield [release("web")], "7"

    async def watch(self, _: object, version: str) -> AsyncIterator[dict[str, Any]]:
        yield {"type": "OPENED"}
        await asyncio.sleep(5)
        if self.lists == 1:
            raise Gone(f"too old resource version: {version}")
        await asyncio.Event().wait()


def test_while_all_is_listed_again_it_is_not_fresh() -> None:
    async def run() -> None:
        clock, source, server = Clock(), Source(RELEASE), SlowServer()
        flips: list[bool] = []
        freshness = Freshness([source], clock.now, lambda: flips.append(freshness.age.fresh))
        task = asyncio.create_task(Watch(cast("ApiServer", server), source, Inventory(clock.now), freshness).run())
        await asyncio.sleep(1)
        assert freshness.age.fresh
        await asyncio.sleep(60)
        assert (server.lists, freshness.age.fresh, freshness.complete) == (2, False, True)
        server.go_on.set()
        await asyncio.sleep(1)
        assert freshness.age.fresh
        assert flips == [True, False, True]
        task.cancel()

    run_simulated(run())
