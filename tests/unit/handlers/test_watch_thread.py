"""The thread that the watch runs in: how it ends, whoever ends it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Mapping
from typing import Any

import kopf
import pytest
from aiohttp import web

from ecs_release.api.names import RELEASE
from ecs_release.cluster.credentials import Credentials
from ecs_release.handlers import watch_thread
from ecs_release.handlers.watch_thread import run_watch
from tests.waiting import until

GROUP, VERSION = "ecs-release.dev", "v1alpha1"


class FakeApi:
    """As much of an API server as kopf asks of one: discovery, a LIST, and a watch that says what the test wants."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.watching = asyncio.Event()
        self.watched: set[str] = set()
        self.application = web.Application()
        self.application.add_routes([
            web.get("/api", self._answer({"versions": ["v1"]})),
            web.get("/api/v1", self._answer({"resources": [resource("namespaces", "Namespace", False), resource("events", "Event")]})),
            web.get("/apis", self._answer({"groups": [{
                "name": GROUP, "versions": [{"version": VERSION}], "preferredVersion": {"version": VERSION},
            }]})),
            web.get(f"/apis/{GROUP}/{VERSION}", self._answer({"resources": [resource("releases", "Release")]})),
            web.get(f"/apis/{GROUP}/{VERSION}/releases", self._releases),
            web.get(f"/apis/{GROUP}/{VERSION}/namespaces/{{namespace}}/releases", self._releases),
        ])  # fmt: skip

    def _answer(self, body: Mapping[str, Any]) -> Any:
        async def answer(_: web.Request) -> web.Response:
            return web.json_response(body)

        return answer

    async def _releases(self, request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            return web.json_response(
                {"kind": "ReleaseList", "apiVersion": f"{GROUP}/{VERSION}", "metadata": {"resourceVersion": "1"}, "items": []}
            )
        answer = web.StreamResponse()
        await answer.prepare(request)
        self.watching.set()
        self.watched.add(request.match_info.get("namespace", ""))
        while True:
            await answer.write(json.dumps(await self.events.get()).encode() + b"\n")


def resource(plural: str, kind: str, namespaced: bool = True) -> dict[str, Any]:
    return {"name": plural, "singularName": kind.lower(), "kind": kind, "namespaced": namespaced, "verbs": ["list", "watch", "patch"]}


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    api = FakeApi()
    runner = web.AppRunner(api.application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    api.url = f"http://127.0.0.1:{runner.addresses[0][1]}"  # type: ignore[attr-defined]
    yield api
    await runner.cleanup()


class Sink:
    def __init__(self) -> None:
        self.names: list[str] = []

    def changed(self, kind: str, body: Mapping[str, Any]) -> None:
        self.names.append(body["metadata"]["name"])

    def deleted(self, kind: str, namespace: str, name: str, uid: str) -> None:
        self.names.remove(name)


def added(name: str) -> dict[str, Any]:
    meta = {"name": name, "namespace": "shop", "uid": name, "resourceVersion": "2"}
    return {"type": "ADDED", "object": {"apiVersion": f"{GROUP}/{VERSION}", "kind": "Release", "metadata": meta, "spec": {}}}


def watch_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "watch"]


def start(api: FakeApi, sink: Sink, stop: asyncio.Event, *namespaces: str) -> asyncio.Task[None]:
    async def credentials() -> Credentials:
        return Credentials(api.url, "Bearer x")  # type: ignore[attr-defined]

    return asyncio.create_task(run_watch(sink, credentials, stop, kinds=[RELEASE], namespaces=namespaces))


async def test_an_error_in_the_stream_is_raised_and_nothing_is_left_behind(api: FakeApi) -> None:
    """kopf holds a threading.Event in a thread for ever, and then kills the process: neither must be used."""
    watch = start(api, Sink(), asyncio.Event())
    await api.watching.wait()

    await api.events.put({"type": "ERROR", "object": {"kind": "Status", "code": 500, "message": "etcd is gone"}})

    with pytest.raises(Exception, match="etcd is gone"):
        async with asyncio.timeout(30):
            await watch
    await until(lambda: not watch_threads())


@pytest.mark.parametrize(("namespaces", "watched"), [((), {""}), (("shop", "storage"), {"shop", "storage"})])
async def test_some_namespaces_are_watched_else_all(namespaces: tuple[str, ...], watched: set[str], api: FakeApi) -> None:
    """And Namespaces are not asked for: the fake would not know them."""
    stop = asyncio.Event()
    watch = start(api, Sink(), stop, *namespaces)
    await until(lambda: api.watched == watched)
    stop.set()
    async with asyncio.timeout(30):
        await watch


async def test_it_stops_when_told_to(api: FakeApi) -> None:
    sink, stop = Sink(), asyncio.Event()
    watch = start(api, sink, stop)
    await api.watching.wait()
    await api.events.put(added("web"))
    await until(lambda: sink.names == ["web"])

    stop.set()

    async with asyncio.timeout(30):
        await watch
    await until(lambda: not watch_threads())


async def test_it_stops_when_told_to_before_it_has_begun(api: FakeApi) -> None:
    stop = asyncio.Event()
    stop.set()

    async with asyncio.timeout(30):
        await start(api, Sink(), stop)

    await until(lambda: not watch_threads())


async def test_it_stops_when_cancelled(api: FakeApi) -> None:
    watch = start(api, Sink(), asyncio.Event())
    await api.watching.wait()

    watch.cancel()

    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(30):
            await watch
    await until(lambda: not watch_threads())


async def test_a_thread_that_does_not_end_is_left_behind_and_tells_nothing(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    release, told = threading.Event(), threading.Event()

    async def stuck(registry: kopf.OperatorRegistry, **_: Any) -> None:
        handle = next(iter(registry._watching.get_all_handlers())).fn
        told.set()
        release.wait(20)
        await handle(event=added("late"))

    monkeypatch.setattr(kopf, "spawn_tasks", stuck)
    monkeypatch.setattr(watch_thread, "_STOP_S", 0.1)
    sink, stop = Sink(), asyncio.Event()
    watch = start(api, sink, stop)
    await until(told.is_set)
    stop.set()

    async with asyncio.timeout(15):
        await watch
    release.set()

    await until(lambda: not watch_threads())
    assert sink.names == []
