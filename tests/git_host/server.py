"""A host of git repositories: https on 127.0.0.1 and localhost, by a certificate of the test's own authority."""

from __future__ import annotations

import base64
import contextlib
import os
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.control_plane.certificates import write_certificates
from tests.control_plane.ports import free_port, release_port
from tests.git_host.repositories import BareRepository, git_program
from tests.waiting import PATIENCE_S

_PAUSE_S = 0.1


@dataclass
class Behaviour:
    """What the host does with requests for a repository instead of serving it."""

    redirect: str = ""
    hang: bool = False
    drip: bool = False
    status: int = 0
    bytes_a_second: int = 0
    """Serves it, but so slowly; 0: as fast as can be."""


@dataclass
class Request:
    """A request that came."""

    method: str
    path: str
    authorization: str = ""
    filtered: bool = False


@dataclass
class _State:
    root: Path
    passwords: dict[str, tuple[str, str]] = field(default_factory=dict)
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)


class GitHost:
    """The host. Repositories are below `root`, by their path without `.git`."""

    def __init__(self, folder: Path) -> None:
        """Certificates and repositories go into a folder."""
        write_certificates(folder / "certificates")
        self.ca_file = folder / "certificates" / "ca.crt"
        self._state = _State(folder / "repositories")
        self._state.root.mkdir()
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "certificates" / "serving.crt", folder / "certificates" / "serving.key")

        class Handler(_Handler):
            state = self._state

        self._server = _Server(("127.0.0.1", self.port), Handler)
        # In the thread of the connection: a client that never says anything must not keep others from connecting.
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> GitHost:
        """Serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, also what hangs."""
        self._state.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        release_port(self.port)

    def repository(
        self, path: str, *, password: tuple[str, str] | None = None, filters: bool = True, any_commit: bool = True
    ) -> BareRepository:
        """Make a repository; `password` is the user's name and the password that reading it needs."""
        folder = self._state.root / f"{path}.git"
        folder.parent.mkdir(parents=True, exist_ok=True)
        if password is not None:
            self._state.passwords[path] = password
        return BareRepository(folder, filters=filters, any_commit=any_commit)

    def url(self, path: str, host: str = "") -> str:
        """Return the URL of a repository."""
        return f"https://{host or self.host}/{path}.git"

    def behave(self, path: str, behaviour: Behaviour | None) -> None:
        """Misbehave for a repository; None: serve it again."""
        if behaviour is None:
            self._state.behaviours.pop(path, None)
        else:
            self._state.behaviours[path] = behaviour

    def requests(self, path: str = "") -> list[Request]:
        """Return the requests for a repository, or all."""
        return [r for r in list(self._state.requests) if r.path.startswith(f"/{path}")]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: _State

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        url = urlsplit(self.path)
        path = unquote(url.path)
        repository = path.strip("/").partition(".git/")[0]
        body = self._body()
        authorization = self.headers.get("Authorization", "")
        self.state.requests.append(Request(self.command, path, authorization, b"filter tree:0" in body))
        behaviour = self.state.behaviours.get(repository)
        if behaviour is not None and not behaviour.bytes_a_second:
            self._misbehave(behaviour)
        elif not self._allowed(repository, authorization):
            self._reply(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
        else:
            self._backend(repository, path, url.query, body)

    def _allowed(self, repository: str, authorization: str) -> bool:
        expected = self.state.passwords.get(repository)
        return expected is None or authorization == f"Basic {base64.b64encode(':'.join(expected).encode()).decode()}"

    def _misbehave(self, behaviour: Behaviour) -> None:
        if behaviour.redirect:
            self._reply(302, {"Location": behaviour.redirect + self.path}, b"")
        elif behaviour.status:
            self._reply(behaviour.status, {}, b"")
        elif behaviour.hang:
            self.state.stopping.wait()
        elif behaviour.drip:
            self.send_response(200)
            self.send_header("Content-Type", "application/x-git-upload-pack-advertisement")
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            with contextlib.suppress(OSError):
                while not self.state.stopping.wait(0.2):
                    self.wfile.write(b"0")
                    self.wfile.flush()

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _backend(self, repository: str, path: str, query: str, body: bytes) -> None:
        environment = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(self.state.root), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
            "QUERY_STRING": query, "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)), "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""), "REMOTE_ADDR": "127.0.0.1",
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""), "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
        }  # fmt: skip
        done = subprocess.run([git_program(), "http-backend"], input=body, env=environment, capture_output=True, check=False, timeout=300)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.decode().split(": ", 1) for line in head.split(b"\r\n") if b": " in line)
        self._reply(int(headers.pop("Status", "200").split()[0]), headers, content, repository)

    def _reply(self, status: int, headers: Mapping[str, str], content: bytes, repository: str = "") -> None:
        with contextlib.suppress(OSError):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self._send(content, repository)

    def _send(self, content: bytes, repository: str) -> None:
        """Send all, as slowly as the host is to behave at the moment."""
        left = memoryview(content)
        while left:
            behaviour = self.state.behaviours.get(repository)
            size = int(behaviour.bytes_a_second * _PAUSE_S) if behaviour is not None else 0
            self.wfile.write(left[: size or len(left)])
            left = left[size or len(left) :]
            if size and self.state.stopping.wait(_PAUSE_S):
                return


def until(what: str, holds: Any, deadline_s: float = PATIENCE_S) -> Any:
    """Wait until something holds; returns it. Raises AssertionError that says what was awaited."""
    end = time.monotonic() + deadline_s
    while not (found := holds()):
        assert time.monotonic() < end, f"not within {deadline_s:g} s: {what}"
        time.sleep(0.05)
    return found


@contextlib.contextmanager
def running_host(folder: Path) -> Iterator[GitHost]:
    """Run a host in a folder."""
    with GitHost(folder) as host:
        yield host
