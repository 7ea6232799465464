"""The client of the API server: flags become requests, and errors are one line."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from ecs_release.cli.kubectl import main
from ecs_release.cli.kubectl.client.session import Session
from ecs_release.cli.kubectl.terminal import errors
from tests.builders.paged_server import large_object, paged_server
from tests.unit.cli.kubectl.client.http_server import Server, session


def status(code: int, message: str) -> tuple[int, bytes]:
    return code, json.dumps({"kind": "Status", "message": message}).encode()


WEB = "/apis/ecs-release.dev/v1alpha1/namespaces/shop/releases/web"
ALL = "/apis/ecs-release.dev/v1alpha1/releases"


def test_flags_become_headers(server: Server) -> None:
    server.answers[WEB] = (200, b'{"kind": "Release"}')
    words = ("--token=secret", "--as=ben", "--as-group=a", "--as-group=b", "--as-uid=7")
    with session(server, *words) as opened:
        assert opened.api.get("Release", "web", "shop") == {"kind": "Release"}
    headers, _ = server.requests[0][2]
    assert headers["Authorization"] == "Bearer secret"
    assert (headers["Impersonate-User"], headers["Impersonate-Uid"]) == ("ben", "7")
    assert headers.get_all("Impersonate-Group") == ["a", "b"]
    assert headers["User-Agent"].startswith("kubectl-ecs-release/")


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (status(401, "Unauthorized"), errors.Denied, "the API server does not know you (Unauthorized): log in again"),
        (status(403, 'User "ben" cannot get'), errors.Denied, 'User "ben" cannot get'),
        (status(404, 'releases.ecs-release.dev "web" not found'), errors.NotFound, 'releases.ecs-release.dev "web" not found'),
        ((404, b"404 page not found\n"), errors.NotFound, "install the CRDs there"),
        (status(409, "the object has been modified"), errors.Conflict, "the object has been modified"),
        (status(410, "too old"), errors.Gone, "too old"),
        (status(422, "spec.source:\n set exactly one"), errors.CommandError, "spec.source: set exactly one"),
        (status(500, "etcd"), errors.Unreachable, "the API server answers 500: etcd; try again in a moment"),
        ((200, b"<html>a proxy</html>"), errors.Unreachable, "with no JSON: is it a Kubernetes API server?"),
    ],
)
def test_answers_become_errors_of_one_line(server: Server, answer: tuple[int, bytes], error: type[Exception], message: str) -> None:
    server.answers[WEB] = answer
    with session(server) as opened, pytest.raises(error) as raised:
        opened.api.get("Release", "web", "shop")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_lists_are_read_in_pages_and_their_items_know_their_kind(server: Server) -> None:
    pages = iter(
        [
            {"kind": "ReleaseList", "apiVersion": "v", "items": [{"metadata": {"name": "a"}}], "metadata": {"continue": "next"}},
            {"kind": "ReleaseList", "apiVersion": "v", "items": [{"metadata": {"name": "b"}}], "metadata": {"resourceVersion": "7"}},
        ]
    )

    class Pages(dict):  # type: ignore[type-arg]
        def get(self, *_: Any) -> tuple[int, bytes]:
            return 200, json.dumps(next(pages)).encode()

    server.answers = Pages()
    with session(server) as opened:
        found, version = opened.api.list_at(ALL, labels="x=y", fields="spec.service=web")
    assert [(o["kind"], o["metadata"]["name"]) for o in found] == [("Release", "a"), ("Release", "b")]
    assert version == "7"
    assert "labelSelector=x%3Dy" in server.requests[0][1]
    assert "continue=next" in server.requests[1][1]


async def test_a_list_of_large_objects_is_read_in_small_pages_and_kept_without_what_others_wrote() -> None:
    """Whoever may create objects chooses how large they are: the others' boards are read all the same."""
    objects = [large_object(f"r{n:03}", 100 if n < 60 else 250_000) for n in range(100)]
    async with paged_server(objects) as remote:

        def read() -> list[dict[str, Any]]:
            with Session(main.parse(["version", f"--server={remote.url}"])[0], {}) as opened:
                return opened.api.list("Release")

        found = await asyncio.to_thread(read)
    assert [o["metadata"]["name"] for o in found] == [o["metadata"]["name"] for o in objects]
    assert max(remote.read) <= 2 * 1024 * 1024
    assert {tuple(o["metadata"]["annotations"]) for o in found} == {("ecs-release.dev/retry",)}
    assert found[0]["metadata"]["labels"] == objects[0]["metadata"]["labels"]


async def test_an_object_that_is_larger_than_the_api_server_stores_is_no_endless_loop() -> None:
    async with paged_server([large_object("r", 17 * 1024 * 1024)]) as remote:

        def read() -> None:
            with Session(main.parse(["version", f"--server={remote.url}"])[0], {}) as opened:
                opened.api.list("Release")

        with pytest.raises(errors.CommandError, match="has more than 16777216 bytes"):
            await asyncio.to_thread(read)


def test_a_watch_yields_whole_lines_and_says_when_it_is_too_old(server: Server) -> None:
    lines = [{"type": "ADDED", "object": {"n": 1}}, {"type": "ERROR", "object": {"code": 410, "message": "too old"}}]
    server.answers[ALL] = (200, b"\n".join(json.dumps(line).encode() for line in lines) + b"\n")
    with session(server) as opened:
        events = opened.api.watch(ALL, "5", 30)
        assert next(events) == lines[0]
        with pytest.raises(errors.Gone):
            next(events)
    assert "resourceVersion=5" in server.requests[0][1]
    assert "timeoutSeconds=30" in server.requests[0][1]


def test_changes_are_sent_as_they_should_be(server: Server) -> None:
    server.answers[WEB] = (200, b"{}")
    body = {"apiVersion": "ecs-release.dev/v1alpha1", "kind": "Release", "metadata": {"name": "web", "namespace": "shop"}}
    with session(server) as opened:
        opened.api.patch("Release", "web", "shop", {"a": 1}, dry_run=True)
        opened.api.apply(body, force=True)
        opened.api.replace(body, dry_run=True)
    (patch, apply, put) = server.requests
    assert (patch[0], patch[2][0]["Content-Type"], patch[2][1]) == ("PATCH", "application/merge-patch+json", b'{"a": 1}')
    assert "dryRun=All" in patch[1]
    assert apply[2][0]["Content-Type"] == "application/apply-patch+yaml"
    assert "force=true" in apply[1]
    assert "dryRun" not in apply[1]
    assert (put[0], "dryRun=All" in put[1]) == ("PUT", True)


def test_requests_are_told_on_demand_without_credentials(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.answers[WEB] = (200, b"{}")
    with session(server, "-v=6", "--token=secret") as opened:
        opened.api.get("Release", "web", "shop")
    told = capsys.readouterr().err
    assert f"GET {server.url}{WEB} 200" in told
    assert "secret" not in told
