"""A board of some namespaces, with rights there alone: it shows those, and one that does not let it in takes nothing from the others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import yaml

from tests.apiserver.board_bed import RELEASES, BoardBed, Visitor, account, running
from tests.board_process import BoardProcess
from tests.chart.helm import BOARD, render
from tests.control_plane.control_plane import Cluster
from tests.proxies import BreakingProxy, server_of
from tests.waiting import PATIENCE_S

ACCOUNT = "some-board"
NAMES = [f"board-some-{n}" for n in range(1, 5)]
"""Four, so that there are more watches than the client has connections for requests."""
KINDS = ("releases", "releasesets", "projects")
CLOSED, OTHER = "board-some-closed", "board-some-other"


def values(*namespaces: str) -> dict[str, Any]:
    return {**BOARD, "fullnameOverride": "some", "watchNamespaces": [*namespaces]}


@dataclass(frozen=True)
class Some:
    """The board, and a proxy between it and the API server."""

    bed: BoardBed
    proxy: BreakingProxy


@pytest.fixture
def some(cluster: Cluster) -> Iterator[Some]:
    """A board that is to show one namespace more than it has a Role in. What it is refused is meant: it does not count as what it used."""
    for name in (*NAMES, CLOSED, OTHER):
        cluster.kubectl("create", "namespace", name)
    kubeconfig = account(cluster, values(*NAMES), ACCOUNT)
    with ExitStack() as stack:
        proxy = stack.enter_context(BreakingProxy(server_of(kubeconfig)).running())
        settings = {"ECS_RELEASE_BOARD_LOGIN": "headers", "ECS_RELEASE_BOARD_WATCH_NAMESPACES": ",".join((*NAMES, CLOSED))}
        process = stack.enter_context(BoardProcess(proxy.kubeconfig(kubeconfig), settings))
        yield Some(BoardBed(cluster, process), proxy)


async def test_it_shows_the_namespaces_that_it_has_a_role_in_and_those_alone(some: Some) -> None:
    bed, cluster = some.bed, some.bed.cluster
    assert not cluster.can(f"system:serviceaccount:ecs-release:{ACCOUNT}", "list", RELEASES, "-n", OTHER)
    for name in (NAMES[0], NAMES[3], CLOSED, OTHER):
        bed.put(name, running("web", "b"))
        bed.allow(name, "wide")
    async with aiohttp.ClientSession() as session:
        wide = Visitor(bed, session, "wide")
        first, last, closed = (f"{name}/web" for name in (NAMES[0], NAMES[3], CLOSED))
        await wide.until_sees([first, last])
        for path in ("/", "/?format=json", "/?q=web", "/compare?first=staging&second=production", "/commits"):
            text = await wide.get(path)
            assert OTHER not in text, path
            # It may see it, if the board could: so it is told why it is not there.
            assert (CLOSED in text) is (path in ("/", "/?format=json", "/?q=web")), path
        for name, shown in ((NAMES[0], True), (CLOSED, False), (OTHER, False)):
            assert ("web in staging" in await wide.get(f"/services/{name}/shop/web/staging")) is shown
        bed.put(NAMES[3], running("second", "c"))
        await wide.until_sees([first, f"{NAMES[3]}/second", last])

        # It is given its Role.
        roles = [o for o in yaml.safe_load_all(render(values(CLOSED))) if o and o["kind"] in ("Role", "RoleBinding")]
        cluster.apply(*(o for o in roles if o["metadata"]["name"] == ACCOUNT))
        await wide.until_sees([first, f"{NAMES[3]}/second", last, closed])
        await _told(bed, "may be read again", 1)
        # And it is taken away. The API server looks at it when the next watch begins.
        cluster.kubectl("delete", "rolebinding", ACCOUNT, "-n", CLOSED)
        some.proxy.cut()
        some.proxy.mend()
        await wide.until_sees([first, f"{NAMES[3]}/second", last])
        await _told(bed, "are left out until they may be read", 2)
        async with asyncio.timeout(PATIENCE_S):
            while not json.loads(await wide.get("/?format=json"))["fresh"]:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    assert OTHER not in bed.process.log.read_text()


async def _told(bed: BoardBed, text: str, times: int) -> None:
    """Wait until the log says something so often of each kind in the namespace that is closed: each is noticed by itself."""
    async with asyncio.timeout(PATIENCE_S):
        while [bed.process.log.read_text().count(f"{kind} of namespace {CLOSED} {text}") for kind in KINDS] != [times] * 3:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
