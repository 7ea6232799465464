"""The board behind a load balancer of AWS that logs people in: who it signs sees what roles let them, and nobody else sees anything."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from ecs_release.board.load_balancer import HEADER
from tests.apiserver.board_bed import BoardBed, Visitor, board_bed, running
from tests.builders.load_balancer import ARN, CLIENT, LoadBalancer
from tests.control_plane.control_plane import Cluster


@pytest.fixture
async def balancer() -> AsyncIterator[LoadBalancer]:
    made = LoadBalancer()
    async with made.serving_keys():
        yield made


@pytest.fixture
def bed(cluster: Cluster, balancer: LoadBalancer) -> Iterator[BoardBed]:
    settings = {
        "ECS_RELEASE_BOARD_LOGIN": "load-balancer",
        "ECS_RELEASE_BOARD_LOAD_BALANCER_ARNS": ARN,
        "ECS_RELEASE_BOARD_LOAD_BALANCER_CLIENT_ID": CLIENT,
        "ECS_RELEASE_BOARD_LOAD_BALANCER_KEYS_ADDRESS": balancer.address,
        "ECS_RELEASE_BOARD_USER_CLAIM": "email",
    }
    with board_bed(cluster, settings) as running_board:
        yield running_board


async def test_only_whom_it_signs_is_somebody(bed: BoardBed, balancer: LoadBalancer, namespace: str) -> None:
    user = f"{namespace}@example.com"
    bed.put(namespace, running("web", "b"))
    bed.cluster.kubectl("create", "role", "sees", "-n", namespace, "--verb=get", "--resource=releases.ecs-release.dev")
    bed.cluster.kubectl("create", "rolebinding", "sees", "-n", namespace, "--role=sees", f"--user={user}")
    claims = {"sub": "1", "email": user}
    async with aiohttp.ClientSession() as session:
        visitor = Visitor(bed, session, "nobody")
        visitor.headers = {HEADER: balancer.token(claims)}
        await visitor.until_sees([f"{namespace}/web"])
        async with visitor.streaming():
            assert "event: state" in visitor.streamed
        forged = balancer.token(claims, key=ec.generate_private_key(ec.SECP256R1()))
        for headers in ({}, {"X-Forwarded-User": user}, {HEADER: forged}, {HEADER: balancer.token(claims, client="wiki")}):
            for path in ("/", "/?format=json", "/events", f"/services/{namespace}/shop/web/staging", "/compare", "/commits"):
                async with session.get(bed.process.address + path, headers=headers) as answer:
                    assert answer.status == 401, (path, headers)
                    assert namespace not in await answer.text()
        visitor.headers = {HEADER: balancer.token({"sub": "2", "email": "eve@example.com"})}
        assert await visitor.sees() == []
        assert "You are eve@example.com to the cluster" in await visitor.get()
    assert balancer.asked == {balancer.key_id: 1}
