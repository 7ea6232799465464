"""The watch on a real API server: it tells everything, writes nothing, and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import kopf
import pytest

from ecs_release.api.names import ENVIRONMENT, RELEASE
from ecs_release.app import SystemClock
from ecs_release.cluster.adapter import KubernetesCluster
from ecs_release.cluster.api_server import ApiServer
from ecs_release.cluster.credentials import Credentials
from ecs_release.cluster.events import EventRecorder
from ecs_release.domain.ports.protocols import ObjectKey
from ecs_release.engine.store.store import Store
from ecs_release.engine.watch.supervisor import keep_running, sweep_once, until_served
from ecs_release.handlers.event_handlers import WATCHED
from ecs_release.handlers.login import CredentialsSource
from ecs_release.handlers.watch_thread import run_watch
from tests.builders.objects import environment_object, release_object
from tests.control_plane.control_plane import Cluster, ControlPlane
from tests.waiting import PATIENCE_S, until

RELEASES = "releases.ecs-release.dev"


@dataclass
class Told:
    """A sink that remembers."""

    bodies: dict[tuple[str, str, str], Mapping[str, Any]] = field(default_factory=dict)
    deleted_uids: list[str] = field(default_factory=list)
    loops: set[asyncio.AbstractEventLoop] = field(default_factory=set)

    def changed(self, kind: str, body: Mapping[str, Any]) -> None:
        self.loops.add(asyncio.get_running_loop())
        self.bodies[kind, body["metadata"].get("namespace", ""), body["metadata"]["name"]] = body

    def deleted(self, kind: str, namespace: str, name: str, uid: str) -> None:
        self.bodies.pop((kind, namespace, name), None)
        self.deleted_uids.append(uid)

    def version(self, kind: str, namespace: str, name: str) -> str | None:
        body = self.bodies.get((kind, namespace, name))
        return body["metadata"]["resourceVersion"] if body else None


@asynccontextmanager
async def watching(sink: Any, credentials: CredentialsSource) -> AsyncIterator[asyncio.Task[None]]:
    stop = asyncio.Event()
    task = asyncio.create_task(run_watch(sink, credentials, stop))
    try:
        yield task
    finally:
        stop.set()
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.wait([task])
    task.result()


async def test_tells_what_is_there_what_changes_and_what_goes(cluster: Cluster, server: ApiServer, namespace: str) -> None:
    cluster.apply(release_object("before", namespace=namespace), environment_object("watched"))
    told = Told()

    async with watching(told, server.credentials):
        await until(lambda: told.version(RELEASE, namespace, "before") and told.version(ENVIRONMENT, "", "watched"))
        cluster.apply(release_object("after", namespace=namespace))
        await until(lambda: told.version(RELEASE, namespace, "after"))
        cluster.kubectl("annotate", RELEASES, "before", "-n", namespace, "ecs-release.dev/retry=1")
        await until(lambda: told.bodies[RELEASE, namespace, "before"]["metadata"].get("annotations"))
        uid = told.bodies[RELEASE, namespace, "before"]["metadata"]["uid"]
        cluster.kubectl("delete", RELEASES, "before", "-n", namespace)
        await until(lambda: not told.version(RELEASE, namespace, "before"))

    assert told.deleted_uids == [uid]
    assert told.loops == {asyncio.get_running_loop()}


async def test_writes_nothing_at_all(own_control_plane: ControlPlane, server: ApiServer, namespace: str) -> None:
    own_control_plane.apply(*(release_object(f"r{n}", namespace=namespace) for n in range(10)))
    versions = {i["metadata"]["name"]: i["metadata"]["resourceVersion"] for i in own_control_plane.get(RELEASES, "-n", namespace)["items"]}

    for told in (Told(), Told()):
        async with watching(told, server.credentials):
            await until(lambda told=told: all(told.version(RELEASE, namespace, name) for name in versions))
        assert {name: told.version(RELEASE, namespace, name) for name in versions} == versions

    requests = [e for e in own_control_plane.audit_events() if e.get("userAgent", "").startswith("kopf/")]
    assert {"list", "watch"} <= {e["verb"] for e in requests} <= {"get", "list", "watch"}
    after = {i["metadata"]["name"]: i["metadata"] for i in own_control_plane.get(RELEASES, "-n", namespace)["items"]}
    assert {name: meta["resourceVersion"] for name, meta in after.items()} == versions
    assert not any("finalizers" in meta for meta in after.values())


async def test_needs_no_more_than_to_list_and_watch_our_kinds(own_control_plane: ControlPlane, server: ApiServer, namespace: str) -> None:
    """What the chart's ClusterRole must give to the watch."""
    told = Told()
    async with watching(told, server.credentials):
        own_control_plane.apply(release_object(namespace=namespace))
        await until(lambda: told.version(RELEASE, namespace, "web"))

    requests = [e for e in own_control_plane.audit_events() if e.get("userAgent", "").startswith("kopf/") and "objectRef" in e]
    assert {(e["objectRef"].get("apiGroup", ""), e["objectRef"]["resource"]) for e in requests} == {
        ("ecs-release.dev", "releases"), ("ecs-release.dev", "releasesets"), ("ecs-release.dev", "projects"),
            ("ecs-release.dev", "environments"),
    }  # fmt: skip


async def test_survives_a_restart_of_the_api_server(own_control_plane: ControlPlane, server: ApiServer, namespace: str) -> None:
    own_control_plane.apply(release_object("before", namespace=namespace))
    told, stop = Told(), asyncio.Event()
    watch = asyncio.create_task(keep_running(lambda: run_watch(told, server.credentials, stop), stop, SystemClock()))
    try:
        await until(lambda: told.version(RELEASE, namespace, "before"))
        own_control_plane.restart_apiserver()
        own_control_plane.apply(release_object("after", namespace=namespace))
        await until(lambda: told.version(RELEASE, namespace, "after"), timeout_s=60)
    finally:
        stop.set()
        async with asyncio.timeout(PATIENCE_S):
            await watch


async def test_finds_what_was_deleted_while_nobody_watched(cluster: Cluster, server: ApiServer, namespace: str) -> None:
    cluster.apply(
        release_object("stays", namespace=namespace),
        release_object("goes", namespace=namespace),
        release_object("again", namespace=namespace),
    )
    store = Store()
    forgotten: list[ObjectKey] = []

    class Sink:
        def changed(self, kind: str, body: Mapping[str, Any]) -> None:
            store.changed(kind, body)

        def deleted(self, kind: str, namespace: str, name: str, uid: str) -> None:
            store.deleted(ObjectKey(kind, namespace, name))

    def ours() -> dict[str, str]:
        return {name: uid for ns, name, uid in store.known(RELEASE) if ns == namespace}

    def forget(key: ObjectKey, uid: str) -> None:
        if key.namespace == namespace:
            forgotten.append(key)

    async with watching(Sink(), server.credentials):
        await until(lambda: len(ours()) == 3)
    old = ours()
    cluster.kubectl("delete", RELEASES, "goes", "again", "-n", namespace)
    cluster.apply(release_object("again", namespace=namespace))
    async with watching(Sink(), server.credentials):
        await until(lambda: ours()["again"] != old["again"])
        # What makes the sweep necessary: the watch that came back does not tell.
        assert "goes" in ours()
        await sweep_once(KubernetesCluster(server, EventRecorder(server, "test")), store, RELEASE, forget)

    assert forgotten == [ObjectKey(RELEASE, namespace, "goes")]


async def test_logs_in_again_when_the_credentials_have_ended(cluster: Cluster, server: ApiServer, namespace: str) -> None:
    cluster.apply(release_object(namespace=namespace))
    asked = 0

    async def credentials() -> Credentials:
        nonlocal asked
        asked += 1
        good = await server.credentials()
        return good if asked > 1 else replace(good, authorization="Bearer ended")

    # kopf sends two requests at its start, and may fall over the 401 of the other: then the supervisor helps.
    told, stop = Told(), asyncio.Event()
    watch = asyncio.create_task(keep_running(lambda: run_watch(told, credentials, stop), stop, SystemClock()))
    try:
        await until(lambda: told.version(RELEASE, namespace, "web"))
    finally:
        stop.set()
        async with asyncio.timeout(PATIENCE_S):
            await watch

    assert asked >= 2


async def test_a_watch_that_cannot_log_in_ends_with_an_error(server: ApiServer) -> None:
    async def credentials() -> Credentials:
        return replace(await server.credentials(), authorization="Bearer ended")

    # An AssertionError where the 401 of one of kopf's first requests closes the connection under the other.
    with pytest.raises((kopf.LoginError, AssertionError)):
        async with asyncio.timeout(PATIENCE_S):
            await run_watch(Told(), credentials, asyncio.Event())


async def test_begins_once_the_crds_are_there(server: ApiServer, own_control_plane: ControlPlane) -> None:
    cluster, stop = KubernetesCluster(server, EventRecorder(server, "test")), asyncio.Event()

    assert await until_served(cluster, WATCHED, stop)

    stop.set()
    assert not await until_served(cluster, WATCHED, stop)
