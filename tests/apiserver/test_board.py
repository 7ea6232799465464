"""The board with real rights: each sees what the cluster lets them get, by page, JSON and stream, and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest

from tests.apiserver.board_bed import RELEASES, BoardBed, Visitor, board_bed, running
from tests.control_plane.control_plane import Cluster, ControlPlane
from tests.unit.cli.kubectl.objects import ROLLED_BACK
from tests.waiting import PATIENCE_S, until


@pytest.fixture(scope="module")
def bed(cluster: Cluster) -> Iterator[BoardBed]:
    with board_bed(cluster) as running_board:
        running_board.observe("staging")
        yield running_board


@pytest.fixture
async def visit(bed: BoardBed) -> AsyncIterator[Any]:
    async with aiohttp.ClientSession() as session:
        yield lambda user: Visitor(bed, session, user)


async def test_each_sees_what_they_may_get_and_what_changes_there(bed: BoardBed, namespace: str, visit: Any) -> None:
    other = f"{namespace}-2"
    bed.cluster.kubectl("create", "namespace", other)
    for place, user, letter in ((namespace, "ben", "b"), (other, "ada", "c")):
        bed.put(place, running("web", letter))
        bed.allow(place, user)
    ben, ada, eve = visit("ben"), visit("ada"), visit("eve")

    await ben.until_sees([f"{namespace}/web"])
    await ada.until_sees([f"{other}/web"])
    assert await eve.sees() == []
    for text in (await ben.get(), await ben.get("/?q=ccc"), await ben.get("/?format=json"), await eve.get()):
        assert other not in text and "ccccccc" not in text

    async with ben.streaming(), ada.streaming(), eve.streaming():
        bed.put(other, running("web", "c", readiness=ROLLED_BACK))
        bed.put(other, running("second", "d"))
        await until(lambda: "event: reload" in ada.streamed)
        bed.put(namespace, running("web", "b", readiness=ROLLED_BACK))
        await until(lambda: "RolledBack" in ben.streamed)
        for quiet in (ben, eve):
            assert other not in quiet.streamed and "ccccccc" not in quiet.streamed
        assert "event: reload" not in ben.streamed
        assert "event: change" not in eve.streamed and "event: reload" not in eve.streamed


async def test_a_right_that_is_lost_ends_the_stream(bed: BoardBed, namespace: str, visit: Any) -> None:
    bed.put(namespace, running("web", "b"))
    bed.allow(namespace, "leaver")
    leaver = visit("leaver")
    await leaver.until_sees([f"{namespace}/web"])
    async with leaver.streaming() as stream:
        bed.forbid(namespace, "leaver")
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.wait([stream])
        assert stream.done()
    assert await leaver.sees() == []


async def test_it_does_not_write(bed: BoardBed) -> None:
    account = "--as=system:serviceaccount:ecs-release:ecs-release-operator-board"
    for verb in ("create", "update", "patch", "delete"):
        assert bed.cluster.kubectl("auth", "can-i", verb, RELEASES, account, check=False).strip() == "no"
    assert bed.cluster.kubectl("auth", "can-i", "get", "secrets", account, check=False).strip() == "no"


async def test_it_goes_on_after_a_restart_of_the_api_server(
    bed: BoardBed, own_control_plane: ControlPlane, namespace: str, visit: Any
) -> None:
    bed.put(namespace, running("web", "b"))
    bed.allow(namespace, "stayer")
    stayer = visit("stayer")
    await stayer.until_sees([f"{namespace}/web"])
    own_control_plane.restart_apiserver()
    bed.put(namespace, running("second", "c"))
    await stayer.until_sees([f"{namespace}/second", f"{namespace}/web"])
    # Another watch may still be listing what it has missed.
    async with asyncio.timeout(PATIENCE_S):
        while not json.loads(await stayer.get("/?format=json"))["fresh"]:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
