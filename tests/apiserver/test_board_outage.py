"""The board while the API server cannot be reached: the last known pages, since when they are, and up to date again without a restart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from tests.apiserver.board_bed import BoardBed, Visitor, board_bed, running
from tests.builders.board_objects import SHOP, rolled_back, storefront
from tests.control_plane.control_plane import Cluster
from tests.proxies import BreakingProxy, server_of
from tests.waiting import until

_NOTICED_S = 120
"""Bookmarks come every minute, and a watch without data for 70 s is dead. Each of them is noticed by itself."""
_SLACK = timedelta(seconds=2)


@dataclass(frozen=True)
class Behind:
    """A board that reaches the API server through a proxy."""

    bed: BoardBed
    proxy: BreakingProxy


@pytest.fixture(scope="module")
def behind(cluster: Cluster) -> Iterator[Behind]:
    with ExitStack() as stack:
        proxies: list[BreakingProxy] = []

        def through(kubeconfig: Path) -> Path:
            proxies.append(stack.enter_context(BreakingProxy(server_of(kubeconfig)).running()))
            return proxies[0].kubeconfig(kubeconfig)

        bed = stack.enter_context(board_bed(cluster, through=through))
        bed.observe("staging")
        yield Behind(bed, proxies[0])


@pytest.fixture
async def viewer(behind: Behind, namespace: str) -> AsyncIterator[Visitor]:
    """Somebody who sees a service and a set."""
    for body in (SHOP, rolled_back(), storefront(), running("web", "b")):
        behind.bed.put(namespace, body)
    behind.bed.allow(namespace, namespace)
    async with aiohttp.ClientSession() as session:
        visitor = Visitor(behind.bed, session, namespace)
        await visitor.until_sees([f"{namespace}/checkout", f"{namespace}/web"])
        yield visitor


@pytest.mark.parametrize("breaks", [BreakingProxy.cut, BreakingProxy.silence], ids=["it is away", "connections are dead without a word"])
async def test_the_last_known_pages_say_since_when_and_are_up_to_date_again_without_a_restart(
    behind: Behind, namespace: str, viewer: Visitor, breaks: Callable[[BreakingProxy], None]
) -> None:
    bed, process = behind.bed, behind.bed.process.process.pid
    addresses = ["/", f"/services/{namespace}/shop/checkout/staging", f"/sets/{namespace}/storefront-staging", "/compare", "/commits"]
    async with viewer.streaming():
        broken_at = datetime.now(UTC)
        breaks(behind.proxy)
        await asyncio.to_thread(bed.put, namespace, running("web", "c"))
        await asyncio.to_thread(bed.put, namespace, running("second", "d"))
        await asyncio.to_thread(bed.cluster.kubectl, "delete", "release", "checkout-staging", "-n", namespace)
        await until(lambda: '"fresh":false' in viewer.streamed, _NOTICED_S)
        for path in addresses:
            found = json.loads(await viewer.get(f"{path}?format=json"))
            assert found["fresh"] is False, path
            assert broken_at - timedelta(seconds=_NOTICED_S) < datetime.fromisoformat(found["asOf"]) < broken_at + _SLACK, path
            assert "Not up to date: the cluster does not answer." in await viewer.get(path)
        assert await viewer.sees() == [f"{namespace}/checkout", f"{namespace}/web"]
        assert "bbbbbbb" in await viewer.get() and "RolledBack" in await viewer.get(addresses[1])
        # Of somebody of whom it was not asked before, nobody knows what they may see.
        assert "cannot be asked what you may see" in await Visitor(bed, viewer.session, f"new-{namespace}").get()

        said = len(viewer.streamed)
        behind.proxy.mend()
        await until(lambda: '"fresh":true' in viewer.streamed[said:], _NOTICED_S)
        await viewer.until_sees([f"{namespace}/second", f"{namespace}/web"])
        assert "ccccccc" in await viewer.get() and "Not up to date" not in await viewer.get()
    assert process == bed.process.process.pid
