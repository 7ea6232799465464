"""Attacks by names, of a tenant with rights in one namespace: what the API server refuses, and what the operator does with what is there.

Objects that are older than the patterns of names are still there after an upgrade, and owner references have no pattern at all.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml

from ecs_release.api.names import API_VERSION, GROUP, RELEASE_SET
from ecs_release.app import SystemClock
from ecs_release.cluster.adapter import KubernetesCluster
from ecs_release.cluster.api_server import ApiServer
from ecs_release.cluster.events import EventRecorder
from ecs_release.engine.engine import Engine
from ecs_release.engine.runtime.settings import EngineSettings
from ecs_release.handlers.watch_thread import run_watch
from tests.apiserver.conftest import CRDS
from tests.builders.fake_outside import Nothing
from tests.builders.hostile_objects import TEXTS
from tests.builders.objects import project_object, release_object, release_set_object
from tests.control_plane.cluster import Cluster, KubectlError
from tests.control_plane.control_plane import ControlPlane, control_plane
from tests.waiting import until_blocking

AGENT = "ecs-release-operator/attacked"
RESOURCES = ("releases", "releasesets", "projects")
SHORT = tuple(text for text in TEXTS if len(text) <= 63)


@pytest.fixture(scope="module")
def older() -> Iterator[ControlPlane]:
    """A cluster whose CRDs do not hold names to a pattern yet, with a tenant, mallory, and a victim."""
    with control_plane(audit=True) as cluster:
        if not isinstance(cluster, ControlPlane):
            pytest.skip("needs a control plane of our own processes")
        for path in CRDS.glob("*.yaml"):
            crd = yaml.safe_load(path.read_text())
            for schema in _names(crd):
                schema.pop("pattern", None)
            cluster.apply(crd)
        cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", str(CRDS))
        for namespace in ("mallory", "victim"):
            cluster.kubectl("create", "namespace", namespace)
        give_rights(cluster, "mallory")
        cluster.apply(*(_in(body, "victim") for body in (project_object(), release_set_object(), release_object())))
        yield cluster


def give_rights(cluster: Cluster, namespace: str) -> None:
    """Let user mallory write our kinds in a namespace, and nothing else."""
    cluster.kubectl("-n", namespace, "create", "role", "team", "--verb=*", *(f"--resource={r}.{GROUP}" for r in RESOURCES))
    cluster.kubectl("-n", namespace, "create", "rolebinding", "team", "--role=team", "--user=mallory")


@pytest.mark.parametrize("text", SHORT)
def test_a_name_that_is_none_is_refused(cluster: Cluster, namespace_of_mallory: str, text: str) -> None:
    attacks = [
        release_object(projectRef={"name": text}),
        release_object(environmentRef={"name": text}),
        release_set_object(projectRef={"name": text}),
        release_set_object(environmentRef={"name": text}),
        release_set_object(source={"environmentRef": {"name": text}}),
    ]
    project = project_object(targets=[{"environment": text, "serviceName": "web"}])
    for body in [*attacks, project]:
        with pytest.raises(KubectlError, match="should match"):
            as_mallory(cluster, _in(body, namespace_of_mallory))


@pytest.fixture(scope="module")
def namespace_of_mallory(cluster: Cluster) -> str:
    """A namespace where mallory may write."""
    cluster.kubectl("create", "namespace", "mallory-names")
    give_rights(cluster, "mallory-names")
    return "mallory-names"


async def test_names_reach_nothing_of_others(older: ControlPlane) -> None:
    uid = older.get(f"releasesets.{GROUP}", "front-prod", "-n", "victim")["metadata"]["uid"]
    older.apply(_in(project_object(), "mallory"))
    owner = {"apiVersion": API_VERSION, "kind": RELEASE_SET, "uid": uid, "controller": True}
    bodies = []
    for number, text in enumerate(
        [*SHORT, "../../victim/projects/store", "../../victim/releasesets/front-prod", "../../../../../api/v1/secrets"]
    ):
        bodies += [
            release_object(f"p{number}", projectRef={"name": text}),
            release_object(f"e{number}", environmentRef={"name": text}),
            release_object(f"o{number}", meta={"ownerReferences": [{**owner, "name": text}]}),
            release_set_object(f"s{number}", projectRef={"name": text}),
            release_set_object(f"t{number}", source={"environmentRef": {"name": text}}),
        ]
    for body in bodies:
        as_mallory(older, _in(body, "mallory"))

    async with operating(older):
        await until_blocking(lambda: not _without_reason(older, "mallory") and not _without_reason(older, "victim"), 120)

    asked = [e for e in older.audit_events() if e.get("userAgent") == AGENT]
    names = {
        (namespace, resource): {i["metadata"]["name"] for i in older.get(f"{resource}.{GROUP}", "-n", namespace)["items"]} | made
        for namespace in ("mallory", "victim")
        for resource in RESOURCES
        # The garbage collector may have taken some whose owner is not there.
        for made in [{b["metadata"]["name"] for b in bodies} if (namespace, resource) != ("victim", "projects") else set()]
    }
    assert [e["requestURI"] for e in asked if not _is_about(e, names)] == []
    assert [e["requestURI"] for e in asked if "watch" in e["requestURI"] or ".." in unquote(e["requestURI"])] == []


def _is_about(event: dict[str, Any], names: dict[tuple[str, str], set[str]]) -> bool:
    """Return whether a request was for an object of that very name, a list, or an Event."""
    about = event.get("objectRef") or {}
    if about.get("resource") == "events" or event["verb"] == "list":
        return True
    known = names.get((about.get("namespace", ""), about.get("resource", "")), set())
    return about.get("name", "") in known and event["verb"] in ("get", "patch") and about.get("subresource", "") in ("", "status")


def as_mallory(cluster: Cluster, body: dict[str, Any]) -> None:
    """Create an object as the tenant."""
    cluster.kubectl("--as=mallory", "create", "-f", "-", stdin=json.dumps(body))


def _in(body: dict[str, Any], namespace: str) -> dict[str, Any]:
    """Return an object as it is made in a namespace."""
    meta = {k: v for k, v in body["metadata"].items() if k in ("name", "ownerReferences")}
    return {**body, "metadata": {**meta, "namespace": namespace}}


def _names(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield the schemas of names: of references, and of Environments in a Project."""
    if isinstance(schema, dict):
        for name, below in schema.items():
            if name in ("projectRef", "environmentRef"):
                yield below["properties"]["name"]
            yield from _names(below)
    elif isinstance(schema, list):
        for below in schema:
            yield from _names(below)


def _without_reason(cluster: Cluster, namespace: str) -> list[str]:
    """Name what no pass has said anything of yet."""
    listed = cluster.get(",".join(f"{r}.{GROUP}" for r in RESOURCES), "-n", namespace)["items"]
    return [i["metadata"]["name"] for i in listed if not (i.get("status") or {}).get("conditions")]


@asynccontextmanager
async def operating(cluster: ControlPlane) -> AsyncIterator[None]:
    """Run watch and engine, without AWS."""
    server = await ApiServer.connect(str(Path(cluster.kubeconfig)), AGENT)
    engine = Engine(KubernetesCluster(server, EventRecorder(server, "attacked")), Nothing(), SystemClock(), EngineSettings())  # type: ignore[arg-type]
    leading, stop = asyncio.Event(), asyncio.Event()
    leading.set()
    watch = asyncio.create_task(run_watch(engine, server.credentials, stop))
    running = asyncio.create_task(engine.run(leading))
    try:
        yield
        assert not running.done()
    finally:
        stop.set()
        running.cancel()
        await asyncio.wait([running, watch], timeout=30)
        await server.close()
