"""One control plane a worker, with our CRDs."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ecs_release.cluster.api_server import ApiServer
from tests.control_plane.control_plane import Cluster, ControlPlane, control_plane

CRDS = Path(__file__).parent.parent.parent / "crds"


@pytest.fixture(scope="package")
def cluster() -> Iterator[Cluster]:
    """A cluster that all tests of this folder share: each makes a namespace of its own."""
    with control_plane(audit=True) as running:
        running.install_crds(CRDS)
        yield running


@pytest.fixture
def own_control_plane(cluster: Cluster) -> ControlPlane:
    """The shared control plane where its processes are ours, to restart its API server or to read its audit log."""
    if not isinstance(cluster, ControlPlane):
        pytest.skip("needs a control plane of our own processes")
    return cluster


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> str:
    """A namespace of the test's own."""
    name = request.node.name.split("[")[0].replace("_", "-").lower()[:50].rstrip("-")
    # Tests of several modules may have the same name.
    name += f"-{zlib.crc32(request.node.nodeid.encode()):08x}"
    cluster.kubectl("create", "namespace", name)
    return name


@pytest.fixture
async def server(cluster: Cluster) -> AsyncIterator[ApiServer]:
    """Our client."""
    server = await ApiServer.connect(str(cluster.kubeconfig), "ecs-release-operator/test")
    yield server
    await server.close()
