"""The plugin's client of the API server, against a server of a few lines: flags become requests, answers errors of one line."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from ecs_release.cli.kubectl import main
from ecs_release.cli.kubectl.client.session import Session
from ecs_release.cli.kubectl.terminal import errors as problems


class Server(ThreadingHTTPServer):
    """Answers what `answers` holds for a path: a status and a body; remembers each request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.requests: list[tuple[str, str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.requests.append((self.command, self.path, (self.headers, body)))
        status, answer = self.server.answers.get(self.path.partition("?")[0], (404, b"404 page not found"))
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self.do_any
        raise AttributeError(name)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield running
        running.shutdown()


def session(server: Server, *words: str, **environment: str) -> Session:
    return Session(main.read(["version", f"--server={server.url}", *words])[0], environment)


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
        (status(401, "Unauthorized"), problems.Denied, "the API server does not know you (Unauthorized): log in again"),
        (status(403, 'User "ben" cannot get'), problems.Denied, 'User "ben" cannot get'),
        (status(404, 'releases.ecs-release.dev "web" not found'), problems.NotFound, 'releases.ecs-release.dev "web" not found'),
        ((404, b"404 page not found\n"), problems.NotFound, "install the CRDs there"),
        (status(409, "the object has been modified"), problems.Conflict, "the object has been modified"),
        (status(410, "too old"), problems.Gone, "too old"),
        (status(422, "spec.source:\n set exactly one"), problems.CommandError, "spec.source: set exactly one"),
        (status(500, "etcd"), problems.Unreachable, "the API server answers 500: etcd; try again in a moment"),
        ((200, b"<html>a proxy</html>"), problems.Unreachable, "with no JSON: is it a Kubernetes API server?"),
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


def test_a_watch_yields_whole_lines_and_says_when_it_is_too_old(server: Server) -> None:
    lines = [{"type": "ADDED", "object": {"n": 1}}, {"type": "ERROR", "object": {"code": 410, "message": "too old"}}]
    server.answers[ALL] = (200, b"\n".join(json.dumps(line).encode() for line in lines) + b"\n")
    with session(server) as opened:
        events = opened.api.watch(ALL, "5", 30)
        assert next(events) == lines[0]
        with pytest.raises(problems.Gone):
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


def kubeconfig(path: Path, name: str, url: str, **user: Any) -> Path:
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": url}}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": f"ns-{name}"}}],
    }  # fmt: skip
    path.write_text(yaml.safe_dump(config))
    return path


def test_kubeconfig_files_are_merged_and_flags_choose(server: Server, tmp_path: Path) -> None:
    one = kubeconfig(tmp_path / "one", "one", server.url, token="first")
    two = kubeconfig(tmp_path / "two", "two", "http://127.0.0.1:1", token="second")
    files = f"{one}:{tmp_path / 'none'}:{two}"
    server.answers[WEB] = (200, b"{}")

    def opened(*words: str) -> Session:
        return Session(main.read(["version", *words])[0], {"KUBECONFIG": files})

    assert opened("--context=one").namespace == "ns-one"
    assert opened("--context=one", "-n", "mine").namespace == "mine"
    with opened("--context=two", "--cluster=one") as mixed:
        mixed.api.get("Release", "web", "shop")
        assert mixed.namespace == "ns-two"
    assert server.requests[-1][2][0]["Authorization"] == "Bearer second"
    with opened("--context=one", "--user=two") as mixed:
        mixed.api.get("Release", "web", "shop")
    assert server.requests[-1][2][0]["Authorization"] == "Bearer second"
    for words, message in (
        (("--context=three",), "there is no context 'three' in the kubeconfig (there are: one, two)"),
        (("--user=three", "--context=one"), "there is no user 'three'"),
        (("--cluster=three", "--context=one"), "three"),
        (("--kubeconfig=/nowhere",), "there is no file /nowhere"),
        (("--as-group=a", "--context=one"), "--as-group and --as-uid need --as"),
    ):
        with pytest.raises(problems.CommandError) as raised:
            _ = opened(*words).connection
        assert message in str(raised.value)
        assert "\n" not in str(raised.value)


def test_a_program_may_log_in(server: Server, tmp_path: Path) -> None:
    plugin = tmp_path / "login"
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "made"}}
    plugin.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\n")
    plugin.chmod(0o700)
    login = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin), "interactiveMode": "Never"}
    config = kubeconfig(tmp_path / "config", "one", server.url, exec=login)
    server.answers[WEB] = (200, b"{}")
    with Session(main.read(["version", f"--kubeconfig={config}"])[0], {}) as opened:
        opened.api.get("Release", "web", "shop")
    assert server.requests[0][2][0]["Authorization"] == "Bearer made"


def test_no_cluster_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(problems.CommandError, match="set KUBECONFIG or give --kubeconfig"):
        _ = Session(main.read(["version"])[0], {}).connection
    with pytest.raises(problems.CommandError, match="the pod's service account cannot be used"):
        _ = Session(main.read(["version"])[0], {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}).connection
