"""Events, as kubectl shows them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ecs_release.api.names import ENVIRONMENT, RELEASE
from ecs_release.cluster import events
from ecs_release.cluster.api_server import ApiServer
from ecs_release.cluster.events import EventRecorder
from ecs_release.domain.ports.protocols import EventNote, ObjectKey
from tests.builders.objects import environment_object, release_object
from tests.control_plane.control_plane import Cluster
from tests.waiting import until_blocking

NOTE = EventNote("Warning", "RolledBack", "RollOut", "ECS went back to the former revision")


@asynccontextmanager
async def running(recorder: EventRecorder) -> AsyncIterator[None]:
    task = asyncio.create_task(recorder.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def uid_of(cluster: Cluster, *where: str) -> str:
    return str(cluster.get(*where)["metadata"]["uid"])


def events_of(cluster: Cluster, namespace: str, reason: str = "") -> list[dict]:  # type: ignore[type-arg]
    found = json.loads(cluster.kubectl("get", "events.events.k8s.io", "-n", namespace, "-o", "json"))["items"]
    return [e for e in found if not reason or e["reason"] == reason]


async def test_whatever_it_says_an_event_is_recorded(cluster: Cluster, server: ApiServer, namespace: str) -> None:
    cluster.apply(release_object(namespace=namespace))
    uid = uid_of(cluster, "releases.ecs-release.dev", "web", "-n", namespace)
    recorder = EventRecorder(server, "pod-1")
    notes = ["ship \N{ROCKET}", "half \ud83d of it", "\0\x1b\x7f\x85\u2028\ufffe", "\N{ROCKET}" * 1000]

    async with running(recorder):
        for note in notes:
            recorder.record(ObjectKey(RELEASE, namespace, "web"), uid, EventNote("Warning", "RolledBack", "RollOut", note))
        await until_blocking(lambda: len(events_of(cluster, namespace)) == len(notes))

    said = {e["note"] for e in events_of(cluster, namespace)}
    assert said == {notes[0], "half \N{REPLACEMENT CHARACTER} of it", "\\x00\\x1b\\x7f\\x85\u2028\ufffe", "\N{ROCKET}" * 256}
    assert recorder.dropped == 0


async def test_the_same_event_again_counts_up_and_kubectl_shows_it(cluster: Cluster, server: ApiServer, namespace: str) -> None:
    cluster.apply(release_object(namespace=namespace))
    uid = uid_of(cluster, "releases.ecs-release.dev", "web", "-n", namespace)
    key, recorder = ObjectKey(RELEASE, namespace, "web"), EventRecorder(server, "pod-1")

    async with running(recorder):
        recorder.record(key, uid, NOTE)
        await until_blocking(lambda: len(events_of(cluster, namespace)) == 1)
        recorder.record(key, uid, NOTE)
        recorder.record(key, uid, NOTE)
        recorder.record(key, uid, EventNote("Normal", "Succeeded", "RollOut", "every task runs it"))
        await until_blocking(lambda: len(events_of(cluster, namespace)) == 2)

    (first,) = events_of(cluster, namespace, "RolledBack")
    assert first["series"]["count"] == 3
    assert (first["reportingController"], first["reportingInstance"]) == ("ecs-release.dev/operator", "pod-1")
    assert first["regarding"]["uid"] == uid
    shown = cluster.kubectl("events", "--for", "releases.ecs-release.dev/web", "-n", namespace)
    assert "RolledBack" in shown
    assert "(x3 over" in shown
    described = cluster.kubectl("describe", "releases.ecs-release.dev", "web", "-n", namespace)
    assert "ECS went back to the former revision" in described


async def test_many_at_once_are_one_request(cluster: Cluster, server: ApiServer, namespace: str) -> None:
    cluster.apply(release_object(namespace=namespace))
    uid = uid_of(cluster, "releases.ecs-release.dev", "web", "-n", namespace)
    recorder = EventRecorder(server, "pod-1")
    for _ in range(500):
        recorder.record(ObjectKey(RELEASE, namespace, "web"), uid, NOTE)

    async with running(recorder):
        await until_blocking(lambda: events_of(cluster, namespace))

    (event,) = events_of(cluster, namespace)
    assert event["series"]["count"] == 500


async def test_cluster_scoped_objects_have_theirs_in_default(cluster: Cluster, server: ApiServer) -> None:
    cluster.apply(environment_object("eventful"))
    recorder = EventRecorder(server, "pod-1")
    note = EventNote("Normal", "Authenticated", "Authenticate", "x" * 3000)

    async with running(recorder):
        recorder.record(ObjectKey(ENVIRONMENT, "", "eventful"), uid_of(cluster, "environments.ecs-release.dev", "eventful"), note)
        await until_blocking(lambda: events_of(cluster, "default", "Authenticated"))

    (event,) = events_of(cluster, "default", "Authenticated")
    assert "namespace" not in event["regarding"]
    assert len(event["note"]) == 1024
    assert "Authenticated" in cluster.kubectl("describe", "environments.ecs-release.dev", "eventful")


async def test_an_event_that_is_gone_is_begun_anew(cluster: Cluster, server: ApiServer, namespace: str) -> None:
    cluster.apply(release_object(namespace=namespace))
    uid = uid_of(cluster, "releases.ecs-release.dev", "web", "-n", namespace)
    recorder = EventRecorder(server, "pod-1")

    async with running(recorder):
        recorder.record(ObjectKey(RELEASE, namespace, "web"), uid, NOTE)
        await until_blocking(lambda: events_of(cluster, namespace))
        cluster.kubectl("delete", "events", "--all", "-n", namespace)
        recorder.record(ObjectKey(RELEASE, namespace, "web"), uid, NOTE)
        await until_blocking(lambda: events_of(cluster, namespace))

    (event,) = events_of(cluster, namespace)
    assert "series" not in event


async def test_what_waits_at_the_end_is_still_posted(cluster: Cluster, server: ApiServer, namespace: str) -> None:
    cluster.apply(release_object(namespace=namespace))
    uid = uid_of(cluster, "releases.ecs-release.dev", "web", "-n", namespace)
    recorder = EventRecorder(server, "pod-1")

    async with running(recorder):
        await asyncio.sleep(0)
        for n in range(20):
            recorder.record(ObjectKey(RELEASE, namespace, "web"), uid, EventNote("Normal", f"R{n}", "Act", ""))

    assert len(events_of(cluster, namespace)) == 20
    assert recorder.dropped == 0


async def test_beyond_the_bound_they_are_dropped_and_counted(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_WAITING", 3)
    recorder = EventRecorder(server, "pod-1")

    for n in range(5):
        recorder.record(ObjectKey(RELEASE, "nowhere", "web"), "uid", EventNote("Normal", f"R{n}", "Act", ""))

    assert recorder.dropped == 2


async def test_one_that_is_refused_is_counted_and_does_not_hold_up_the_next(
    cluster: Cluster, server: ApiServer, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.apply(release_object(namespace=namespace))
    uid = uid_of(cluster, "releases.ecs-release.dev", "web", "-n", namespace)
    recorder = EventRecorder(server, "pod-1")

    async with running(recorder):
        recorder.record(ObjectKey(RELEASE, "no-such-namespace", "web"), uid, NOTE)
        recorder.record(ObjectKey(RELEASE, namespace, "web"), uid, NOTE)
        await until_blocking(lambda: events_of(cluster, namespace))

    assert recorder.dropped == 1
    assert 'namespaces "no-such-namespace" not found' in caplog.text
