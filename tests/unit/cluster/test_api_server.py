"""The client against a server that misbehaves: what is tried again, what is said, and when it is given up."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ecs_release.api.names import RELEASE
from ecs_release.cluster import api_server
from ecs_release.cluster.api_server import APPLY, ApiServer
from ecs_release.domain.model.api_paths import ApiPath, all_objects, object_path
from ecs_release.domain.model.errors import Conflict, Denied, NotFound, NotLeading, Problem, Retryable
from tests.builders.kubeconfig import write_kubeconfig
from tests.waiting import until

X = ApiPath(("x",))
Answer = Callable[[web.Request], web.StreamResponse]


class Server:
    """Answers what the test queues at once, then 200 after a while; remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.requests: list[tuple[str, str, dict[str, str], str]] = []
        self.url = ""
        self.delay_s = 0.0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path_qs, dict(request.headers), await request.text()))
        if self.answers:
            return self.answers.pop(0)(request)
        await asyncio.sleep(self.delay_s)
        return status(200, {"kind": "Ok"})(request)


def status(code: int, body: Any, headers: dict[str, str] | None = None) -> Answer:
    return lambda _: web.json_response(body, status=code, headers=headers)


def failure(code: int, message: str = "because", headers: dict[str, str] | None = None) -> Answer:
    return status(code, {"kind": "Status", "message": message}, headers)


def hang_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


@pytest.fixture
async def remote() -> AsyncIterator[Server]:
    remote = Server()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", remote.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    remote.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield remote
    await runner.cleanup()


@pytest.fixture
async def server(remote: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ApiServer]:
    monkeypatch.setattr(api_server, "_FIRST_PAUSE_S", 0.01)
    path = write_kubeconfig(tmp_path / "config", remote.url, {"token": "one"})
    server = await ApiServer.connect(str(path), "ecs-release-operator/9")
    yield server
    await server.close()


async def test_sends_who_we_are_what_we_send_and_what_we_want(remote: Server, server: ApiServer) -> None:
    answer = await server.request("PATCH", ApiPath(("apis", "x", "y")), query=[("force", "true")], body={"a": 1}, content_type=APPLY)

    assert answer == {"kind": "Ok"}
    ((method, path, headers, text),) = remote.requests
    assert (method, path) == ("PATCH", "/apis/x/y?force=true")
    assert headers["User-Agent"] == "ecs-release-operator/9"
    assert headers["Authorization"] == "Bearer one"
    assert headers["Content-Type"] == "application/apply-patch+yaml; charset=utf-8"
    assert json.loads(text) == {"a": 1}


async def test_an_apply_holds_characters_beyond_the_bmp_as_they_are(remote: Server, server: ApiServer) -> None:
    """The API server reads an apply patch as YAML, and that has no escape of two surrogates."""
    await server.request("PATCH", X, body={"why": "ship \N{ROCKET} \0 \ud83d"}, content_type=APPLY)

    ((_, _, _, text),) = remote.requests
    assert text == '{"why":"ship \N{ROCKET} \\u0000 \N{REPLACEMENT CHARACTER}"}'


@pytest.mark.parametrize("fault", [failure(429), failure(500), failure(502), failure(503), failure(504), hang_up])
async def test_what_passes_is_tried_again(remote: Server, server: ApiServer, fault: Answer) -> None:
    remote.answers = [fault, fault]

    assert await server.request("PATCH", X, body={}) == {"kind": "Ok"}
    assert len(remote.requests) == 3


async def test_what_does_not_pass_is_given_up_after_four_times(remote: Server, server: ApiServer) -> None:
    remote.answers = [failure(503, "etcd is gone")] * 9

    with pytest.raises(Retryable, match="fails at GET /x: 503 etcd is gone"):
        await server.request("GET", X)
    assert len(remote.requests) == 4


async def test_the_server_says_how_long_to_wait(remote: Server, server: ApiServer) -> None:
    remote.answers = [failure(429, headers={"Retry-After": "1"})]
    begun = time.monotonic()

    await server.request("GET", X)

    assert time.monotonic() - begun >= 1


async def test_longer_than_the_deadline_is_not_waited(remote: Server, server: ApiServer) -> None:
    remote.answers = [failure(429, headers={"Retry-After": "60"})]
    begun = time.monotonic()

    with pytest.raises(Retryable, match="429"):
        await server.request("GET", X)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("code", "error"), [(403, Denied), (404, NotFound), (409, Conflict), (410, Retryable), (422, Problem), (400, Problem)]
)
async def test_what_will_not_pass_is_not_tried_again(remote: Server, server: ApiServer, code: int, error: type[Exception]) -> None:
    remote.answers = [failure(code, "for this reason")]

    with pytest.raises(error, match="for this reason") as raised:
        await server.request("GET", X)

    assert type(raised.value) is error
    assert len(remote.requests) == 1


async def test_an_answer_cut_short_is_tried_again(remote: Server, server: ApiServer) -> None:
    remote.answers = [lambda _: web.Response(text='{"kind": "O')]

    assert await server.request("GET", X) == {"kind": "Ok"}


async def test_nobody_there(server: ApiServer, tmp_path: Path) -> None:
    alone = await ApiServer.connect(str(write_kubeconfig(tmp_path / "other", "http://127.0.0.1:1", {})), "x")
    with pytest.raises(Retryable, match="Cannot connect"):
        await alone.request("GET", X)
    await alone.close()


async def test_new_credentials_are_loaded_when_the_old_have_ended(remote: Server, server: ApiServer, tmp_path: Path) -> None:
    write_kubeconfig(tmp_path / "config", remote.url, {"token": "two"})
    remote.answers = [failure(401, "Unauthorized")]

    await server.request("GET", X)

    assert [headers["Authorization"] for _, _, headers, _ in remote.requests] == ["Bearer one", "Bearer two"]
    assert (await server.credentials()).authorization == "Bearer two"


async def test_credentials_that_stay_refused_are_an_error(remote: Server, server: ApiServer) -> None:
    remote.answers = [failure(401, "Unauthorized")] * 9

    with pytest.raises(Denied, match="does not know the operator's credentials"):
        await server.request("GET", X)
    assert len(remote.requests) == 2


async def test_new_credentials_do_not_disturb_requests_under_way(remote: Server, server: ApiServer, tmp_path: Path) -> None:
    """One is refused while others wait for an answer, or for one of the few connections."""
    write_kubeconfig(tmp_path / "config", remote.url, {"token": "two"})
    remote.answers = [failure(401, "Unauthorized")]
    remote.delay_s = 0.05

    await asyncio.gather(*(server.request("GET", ApiPath(("x", str(n)))) for n in range(40)))

    # Each was sent once, and the one that was refused once more.
    assert len(remote.requests) == 41


class Fence:
    """Lets a number of requests pass."""

    def __init__(self, passing: int) -> None:
        self.passing = passing

    def check(self, what: str) -> None:
        self.passing -= 1
        if self.passing < 0:
            raise NotLeading(what)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_change_is_not_sent_by_one_that_leads_no_longer(remote: Server, server: ApiServer, method: str) -> None:
    server.fence = Fence(0)

    with pytest.raises(NotLeading, match=f"{method} /x"):
        await server.request(method, X, body={})
    await server.request("GET", X)
    await server.request("PUT", ApiPath(("lease",)), body={}, fenced=False)

    assert [(m, path) for m, path, _, _ in remote.requests] == [("GET", "/x"), ("PUT", "/lease")]


async def test_nor_is_it_sent_again(remote: Server, server: ApiServer) -> None:
    server.fence = Fence(1)
    remote.answers = [failure(503)]

    with pytest.raises(NotLeading):
        await server.request("PATCH", X, body={})

    assert len(remote.requests) == 1


async def test_requests_of_a_namespace_leave_connections_to_others(tmp_path: Path) -> None:
    """Twenty requests of one namespace hang until the other namespace's, which comes last, was answered."""
    answered = asyncio.Event()

    async def handle(request: web.Request) -> web.Response:
        if "/namespaces/many/" in request.path:
            await answered.wait()
        return web.json_response({"kind": "Ok"})

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    server = await ApiServer.connect(str(write_kubeconfig(tmp_path / "config", url, {"token": "one"})), "ecs-release-operator/9")
    try:
        many = [asyncio.create_task(server.request("GET", object_path(RELEASE, "many", f"r{n}"))) for n in range(20)]
        await asyncio.sleep(0)
        async with asyncio.timeout(30):
            assert await server.request("GET", object_path(RELEASE, "one", "web")) == {"kind": "Ok"}
        answered.set()
        assert await asyncio.gather(*many) == [{"kind": "Ok"}] * 20
    finally:
        await server.close()
        await runner.cleanup()


async def test_watches_leave_the_connections_for_requests(tmp_path: Path) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            return web.json_response({"kind": "Ok"})
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.Event().wait()
        return response

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    kubeconfig = write_kubeconfig(tmp_path / "config", f"http://127.0.0.1:{runner.addresses[0][1]}", {"token": "one"})
    server = await ApiServer.connect(str(kubeconfig), "ecs-release-operator/9", watches=20)
    opened: list[dict[str, Any]] = []

    async def watch() -> None:
        async for event in server.watch(all_objects(RELEASE), "1"):
            opened.append(event)

    watches = [asyncio.create_task(watch()) for _ in range(20)]
    try:
        await until(lambda: len(opened) == 20, 30)
        async with asyncio.timeout(30):
            assert await server.request("GET", X) == {"kind": "Ok"}
    finally:
        for task in watches:
            task.cancel()
        await asyncio.gather(*watches, return_exceptions=True)
        await server.close()
        await runner.cleanup()
