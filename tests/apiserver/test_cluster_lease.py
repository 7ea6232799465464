"""The Lease on a real API server, with the rights that the documentation names and no others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from ecs_release.cluster.api_server import ApiServer
from ecs_release.cluster.lease import Candidacy, Elector, Timing
from tests.control_plane.control_plane import Cluster
from tests.waiting import until

TIMING = Timing(8, 6, 0.3)
"""So long that a busy machine renews in time."""
VERBS = "get,list,create,update"


def allow(cluster: Cluster, namespace: str, verbs: str) -> None:
    cluster.kubectl("create", "serviceaccount", "operator", "-n", namespace)
    cluster.kubectl("create", "role", "leases", f"--verb={verbs}", "--resource=leases.coordination.k8s.io", "-n", namespace)
    cluster.kubectl("create", "rolebinding", "leases", "--role=leases", f"--serviceaccount={namespace}:operator", "-n", namespace)


@pytest.fixture
async def limited(cluster: Cluster, namespace: str, request: pytest.FixtureRequest) -> AsyncIterator[ApiServer]:
    """Our client with the rights that the test asks for."""
    allow(cluster, namespace, getattr(request, "param", VERBS))
    server = await ApiServer.connect(str(cluster.service_account_kubeconfig(namespace, "operator")), "test")
    yield server
    await server.close()


def elector(server: ApiServer, namespace: str, identity: str, shard: str = "default", table: str = "1") -> tuple[Elector, asyncio.Event]:
    return Elector(server, Candidacy(namespace, "one", shard, table, identity), TIMING), asyncio.Event()


async def test_it_goes_from_one_to_the_next(cluster: Cluster, limited: ApiServer, namespace: str) -> None:
    (one, leads), (two, follows) = elector(limited, namespace, "one"), elector(limited, namespace, "two")
    first = asyncio.create_task(one.run(leads))
    await until(leads.is_set)
    second = asyncio.create_task(two.run(follows))
    await asyncio.sleep(2 * TIMING.duration_s)
    assert (one.held(), two.held()) == (True, False)
    first.cancel()
    await one.release()
    await until(follows.is_set)
    lease = await asyncio.to_thread(cluster.get, "lease", "ecs-release.one.default", "-n", namespace)
    assert lease["metadata"]["labels"] == {"ecs-release.dev/installation": "one"}
    assert {k: lease["spec"][k] for k in ("holderIdentity", "leaseDurationSeconds", "leaseTransitions")} == {
        "holderIdentity": "two", "leaseDurationSeconds": 8, "leaseTransitions": 1,
    }  # fmt: skip
    assert lease["spec"]["acquireTime"] <= lease["spec"]["renewTime"]
    # It is renewed in place, and another shard with the same table goes beside it.
    prod, leads_prod = elector(limited, namespace, "three", "prod")
    third = asyncio.create_task(prod.run(leads_prod))
    await until(leads_prod.is_set)
    other, waits = elector(limited, namespace, "four", "stage", table="2")
    fourth = asyncio.create_task(other.run(waits))
    await asyncio.sleep(TIMING.duration_s)
    assert (two.held(), prod.held(), other.held()) == (True, True, False)
    for task in (second, third):
        task.cancel()
    for held in (two, prod):
        await held.release()
    await until(waits.is_set)
    fourth.cancel()


@pytest.mark.parametrize("limited", ["get,create,update"], indirect=True)
async def test_without_the_right_to_list_it_says_so_and_does_not_act(
    limited: ApiServer, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    alone, leads = elector(limited, namespace, "one")
    task = asyncio.create_task(alone.run(leads))
    await until(lambda: "it cannot be told whether other shards agree: Denied" in caplog.text)
    assert not leads.is_set()
    task.cancel()
